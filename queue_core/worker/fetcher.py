"""Claims tasks on demand: never more than can run now."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from queue_core.backend import Backend
from queue_core.backoff import spread
from queue_core.ids import BootId, QueueName
from queue_core.outcome import Ack, Deferred, Released, settle
from queue_core.task import Claim
from queue_core.worker.acker import MAX_BATCH, Acker
from queue_core.worker.gates import Gates
from queue_core.worker.loop import Loop, Report
from queue_core.worker.quota import Quota
from queue_core.worker.running import Running

SHORTEST: Final = 0.001
"""Seconds; a store whose clock stands still must not keep the worker busy."""
GATHER: Final = 0.002
"""Seconds that a freed slot of a busy worker may wait for others, so that one claim fills several."""


SUSPICIOUS: Final = 2
"""Crashes from which on a task is kept apart from others like it."""
PUT_OFF: Final = 2.0
"""Seconds, give or take half of it, for which a suspect waits while another one runs."""


class Fetcher:
    """Looks for due tasks when slots are free and: the store said so, the next one comes due, or a polling strategy says so.

    ``timed``: whether it wakes by itself when the next task comes due. ``looked`` hears how many tasks each claim brought, and
    whether another look was asked for meanwhile.
    """

    def __init__(
        self,
        backend: Backend,
        boot: BootId,
        *,
        queues: Sequence[QueueName],
        names: Sequence[str],
        running: Running,
        timed: bool,
        looked: Callable[[int, bool], None],
        gates: Gates,
        quota: Quota,
        acker: Acker,
        launch: Callable[[Claim], None],
        idle: Callable[[], None],
        report: Report,
    ) -> None:
        self._backend, self._boot = backend, boot
        self._queues, self._names = tuple(queues), frozenset(names)
        self._running = running
        self._timed, self._looked = timed, looked
        self._gates, self._quota = gates or None, quota
        self._acker, self._launch, self._idle = acker, launch, idle
        self._hungry = True
        self._paused = False
        self._closed = False
        self._gathering = False
        self._loop = Loop("fetcher", self._round, report=report)
        running.on_freed(self._slot_freed)

    def start(self) -> None:
        """Begin to claim."""
        self._loop.start()

    def look(self) -> None:
        """There may be something due."""
        self._hungry = True
        self._loop.wake()

    def pause(self) -> None:
        """Claim nothing until ``resume``."""
        self._paused = True

    def resume(self) -> None:
        """Claim again."""
        self._paused = False
        self.look()

    async def close(self, *, grace: float) -> None:
        """Claim nothing more; a claim under way may take ``grace`` seconds, and what it still brings is given back."""
        self._closed = True
        await self._loop.stop(grace=grace)

    def _slot_freed(self) -> None:
        if not self._hungry or self._paused:
            return
        if self._running.free * 2 >= self._running.capacity:
            self._loop.wake()
        elif not self._gathering:
            self._gathering = True
            asyncio.get_running_loop().call_later(GATHER, self._gathered)

    def _gathered(self) -> None:
        self._gathering = False
        self._loop.wake()

    async def _round(self) -> float | None:
        free = self._quota.room(self._running.free)
        if free <= 0 or self._paused or self._closed:
            self._hungry = True
            return None
        if len(self._acker) >= max(MAX_BATCH, 2 * self._running.capacity):
            self._hungry = True
            return GATHER * 10  # what ended is not stored yet: let the store catch up, so that a crash can repeat but little
        if self._loop.is_troubled:
            await self._reconcile()
        return await (self._claim(free, self._names) if self._gates is None else self._claim_through(self._gates, free))

    async def _claim_through(self, gates: Gates, free: int) -> float | None:
        """Claim no more than may start now; until a gate or a polling strategy says that more may, there is nothing to do."""
        room = gates.room(free)
        closed = gates.closed_names() & self._names
        names = self._names - closed if closed else self._names
        if room > 0 and names:
            return await self._claim(room, names)
        self._looked(0, False)
        self._hungry = True
        return None

    async def _claim(self, limit: int, names: frozenset[str]) -> float | None:
        quiet = not len(self._running) and not len(self._acker)
        self._hungry = False
        try:
            claims = await self._backend.claim(self._boot, self._queues, names=names, limit=limit, start=limit)
        except BaseException:
            self._hungry = True
            raise
        self._looked(len(claims.tasks), self._hungry)
        for claim in await self._without_surplus_suspects(claims.tasks):
            self._launch(claim)
        if len(claims.tasks) >= limit:
            self._hungry = True
            return None if self._running.free <= 0 else 0.0
        if quiet and not claims.tasks and names is self._names:
            self._idle()
        return self._pause(claims.next_due)

    async def _without_surplus_suspects(self, claims: list[Claim]) -> list[Claim]:
        """Those of ``claims`` that may run now: of tasks that workers keep dying under, one at a time, and only once the others are put off.

        One of them kills the process, the others were only near. Together they would all be found guilty.
        """
        suspects = [claim for claim in claims if claim.crashes >= SUSPICIOUS]
        if not suspects:
            return claims
        is_one_running = any(run.claim.crashes >= SUSPICIOUS for run in self._running)
        surplus = suspects if is_one_running else suspects[1:]
        if surplus:
            await self._backend.ack([_put_off(claim) for claim in surplus])
        return [claim for claim in claims if claim not in surplus]

    def _pause(self, next_due: float | None) -> float | None:
        if self._hungry:  # something came while the store was asked
            return 0.0
        return max(next_due, SHORTEST) if self._timed and next_due is not None else None

    async def _reconcile(self) -> None:
        """After trouble, give back what the store counts as ours and we do not know of: a claim whose answer was lost."""
        known = {run.claim.lease for run in self._running} | self._acker.leases
        strays = [lease for lease in await self._backend.leases(self._boot) if lease not in known]
        if not strays:
            return
        await self._backend.release(strays)
        await self._backend.ack([settle(lease, Released(), attempt=1, max_attempts=1, ran_for=0.0) for lease in strays])


def _put_off(claim: Claim) -> Ack:
    return settle(claim.lease, Deferred(spread(PUT_OFF, 0.5)), attempt=claim.attempt, max_attempts=claim.max_attempts, ran_for=0.0)
