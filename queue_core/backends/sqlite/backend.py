"""The write contract on SQLite: its busiest operations are functions of their own, the others are those of all relational stores."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from queue_core.backend import Capabilities, Claims
from queue_core.backends.relational import logs, scheduling, workers
from queue_core.backends.relational.backend import RelationalBackend
from queue_core.backends.sqlite import leasing
from queue_core.backends.sqlite.joining import push_in
from queue_core.backends.sqlite.producing import prepare, pushing
from queue_core.backends.sqlite.sharing import perform
from queue_core.backends.sqlite.store import Store
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.ids import BootId, QueueName
from queue_core.logs import LogLine
from queue_core.outcome import Ack
from queue_core.schedule import DueSchedule
from queue_core.task import Lease, NewTask, Pushed
from queue_core.worker_info import Beat, BeatReply

CAPABILITIES: Final = Capabilities(
    persistent=True,
    cross_process=True,
    transactions=("sqlite3", "aiosqlite"),
    schedules=True,
    logs=True,
    limits=True,
    checkpoints=True,
    updates=True,
    key_rules=True,
)


class SqliteBackend(RelationalBackend[Store]):
    """``queue_core.backend.Backend`` on one SQLite file; the contract says what each method does."""

    @property
    def capabilities(self) -> Capabilities:
        """Persistent, and shared by the processes of one machine."""
        return CAPABILITIES

    async def push(self, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store tasks as Pending, all or none."""
        return await self._store.operate(prepare(tasks))

    async def push_in(self, connection: Any, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store tasks in the caller's transaction on the same file."""
        return await push_in(self._store, connection, tasks)

    def heartbeat(self, beat: Beat) -> BeatReply:
        """Renew the leases of a process life; blocks."""

        def renew(tx: Transaction) -> BeatReply:
            return perform(tx, workers.beat, beat)

        return self._store.writer.submit_and_wait(renew)

    async def claim(self, boot: BootId, queues: Sequence[QueueName], *, names: Collection[str] | None, limit: int, start: int = 0) -> Claims:
        """Lease due tasks to a worker."""
        return await self._store.operate_lightly(leasing.claim, boot, queues, names, max(limit, 0), max(start, 0))

    async def fire(self, due: DueSchedule, tasks: Sequence[tuple[datetime, NewTask]], next_tick: datetime | None) -> bool:
        """Push the task of each tick, if nobody did."""
        return await self._store.operate(lambda tx: perform(tx, scheduling.fire, due, tasks, next_tick, pushing(tx)))

    async def ack(self, acks: Sequence[Ack]) -> list[bool]:
        """Store how attempts ended."""
        return await self._store.operate(leasing.ack, acks)

    async def log(self, lines: Sequence[tuple[Lease, LogLine]]) -> int:
        """Keep what running attempts logged."""
        return await self._store.write_lightly(logs.log, lines)
