"""Tells listeners what happens in a worker. A listener's error harms nobody else."""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from queue_core.errors import InvalidValue
from queue_core.events import Event

Listener = Callable[[Event], object]
"""A function of an event, plain or ``async``. An async one is never called for two events at once, and may be behind."""
MAX_BACKLOG: Final = 10_000
"""Events that a slow reader or async listener may be behind; older ones are dropped."""
_log = logging.getLogger("prinia.worker")


class Announcer:
    """Passes events to listeners, in order, on the event loop."""

    def __init__(self, listeners: tuple[Listener, ...] = ()) -> None:
        self._listeners = list(listeners)
        self._lines: dict[int, Line] = {}

    def __bool__(self) -> bool:
        """Whether anybody listens; without, no event needs to be made."""
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        """Tell ``listener`` of everything from now on."""
        self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """Tell ``listener`` nothing more. Raises InvalidValue when it does not listen."""
        if listener not in self._listeners:
            raise InvalidValue(f"{listener!r} does not listen, so it cannot stop to.")
        self._listeners.remove(listener)

    def say(self, event: Event) -> None:
        """Tell everybody."""
        for listener in list(self._listeners):
            try:
                answer = listener(event)
            except BaseException:  # even SystemExit of a listener must not keep a task from its ack
                _failed(listener, event)
            else:
                if answer is not None and inspect.isawaitable(answer):
                    self._lines.setdefault(id(listener), Line(listener)).append(event, answer)

    async def finish(self, *, grace: float) -> None:
        """Wait until async listeners have heard everything, at most ``grace`` seconds; then they hear no more."""
        lines, self._lines = list(self._lines.values()), {}
        telling = [line.telling for line in lines if line.telling is not None]
        if telling and (late := (await asyncio.wait(telling, timeout=grace))[1]):
            _log.warning("An event listener is still busy after %g s; it is cancelled, and misses the last events.", grace)
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=grace)
        for line in lines:
            line.drop()


class Line:
    """The events that one async listener has not heard yet, in order."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._waiting: deque[tuple[Event, Awaitable[object]]] = deque()
        self.telling: asyncio.Task[None] | None = None

    def append(self, event: Event, answer: Awaitable[object]) -> None:
        """Await ``answer`` after those before."""
        if len(self._waiting) >= MAX_BACKLOG:
            _close(self._waiting.popleft()[1])
        self._waiting.append((event, answer))
        if self.telling is None or self.telling.done():
            self.telling = asyncio.get_running_loop().create_task(self._tell(), name="prinia-listener")

    def drop(self) -> None:
        """Forget what waits."""
        while self._waiting:
            _close(self._waiting.popleft()[1])

    async def _tell(self) -> None:
        while self._waiting:
            event, answer = self._waiting.popleft()
            try:
                await answer
            except asyncio.CancelledError:
                raise
            except BaseException:
                _failed(self._listener, event)


def _failed(listener: Listener, event: Event) -> None:
    _log.exception("The event listener %r failed at %s; the worker goes on.", listener, type(event).__name__)


def _close(answer: Awaitable[object]) -> None:
    if inspect.iscoroutine(answer):
        answer.close()
