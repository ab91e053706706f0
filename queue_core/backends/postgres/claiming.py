"""Claims of the workers of a process, one after the other on a connection of their own: so they need not wait for acks that wait for the disk."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, NamedTuple

from queue_core.backend import Claims
from queue_core.backends import _rows
from queue_core.backends.postgres.binding import bindable, compiled
from queue_core.backends.postgres.line import Line
from queue_core.backends.relational.tally import Changes
from queue_core.errors import PriniaError
from queue_core.expose import queue_topic
from queue_core.ids import BootId, QueueName

LOW_FROM: Final = 20
"""From how many tasks on a full claim is a backlog, of which the next claim skips what was taken."""
LOW_FOR: Final = 1.0
"""Seconds after which a claim looks at everything again, because something may have come in behind."""


class Low(NamedTuple):
    """Where a backlog begins: nothing due stands before it, as far as is known."""

    rank: int
    run_at: int
    seq: int


NO_LOW: Final = (None, None, None)


class Claimer:
    """Leases due tasks. ``clock`` gives the time of a test's clock, or None for the server's. ``told`` hears of what was committed; ``expire``
    ends tasks whose time has passed.
    """

    def __init__(
        self, line: Line, clock: Callable[[], int | None], told: Callable[[Changes, bool], None], expire: Callable[[], Awaitable[int]]
    ) -> None:
        self._line, self._clock, self._told, self._expire = line, clock, told, expire
        self._low: dict[BootId, tuple[Low, float]] = {}
        self.limited: set[str] = set()
        """Queues with a limit of their own, as far as claims of this process have met them: an end there lets another task in."""

    async def claim(self, boot: BootId, queues: Sequence[QueueName], names: Collection[str] | None, limit: int, start: int) -> Claims:
        """Lease due tasks; see ``Backend.claim``."""
        sql, _ = compiled("claim", self._line.schema)
        low = self._low_of(boot)
        wanted = None if names is None else sorted(names)
        *leased, end = await self._line.fetch(sql, self._clock(), boot, bindable(list(queues)), wanted, limit, start, *(low or NO_LOW))
        limits = None
        if leased and leased[-1]["id"] is None:
            end, limits = leased.pop(), end
            self.limited.update(limits["limited"] or ())
        self._told(Changes({queue_topic(row["queue"]): 0 for row in leased}), True)
        self._remember(boot, leased, limit)
        if end["overdue"]:
            with contextlib.suppress(PriniaError):  # the housekeeping does it too
                await self._expire()  # and where that makes room in a group, workers are woken
        tasks = [_rows.claim(row) for row in leased]
        if low is not None and len(tasks) < limit:
            return Claims(tasks, 0.0)  # look at once, at all of it
        times = [row["next_due"] for row in (end, limits) if row is not None and row["next_due"] is not None]
        return Claims(tasks, max(0.0, min(times) / 1_000_000) if times else None)

    def look_at_all(self) -> None:
        """Something may wait before the place where the backlog began."""
        self._low.clear()

    def _low_of(self, boot: BootId) -> Low | None:
        low, until = self._low.get(boot, (None, 0.0))
        if asyncio.get_running_loop().time() < until:
            return low
        self._low.pop(boot, None)
        return None

    def _remember(self, boot: BootId, leased: Sequence[Any], limit: int) -> None:
        """After a full claim of a backlog, where it began; after any other, nothing."""
        if len(leased) < max(limit, LOW_FROM):
            self._low.pop(boot, None)
            return
        first = leased[0]
        _, until = self._low.get(boot, (None, asyncio.get_running_loop().time() + LOW_FOR))
        self._low[boot] = Low(-first["priority"], first["run_at"], first["seq"]), until
