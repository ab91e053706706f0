"""What time it is: the system's clock, and a hand-wound one for tests."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A source of the current time, always aware and in UTC."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class SystemClock:
    """The operating system's clock."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)


class HandWoundClock:
    """A clock that moves only when told to. Stores that were opened with it live in its time.

    >>> clock = HandWoundClock()
    >>> before = clock.now()
    >>> clock.advance(60)
    >>> (clock.now() - before).total_seconds()
    60.0
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, 12, tzinfo=UTC)
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """The time that the clock shows."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock on by ``seconds``; a negative number steps it back."""
        self._now += timedelta(seconds=seconds)
        for listener in list(self._listeners):
            listener()

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each move, so that timers can look again."""
        self._listeners.append(listener)

    async def advanced(self) -> None:
        """Wait for the next move, which may be made in any thread."""
        loop, moved = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(moved.set)

        self._listeners.append(tell)
        try:
            await moved.wait()
        finally:
            self._listeners.remove(tell)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 in UTC: how a moment is stored."""
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_us(us: int) -> datetime:
    """The moment that ``to_us`` stored."""
    return EPOCH + timedelta(microseconds=us)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
