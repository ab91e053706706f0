"""A store with six days of history in it, made within a minute: every task goes through the write contract, as a worker would do it,
only in large batches and in the time of a hand-wound clock. So all counters and rollups are what a real life would have left.
"""

import asyncio
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from queue_core.backend import Backend
from queue_core.clock import HandWoundClock
from queue_core.expose import Counts, ErrorInfo, Expose, NewTask, QueueName, Status, connect
from queue_core.ids import BootId, new_boot_id
from queue_core.outcome import Aborted, Ack, Errored, Outcome, Succeeded, settle
from queue_core.task import Claim
from queue_core.worker_info import Registration

DAYS = 6.0
"""Less than the default retention of finished tasks."""
BATCH = 500
QUEUES = {"email": 60, "image-resize": 20, "billing": 12, "reports": 6, "webhooks": 2}
"""Shares in percent."""
WAITING = 0.05
FAILED = 0.04
KILLED = 0.01
MONTH = 30 * 86_400.0
ARGS = b'{"customer":%d,"template":"order-confirmation","locale":"en-GB","attachments":["invoice.pdf","terms.pdf"],"priority":"normal"}'
ERROR = ErrorInfo(
    type="smtplib.SMTPServerDisconnected",
    message="Connection unexpectedly closed",
    traceback="Traceback (most recent call last):\n" + '  File "/srv/shop/mail.py", line 42, in send\n    server.sendmail(...)\n' * 8,
)


def url(folder: Path) -> str:
    """Where the store is."""
    return f"sqlite:///{folder / 'board.db'}"


def fill(folder: Path, tasks: int) -> float:
    """Make a store of ``tasks`` tasks and check that its counters tell so. Returns the seconds it took."""
    since = time.perf_counter()
    asyncio.run(_fill(folder, tasks))
    return time.perf_counter() - since


async def _fill(folder: Path, tasks: int) -> None:
    waiting = max(1, int(tasks * WAITING))
    sizes = list(_batches(tasks - waiting))
    clock = HandWoundClock(datetime.now(UTC) - timedelta(days=DAYS))
    step, chance = DAYS * 86_400 / len(sizes), random.Random(1)
    store = connect(url(folder), clock=clock, synchronous="normal")
    await store.backend.open()
    try:
        boot = new_boot_id()
        await store.backend.register(_worker(boot))
        expected: Counter[Status] = Counter()
        for size in sizes:
            expected += await _live_through(store.backend, boot, clock, size, chance)
            clock.advance(step - 2)
        clock.advance((datetime.now(UTC) - clock.now()).total_seconds())
        await store.backend.push([_task(chance) for _ in range(waiting)])
        await store.backend.deregister(boot)
        expected[Status.PENDING] += waiting
        await _check(store.expose, expected)
    finally:
        await store.backend.close()


async def _live_through(backend: Backend, boot: BootId, clock: HandWoundClock, size: int, chance: random.Random) -> Counter[Status]:
    """Push, claim two seconds later, finish."""
    await backend.push([_task(chance) for _ in range(size)])
    clock.advance(2)
    claims = await backend.claim(boot, [QueueName(name) for name in QUEUES], names=None, limit=size, start=size)
    acks = [_ack(claim, chance) for claim in claims.tasks]
    held = await backend.ack(acks)
    if len(acks) != size or not all(held):
        raise RuntimeError(f"Of {size} tasks {len(acks)} were claimed and {sum(held)} acknowledged.")
    return Counter(ack.status for ack in acks)


def _task(chance: random.Random) -> NewTask:
    (queue,) = chance.choices(list(QUEUES), weights=list(QUEUES.values()))
    return NewTask(name=f"{queue.replace('-', '_')}.run", queue=QueueName(queue), args=ARGS % chance.randrange(1_000_000))


def _ack(claim: Claim, chance: random.Random) -> Ack:
    return settle(claim.lease, _outcome(chance), attempt=claim.attempt, max_attempts=claim.max_attempts, ran_for=chance.lognormvariate(-3, 1))


def _outcome(chance: random.Random) -> Outcome:
    luck = chance.random()
    if luck < KILLED:
        return Aborted(ERROR)
    if luck < KILLED + FAILED:
        return Errored(ERROR, retry_in=MONTH)
    return Succeeded(b'{"sent":true}')


def _worker(boot: BootId) -> Registration:
    return Registration(
        boot=boot,
        name="history",
        queues=tuple(QueueName(name) for name in QUEUES),
        names=None,
        host=socket.gethostname(),
        pid=os.getpid(),
        process="benchmark",
        version="0",
        middleware=(),
        concurrency=100,
        lease_ttl=2 * MONTH,
    )


def _batches(tasks: int) -> Iterator[int]:
    for start in range(0, tasks, BATCH):
        yield min(BATCH, tasks - start)


async def _check(expose: Expose, expected: Counter[Status]) -> None:
    """Raises RuntimeError unless the store counts what was put in."""
    total = sum((await expose.counts()).values(), start=Counts())
    found = {status: total.of(status) for status in Status if total.of(status)}
    if found != dict(expected):
        raise RuntimeError(f"The store counts {found}, but {dict(expected)} were put in.")
