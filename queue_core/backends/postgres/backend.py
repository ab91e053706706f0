"""The write contract on PostgreSQL: pushes, claims, acks and heartbeats have connections of their own, the rest is that of all relational stores."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final

from queue_core.backend import Capabilities, Claims, Rescued, Retention
from queue_core.backends.postgres.joining import push_in
from queue_core.backends.postgres.producing import push_in_transaction
from queue_core.backends.postgres.stores import Stores
from queue_core.backends.relational import limiting, scheduling, workers
from queue_core.backends.relational.backend import RelationalBackend
from queue_core.backends.relational.transaction import Transaction
from queue_core.errors import StoreUnavailable
from queue_core.ids import BootId, QueueName
from queue_core.limits import Limits
from queue_core.logs import LogLine
from queue_core.outcome import Ack
from queue_core.schedule import DueSchedule
from queue_core.task import Lease, NewTask, Pushed
from queue_core.worker_info import Beat, BeatReply, Registration

CAPABILITIES: Final = Capabilities(
    persistent=True,
    cross_process=True,
    transactions=("asyncpg", "psycopg", "sqlalchemy"),
    schedules=True,
    logs=True,
    limits=True,
    checkpoints=True,
    updates=True,
    key_rules=True,
)


class PostgresBackend(RelationalBackend[Stores]):
    """``queue_core.backend.Backend`` on a schema of a PostgreSQL database; the contract says what each method does."""

    @property
    def capabilities(self) -> Capabilities:
        """Persistent, and shared by many machines."""
        return CAPABILITIES

    async def push(self, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store tasks as Pending, all or none."""
        return await self._store.do(lambda store: store.pusher.push(tasks))

    async def push_in(self, connection: Any, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store tasks in the caller's transaction on the same database."""
        queues = {task.queue for task in tasks}
        with suppress(StoreUnavailable):  # then the caller's transaction names them, and others wait for its end
            await self._store.do(lambda store: store.name_queues(queues))
        return await push_in(self._store.here, connection, tasks)

    async def register(self, worker: Registration) -> Rescued:
        """Record a process life of a worker."""
        await self._store.prepare_for_work()
        return await self._store.write(_register_in_turn, worker)

    async def prune(self, retention: Retention) -> int:
        """Remove one batch of what retention no longer keeps, from the numbers too once they are added up."""
        await self._store.do(lambda store: store.folding.fold())
        return await super().prune(retention)

    def heartbeat(self, beat: Beat) -> BeatReply:
        """Renew the leases of a process life; blocks."""
        return self._store.pulse.beat(beat)

    async def declare(self, queue: QueueName, limits: Limits) -> None:
        """Let these be the limits of a queue, and no claim be under way that keeps to those before."""
        await self._store.write(_declare_alone, queue, limits)

    async def claim(self, boot: BootId, queues: Sequence[QueueName], *, names: Collection[str] | None, limit: int, start: int = 0) -> Claims:
        """Lease due tasks to a worker."""
        return await self._store.do(lambda store: store.claimer.claim(boot, queues, names, max(limit, 0), max(start, 0)))

    async def fire(self, due: DueSchedule, tasks: Sequence[tuple[datetime, NewTask]], next_tick: datetime | None) -> bool:
        """Push the task of each tick, if nobody did."""
        return await self._store.operate(lambda tx: scheduling.fire(tx, due, tasks, next_tick, partial(push_in_transaction, tx)))

    async def ack(self, acks: Sequence[Ack]) -> list[bool]:
        """Store how attempts ended."""
        return await self._store.do(lambda store: store.acker.ack(acks))

    async def log(self, lines: Sequence[tuple[Lease, LogLine]]) -> int:
        """Keep what running attempts logged."""
        return await self._store.do(lambda store: store.logger.log(lines))


async def _declare_alone(tx: Transaction, queue: QueueName, limits: Limits) -> None:
    await tx.row("lock_to_declare", queue=queue, **limiting.stored(limits))
    await limiting.declare(tx, queue, limits)


async def _register_in_turn(tx: Transaction, worker: Registration) -> Rescued:
    """Two processes that would use the same name register one after the other, so that the second sees the first."""
    await tx.row("lock_name", name=worker.name)
    return await workers.register(tx, worker)
