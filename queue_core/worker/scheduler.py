"""What every worker does for schedules: it pushes their tasks when they are due, whoever declared them."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from queue_core.backend import Backend
from queue_core.errors import PriniaError, StoreUnavailable
from queue_core.schedule import DueSchedule, DueSchedules, plan
from queue_core.worker.loop import Loop, Report

AT_ONCE: Final = 100
"""How many schedules one look brings, beside those that cannot be fired here."""
TOGETHER: Final = 5
"""How many of them are fired at the same time."""
SOONEST: Final = 0.001
"""Seconds to wait at least for what is not due yet, however soon it is."""
_log = logging.getLogger("prinia.worker")


class Scheduler:
    """Sleeps until the next tick of any stored schedule, or until schedules change; looks again at least ``every`` seconds.

    ``caught_up`` is called when what was due is pushed.
    """

    def __init__(self, backend: Backend, *, every: float, caught_up: Callable[[], None], report: Report) -> None:
        self.is_behind = False
        """Whether more may be due than is pushed."""
        self._backend = backend
        self._every = every
        self._caught_up, self._report = caught_up, report
        self._unfit: dict[str, int] = {}
        """The schedules that are due and cannot be fired here, by name, with the version that this was said of."""
        self._wakeups = backend.schedule_wakeups() if backend.capabilities.schedules else None
        self._listening = contextlib.AsyncExitStack()
        self._listener = Loop("listener for schedules", self._listen, report=report)
        self._loop = Loop("scheduler", self._step, report=report)

    async def start(self) -> None:
        """Begin, where the store has schedules. What is due now is pushed once this returns, so that a worker which finds nothing to do has
        nothing to do.
        """
        if self._wakeups is None:
            return
        await self._listening.enter_async_context(self._wakeups)
        try:
            await self._step()
        except Exception as error:  # the loop tries again
            self._report("scheduler", error)
        self._listener.start()
        self._loop.start()

    async def stop(self) -> None:
        """End; a round under way is finished first, if that takes no longer than a second."""
        await self._listener.stop()
        await self._loop.stop(grace=1.0)
        await self._listening.aclose()

    async def _listen(self) -> float:
        assert self._wakeups is not None
        if await self._wakeups.wait(None):
            self._loop.wake()
        return 0.0

    async def _step(self) -> float:
        was_behind, pause = self.is_behind, self._every
        try:
            pause = await self._round()
        finally:
            self.is_behind = pause == 0.0
            if was_behind and not self.is_behind:
                self._caught_up()
        return pause

    async def _round(self) -> float:
        """Fire what is due; gives the seconds until more is. Schedules that cannot be fired here keep none of the others, however many they are."""
        limit = AT_ONCE + len(self._unfit)
        found = await self._backend.due_schedules(limit=limit)
        unfit: dict[str, int] = {}
        for start in range(0, len(found.due), TOGETHER):
            some = found.due[start : start + TOGETHER]
            answers = await asyncio.gather(*(self._fired(due, found) for due in some))
            for due, error in zip(some, answers, strict=True):
                if error is not None:
                    unfit[due.entry.name] = due.version
                    self._tell(due, error)
        self._unfit = unfit
        if len(found.due) > len(unfit) or len(found.due) >= limit:
            return 0.0
        return self._every if found.next_in is None else min(max(found.next_in, SOONEST), self._every)

    async def _fired(self, due: DueSchedule, found: DueSchedules) -> Exception | None:
        """Fire one; what is wrong with it, for others are due as well. Raises StoreUnavailable."""
        try:
            await self._fire(due, found)
        except StoreUnavailable:
            raise
        except Exception as error:
            return error
        return None

    async def _fire(self, due: DueSchedule, found: DueSchedules) -> None:
        schedule = due.entry.schedule()
        planned = plan(schedule.when, schedule.missed, due=due.due, now=found.now)
        await self._backend.fire(due, [(tick, schedule.at(tick)) for tick in planned.ticks], planned.next)

    def _tell(self, due: DueSchedule, error: Exception) -> None:
        """Say why a schedule cannot be fired: once for each declaration, though it is looked at again and again."""
        if self._unfit.get(due.entry.name) != due.version:
            trace = None if isinstance(error, PriniaError) else error
            _log.error("The schedule %s is due, and this worker cannot push its task: %s", due.entry.name, error, exc_info=trace)
