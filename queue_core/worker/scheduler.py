"""What every worker does for schedules: it pushes their tasks when they are due, whoever declared them."""

import contextlib
from collections.abc import Sequence
from typing import Final

from queue_core.backend import Backend
from queue_core.errors import InvalidValue
from queue_core.schedule import DueSchedule, DueSchedules, Schedule, plan
from queue_core.worker.loop import Loop, Report

SOONEST: Final = 0.001
"""Seconds to wait at least for what is not due yet, however soon it is."""


class Scheduler:
    """Sleeps until the next tick of any stored schedule, or until schedules change; looks again at least ``every`` seconds."""

    def __init__(self, backend: Backend, schedules: Sequence[Schedule], *, every: float, report: Report) -> None:
        self._backend, self._schedules = backend, schedules
        self._every = every
        self._report = report
        self._wakeups = backend.schedule_wakeups()
        self._listening = contextlib.AsyncExitStack()
        self._listener = Loop("listener for schedules", self._listen, report=report)
        self._loop = Loop("scheduler", self._step, report=report)

    async def declare(self) -> None:
        """Store the schedules of the worker's app. Raises StoreUnavailable."""
        if self._schedules:
            await self._backend.declare_schedules(self._schedules)

    async def start(self) -> None:
        """Begin. What is due now is pushed once this returns, so that a worker which finds nothing to do has nothing to do."""
        await self._listening.enter_async_context(self._wakeups)
        try:
            await self._round()
        except Exception as error:  # the loop tries again
            self._report("scheduler", error)
        self._listener.start()
        self._loop.start()

    async def stop(self) -> None:
        """End; a round under way is finished first, if that takes no longer than a second."""
        await self._listener.stop()
        await self._loop.stop(grace=1.0)
        await self._listening.aclose()

    async def _step(self) -> float:
        found = await self._round()
        if found.due:
            return 0.0
        return self._every if found.next_in is None else min(max(found.next_in, SOONEST), self._every)

    async def _listen(self) -> float:
        if await self._wakeups.wait(None):
            self._loop.wake()
        return 0.0

    async def _round(self) -> DueSchedules:
        """Fire what is due. One schedule that cannot be read here keeps none of the others; it is told of at the end."""
        found = await self._backend.due_schedules()
        unreadable: InvalidValue | None = None
        for due in found.due:
            try:
                await self._fire(due, found)
            except InvalidValue as error:
                unreadable = error
        if unreadable is not None:
            raise unreadable
        return found

    async def _fire(self, due: DueSchedule, found: DueSchedules) -> None:
        schedule = due.entry.schedule()
        planned = plan(schedule.when, schedule.missed, due=due.due, now=found.now)
        await self._backend.fire(due, [(tick, schedule.at(tick)) for tick in planned.ticks], planned.next)
