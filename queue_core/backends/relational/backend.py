"""The write contract on a relational store, as far as all of them do it in the same way."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from queue_core.backend import Rescued, Retention
from queue_core.backends.relational import scheduling, workers
from queue_core.backends.relational.expiry import expire_waiting
from queue_core.backends.relational.hub import ScheduleBell, WorkerBell
from queue_core.backends.relational.leases import checkpoint, progress, release, start
from queue_core.backends.relational.limiting import declare
from queue_core.backends.relational.retaining import prune
from queue_core.backends.relational.transaction import Store
from queue_core.backends.relational.waiting import wait_for
from queue_core.errors import InvalidValue
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.limits import Limits
from queue_core.schedule import DueSchedules, Schedule
from queue_core.task import Lease, Task, check_checkpoint
from queue_core.worker_info import Registration

S = TypeVar("S", bound=Store)


class RelationalBackend(Generic[S]):
    """``queue_core.backend.Backend`` but for capabilities, pushes, claims, acks, heartbeats and ``fire``; the contract says what each method does."""

    def __init__(self, store: S) -> None:
        self._store = store

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        await self._store.open()

    async def close(self) -> None:
        """Finish what was accepted, then disconnect."""
        await self._store.close()

    async def now(self) -> datetime:
        """The store's time."""
        return await self._store.now()

    def wait_for(self, ids: Sequence[TaskId], *, timeout: float | None = None) -> AsyncIterator[Task]:
        """Yield each task once, as it reaches a final state."""
        return wait_for(self._store, ids, timeout)

    # --- a worker's life -----------------------------------------------------------------------------

    async def register(self, worker: Registration) -> Rescued:
        """Record a process life of a worker."""
        return await self._store.write(workers.register, worker)

    async def deregister(self, boot: BootId) -> None:
        """Record that a worker ended properly."""
        await self._store.write(workers.deregister, boot)

    def wakeups(self, boot: BootId, queues: Sequence[QueueName]) -> WorkerBell:
        """Wake-ups for one worker."""
        return WorkerBell(self._store.hub, boot, queues)

    # --- limits ----------------------------------------------------------------------------------------

    async def declare(self, queue: QueueName, limits: Limits) -> None:
        """Let these be the limits of a queue."""
        await self._store.write(declare, queue, limits)

    # --- running tasks -------------------------------------------------------------------------------

    async def start(self, leases: Sequence[Lease]) -> list[bool]:
        """Queued → Running."""
        return await self._store.write_lightly(start, leases)

    async def release(self, leases: Sequence[Lease]) -> int:
        """Queued → Pending."""
        return await self._store.write(release, leases)

    async def progress(self, lease: Lease, fraction: float, note: str | None = None) -> bool:
        """Record how far an attempt is."""
        if not 0 <= fraction <= 1:
            raise InvalidValue(f"progress must be between 0 and 1, got {fraction!r}.")
        return await self._store.write_lightly(progress, lease, fraction, note)

    async def checkpoint(self, lease: Lease, data: bytes | None) -> bool:
        """Keep something for the next attempt."""
        check_checkpoint(data)
        return await self._store.write(checkpoint, lease, data)

    async def kill_requests(self, boot: BootId) -> list[Lease]:
        """The leases whose kill was asked for."""
        return [Lease(*row) for row in await self._store.rows("kill_requests", boot=boot)]

    async def leases(self, boot: BootId) -> list[Lease]:
        """Every lease of a worker."""
        return [Lease(*row) for row in await self._store.rows("leases", boot=boot)]

    # --- schedules -----------------------------------------------------------------------------------

    async def declare_schedules(self, schedules: Sequence[Schedule]) -> None:
        """Store schedules by name."""
        await self._store.write(scheduling.declare, schedules)

    async def due_schedules(self, *, limit: int = 100) -> DueSchedules:
        """What is due."""
        return await scheduling.due(self._store, limit)

    def schedule_wakeups(self) -> ScheduleBell:
        """Wake-ups for who fires schedules."""
        return ScheduleBell(self._store.hub)

    # --- housekeeping --------------------------------------------------------------------------------

    async def rescue(self) -> Rescued:
        """Take back what dead workers hold, batch by batch."""
        total, more = await self._store.write(workers.rescue)
        while more:
            rescued, more = await self._store.write(workers.rescue)
            total = Rescued(total.pending + rescued.pending, total.killed + rescued.killed, total.workers + rescued.workers)
        return total

    async def expire(self) -> int:
        """Kill waiting tasks whose time has passed."""
        return await self._store.write(expire_waiting)

    async def prune(self, retention: Retention) -> int:
        """Remove one batch of what retention no longer keeps."""
        return await prune(self._store, retention)
