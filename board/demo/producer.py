"""The demo's producer: a gentle stream of tasks, in waves."""

import asyncio
import contextlib
import math
import random
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from board.demo import files, tasks

ITEMS: Final = ("a field guide", "binoculars", "a nest box", "sunflower seeds", "a rain coat")
PERIOD: Final = 45.0
"""Seconds from one wave to the next."""
POISON_EVERY: Final = 40.0

Push = Callable[[], Awaitable[Any]]
_order = random.randrange(1_000, 2_000)


def main(*, poison: bool) -> int:
    """Produce until the demo ends; the exit code."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        asyncio.run(produce(poison))
    return 0


async def produce(poison: bool) -> None:
    """Set the scene, then push one thing after another."""
    async with tasks.app:
        await set_the_scene()
        poison_at = time.monotonic() + 5 if poison else math.inf
        while True:
            await random.choices([push for push, _ in STREAM], [weight for _, weight in STREAM])[0]()
            if time.monotonic() >= poison_at:
                await tasks.poison.push()
                poison_at += POISON_EVERY
            await asyncio.sleep(pause(time.monotonic()))


def pause(now: float) -> float:
    """Seconds to the next push: about one a second in the trough, five at the crest."""
    return random.expovariate(3 + 2 * math.sin(2 * math.pi * now / PERIOD))


async def set_the_scene() -> None:
    """A backlog to begin with, a paused queue, things for later, and one of each failure."""
    await tasks.count_words.push_many({"path": files.text_file(tasks.folder(), number).name} for number in range(files.TEXTS))
    await tasks.thumbnail.push_many({"number": number} for number in range(files.PICTURES))
    await tasks.send_newsletter.push_many({"issue": issue} for issue in range(1, 9))
    await tasks.take_stock.using(key="stock-0").push(tick=0)
    for _, minutes in enumerate((1, 5, 30, 240, 1_440)):
        await later(minutes * 60.0)
    for push in (order, order, order, batch, missing_file, flaky, slow, refused):
        await push()


async def order() -> None:
    """Somebody buys something."""
    global _order
    _order += 1
    await tasks.charge.using(key=f"charge-{_order}", tags=[f"order-{_order}"]).push(
        order=tasks.Order(number=_order, item=random.choice(ITEMS), amount=random.randrange(500, 20_000))
    )


async def archive() -> None:
    """A large file to check."""
    await tasks.checksum.push(path=files.archive_file(tasks.folder(), random.randrange(files.ARCHIVES)).name)


async def text() -> None:
    """A text to count."""
    await tasks.count_words.push(path=files.text_file(tasks.folder(), random.randrange(files.TEXTS)).name)


async def picture() -> None:
    """A picture to scale."""
    await tasks.thumbnail.push(number=random.randrange(files.PICTURES), width=random.choice((40, 60, 80)))


async def batch() -> None:
    """A batch of raw files."""
    await tasks.extract.push(batch=int(time.time() * 1000))


async def later(seconds: float | None = None) -> None:
    """A letter for another time."""
    delay = random.uniform(20, 600) if seconds is None else seconds
    await tasks.send_mail.using(run_after=delay).push(to="reader@example.com", subject="How do you like it?")


async def missing_file() -> None:
    """An invoice that was never there."""
    await tasks.import_invoice.push(path=f"invoice-{random.randrange(1_000)}.pdf")


async def flaky() -> None:
    """A service that is down for a moment."""
    await tasks.fetch_rates.push(currency=random.choice(("EUR", "CHF", "SEK", "JPY")))


async def slow() -> None:
    """A report that takes too long."""
    await tasks.render_report.push(month=random.choice(("January", "February", "March")))


async def refused() -> None:
    """A refund that needs a person."""
    await tasks.refund.push(order=_order, amount=random.randrange(40_000, 80_000))


STREAM: Final[tuple[tuple[Push, float], ...]] = (
    (order, 30),
    (text, 25),
    (picture, 15),
    (archive, 15),
    (later, 4),
    (batch, 3),
    (flaky, 3),
    (missing_file, 2),
    (refused, 2),
    (slow, 1),
)
"""What is pushed, and how often."""
