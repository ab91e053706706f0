"""The write contract on SQLite."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from queue_core.backend import Capabilities, Claims, Rescued, Retention
from queue_core.backends.relational.hub import WorkerBell
from queue_core.backends.sqlite import leasing, workers
from queue_core.backends.sqlite.expiry import expire_waiting
from queue_core.backends.sqlite.joining import push_in
from queue_core.backends.sqlite.producing import prepare
from queue_core.backends.sqlite.retaining import prune
from queue_core.backends.sqlite.store import Store
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.backends.sqlite.waiting import wait_for
from queue_core.errors import InvalidValue
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.outcome import Ack
from queue_core.task import Lease, NewTask, Pushed, Task
from queue_core.worker_info import Beat, BeatReply, Registration

CAPABILITIES: Final = Capabilities(persistent=True, cross_process=True, transactions=("sqlite3", "aiosqlite"))


class SqliteBackend:
    """``queue_core.backend.Backend`` on one SQLite file; the contract says what each method does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def capabilities(self) -> Capabilities:
        """Persistent, and shared by the processes of one machine."""
        return CAPABILITIES

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        await self._store.open()

    async def close(self) -> None:
        """Finish what was accepted, then disconnect."""
        await self._store.close()

    async def now(self) -> datetime:
        """The store's time."""
        return self._store.now()

    # --- producers -----------------------------------------------------------------------------------

    async def push(self, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store tasks as Pending, all or none."""
        return await self._store.write(prepare(tasks))

    async def push_in(self, connection: Any, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store tasks in the caller's transaction on the same file."""
        return await push_in(self._store, connection, tasks)

    def wait_for(self, ids: Sequence[TaskId], *, timeout: float | None = None) -> AsyncIterator[Task]:
        """Yield each task once, as it reaches a final state."""
        return wait_for(self._store, ids, timeout)

    # --- a worker's life -----------------------------------------------------------------------------

    async def register(self, worker: Registration) -> Rescued:
        """Record a process life of a worker."""
        return await self._store.write(workers.register, worker)

    def heartbeat(self, beat: Beat) -> BeatReply:
        """Renew the leases of a process life; blocks."""

        def renew(tx: Transaction) -> BeatReply:
            return workers.beat(tx, beat)

        return self._store.writer.submit_and_wait(renew)

    async def deregister(self, boot: BootId) -> None:
        """Record that a worker ended properly."""
        await self._store.write(workers.deregister, boot)

    def wakeups(self, boot: BootId, queues: Sequence[QueueName]) -> WorkerBell:
        """Wake-ups for one worker."""
        return WorkerBell(self._store.hub, boot, queues)

    # --- running tasks -------------------------------------------------------------------------------

    async def claim(self, boot: BootId, queues: Sequence[QueueName], *, names: Collection[str] | None, limit: int, start: int = 0) -> Claims:
        """Lease due tasks to a worker."""
        return await self._store.write_lightly(leasing.claim, boot, queues, names, max(limit, 0), max(start, 0))

    async def start(self, leases: Sequence[Lease]) -> list[bool]:
        """Queued → Running."""
        return await self._store.write_lightly(leasing.start, leases)

    async def ack(self, acks: Sequence[Ack]) -> list[bool]:
        """Store how attempts ended."""
        return await self._store.write(leasing.ack, acks)

    async def release(self, leases: Sequence[Lease]) -> int:
        """Queued → Pending."""
        return await self._store.write(leasing.release, leases)

    async def progress(self, lease: Lease, fraction: float, note: str | None = None) -> bool:
        """Record how far an attempt is."""
        if not 0 <= fraction <= 1:
            raise InvalidValue(f"progress must be between 0 and 1, got {fraction!r}.")
        return await self._store.write_lightly(leasing.progress, lease, fraction, note)

    async def kill_requests(self, boot: BootId) -> list[Lease]:
        """The leases whose kill was asked for."""
        return [Lease(*row) for row in await self._store.rows("kill_requests", boot=boot)]

    async def leases(self, boot: BootId) -> list[Lease]:
        """Every lease of a worker."""
        return [Lease(*row) for row in await self._store.rows("leases", boot=boot)]

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
