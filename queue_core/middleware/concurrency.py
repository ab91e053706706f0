"""Limits how many runs go on at once in this process."""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Collection, Hashable
from typing import Any

from queue_core.backoff import spread
from queue_core.errors import DeferredError, not_negative
from queue_core.middleware import Call, Gate, Next
from queue_core.middleware.sharing import By, check_by, check_count, in_words, is_first_visit, key_of


class Concurrency(Gate):
    """Lets at most ``most`` runs go on at once, over all workers of this process that have the same object.

    ``by``: whether all share the limit (None), or those of one name (``"name"``), of one queue, or with the same value of a function of the
    call, as ``by=lambda call: call.arguments["customer"]``. What is over the limit stays in the store. Where it cannot be known before a
    claim, because the limit is not one over all, what was claimed beyond it goes back for about ``back`` seconds, and no attempt is used.
    A run that comes again, because Retries is further out, waits for its turn.

    Raises InvalidValue for settings that break a rule.

    >>> gentle = Concurrency(2, by="name")
    """

    def __init__(self, most: int, *, by: By = None, back: float = 1.0) -> None:
        check_count("most", most)
        check_by(by)
        self._most, self._back = most, not_negative("back", back)
        self._by: By = by
        self._lock = threading.Lock()
        self._lines: defaultdict[Hashable, Line] = defaultdict(Line)

    def room(self) -> int | None:
        """How many more may start, where one limit is over all."""
        with self._lock:
            return self._most - self._lines[None].taken if self._by is None else None

    def closed_names(self) -> Collection[str]:
        """The names that have their number, where each name has a limit."""
        with self._lock:
            return [str(name) for name, line in self._lines.items() if line.taken >= self._most] if self._by == "name" else ()

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, within the limit."""
        key = key_of(call, self._by)
        await self._enter(call, key)
        try:
            return await next(call)
        finally:
            self._leave(key)

    async def _enter(self, call: Call, key: Hashable) -> None:
        first = is_first_visit(call, self)
        with self._lock:
            line = self._lines[key]
            if line.taken < self._most:
                line.taken += 1
                return
            if first:
                raise DeferredError(f"{self._most} runs{in_words(key)} go on already.", delay=spread(self._back, 0.5))
            turn = asyncio.get_running_loop().create_future()
            line.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._give_up(key, turn)
            raise

    def _give_up(self, key: Hashable, turn: "asyncio.Future[None]") -> None:
        with self._lock:
            waiting = self._lines[key].waiting
            if turn in waiting:
                waiting.remove(turn)
                return
        self._leave(key)  # it was this run's turn already

    def _leave(self, key: Hashable) -> None:
        with self._lock:
            line = self._lines[key]
            if line.waiting:
                turn = line.waiting.popleft()
                turn.get_loop().call_soon_threadsafe(_take, turn)
                return
            line.taken -= 1
            if not line.taken:
                del self._lines[key]
        self.changed()


class Line:
    """Who shares one limit: how many run, and the runs that wait for their turn."""

    __slots__ = ("taken", "waiting")

    def __init__(self) -> None:
        self.taken = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


def _take(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
