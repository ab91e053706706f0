"""When a worker looks for tasks although nothing woke it.

A store wakes its workers when something is pushed, and a timer when something comes due. Beside that every worker polls, because a message can
get lost, and because some stores or settings (``Worker(wakeups=False)``) have none. Of several strategies the first that fires lets the worker
look; the others go on waiting for their own moment. A strategy is a frozen description without state: each life of each worker begins it anew,
so one object serves any number of workers and restarts.

>>> async def messages() -> AsyncIterator[str]:
...     yield "something was pushed"
>>> worker = app.worker(poll=[Backoff(min=0.1, max=60), OnStream(messages)], wakeups=False)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from queue_core.backoff import spread
from queue_core.errors import InvalidValue, not_negative

DEFAULT_POLL: Final = 5.0
"""Seconds between two looks, where nothing else is said."""


class PollContext(Protocol):
    """What a strategy may know of the worker that it polls for. Each strategy of each life of a worker has its own.

    >>> async def when_others_wait(context: PollContext) -> None:
    ...     await asyncio.sleep(0.1 if context.claimed else 5)
    >>> worker = app.worker(poll=When(when_others_wait))
    """

    @property
    def worker(self) -> str:
        """The worker's name."""
        ...

    @property
    def claimed(self) -> int:
        """How many tasks its last look brought, whatever caused that look."""
        ...

    @property
    def quiet_for(self) -> float:
        """Seconds since its last look."""
        ...

    async def work(self, timeout: float) -> bool:
        """Wait until a look brings work after one that brought none, or for ``timeout`` seconds. Whether one did."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """When to look. Write your own: a frozen object with this method, which is an async generator more often than not.

    >>> class Thrice:
    ...     async def moments(self, context: PollContext) -> AsyncIterator[None]:
    ...         for _ in range(3):
    ...             yield
    >>> worker = app.worker(poll=Thrice())
    """

    def moments(self, context: PollContext, /) -> AsyncIterator[Any]:
        """Begin, for one life of a worker: yield, anything, whenever it should look.

        The next item is asked for once the worker has looked, so that ``context.claimed`` tells what it found. The iterator is closed when the life
        ends. If it ends before, or raises, that is logged, and the worker looks every 5 seconds in its place. One that asks for look after look
        without a pause, though they bring nothing, is slowed down after the first hundred, and that is logged.
        """
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """Look when the last look, whatever caused it, was ``every`` seconds ago. Raises InvalidValue unless that is more than 0.

    >>> worker = app.worker(poll=Interval(0.5))
    """

    every: float

    def __post_init__(self) -> None:
        if not_negative("poll", self.every) == 0:
            raise InvalidValue("poll must be more than 0 seconds.")

    async def moments(self, context: PollContext) -> AsyncIterator[None]:
        """Yield after every quiet interval."""
        while True:
            left = self.every - context.quiet_for
            if left > 0:
                await asyncio.sleep(left)
            else:
                yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Look after ``min`` seconds, and ``multiplier`` times as late after each look that found nothing, but after ``max`` seconds at the latest.

    Work, whoever found it, brings the pause back to ``min``. ``jitter`` is the share of each pause that is drawn at random, 0 to 1, so that many
    workers do not look together. Raises InvalidValue for numbers out of range.

    >>> worker = app.worker(poll=Backoff(min=0.1, max=60), wakeups=False)
    """

    min: float = 0.1
    max: float = 60.0
    multiplier: float = 2.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if not_negative("min", self.min) == 0:
            raise InvalidValue("min must be more than 0 seconds.")
        if not_negative("max", self.max) < self.min:
            raise InvalidValue(f"max must not be less than min, got min={self.min:g} and max={self.max:g}.")
        if not_negative("multiplier", self.multiplier) < 1:
            raise InvalidValue(f"multiplier must be 1 or more, got {self.multiplier!r}.")
        if not 0 <= self.jitter <= 1:
            raise InvalidValue(f"jitter must be between 0 and 1, got {self.jitter!r}.")

    async def moments(self, context: PollContext) -> AsyncIterator[None]:
        """Yield after pauses that grow while nothing is found."""
        pause = self.min
        while True:
            found = await context.work(spread(pause, self.jitter))
            if not found:
                yield
                found = context.claimed > 0
            pause = self.min if found else min(self.max, pause * self.multiplier)


@dataclass(frozen=True, slots=True)
class OnStream:
    """Look at every item of an async iterator that ``factory`` makes: a broker's messages, a file's changes. What the items are does not matter.

    >>> async def messages() -> AsyncIterator[str]:
    ...     yield "something was pushed"
    >>> worker = app.worker(poll=[60, OnStream(messages)])
    """

    factory: Callable[[], AsyncIterator[Any]]

    def moments(self, context: PollContext) -> AsyncIterator[Any]:
        """A new iterator."""
        return self.factory()


@dataclass(frozen=True, slots=True)
class When:
    """Look when what ``factory`` gives for a PollContext is done; then it is asked again.

    >>> rings: asyncio.Queue[str] = asyncio.Queue()
    >>> worker = app.worker(poll=When(lambda context: rings.get()))
    """

    factory: Callable[[PollContext], Awaitable[Any]]

    async def moments(self, context: PollContext) -> AsyncIterator[Any]:
        """Yield whenever one is done."""
        while True:
            yield await self.factory(context)


Poll = float | Strategy | Sequence[float | Strategy]
"""What ``Worker(poll=…)`` takes: seconds, a strategy, or several that are raced."""


def strategies(poll: Poll) -> tuple[Strategy, ...]:
    """``poll`` as strategies. Raises InvalidValue for what is none."""
    several = poll if isinstance(poll, Sequence) and not isinstance(poll, str) else (poll,)
    if not several:
        raise InvalidValue("poll names no strategy. Give seconds, a strategy as Backoff(), or a list of them.")
    return tuple(_strategy(one) for one in several)


def _strategy(one: object) -> Strategy:
    if isinstance(one, Strategy) and not isinstance(one, type):
        return one
    if isinstance(one, int | float) and not isinstance(one, bool):
        return Interval(one)
    raise InvalidValue(f"poll must be seconds or a strategy, as Interval(5) or Backoff(), or a list of these, got {one!r}.")
