"""The read-and-act contract on PostgreSQL."""

from collections.abc import Mapping, Sequence
from functools import partial

from queue_core.backends.postgres.backend import CAPABILITIES
from queue_core.backends.postgres.producing import push_in_transaction
from queue_core.backends.postgres.stores import Stores
from queue_core.backends.postgres.transaction import Transaction
from queue_core.backends.relational import managing, scheduling
from queue_core.backends.relational.expose import RelationalExpose
from queue_core.capabilities import Capabilities
from queue_core.codec import Codec
from queue_core.expose import Actor, QueueInfo
from queue_core.ids import QueueName
from queue_core.task import NewTask, Pushed


class PostgresExpose(RelationalExpose[Stores]):
    """``queue_core.expose.Expose`` on a schema of a PostgreSQL database; the contract says what each method does."""

    def __init__(self, store: Stores, codecs: Mapping[str, Codec]) -> None:
        super().__init__(store, "PostgresBackend", codecs)

    @property
    def kind(self) -> str:
        """What sort of store this is."""
        return "PostgreSQL"

    @property
    def capabilities(self) -> Capabilities:
        """Every part, for many machines."""
        return CAPABILITIES

    @property
    def location(self) -> str:
        """The database, without the password."""
        return self._store.address.shown

    async def pause(self, queue: QueueName, *, actor: Actor) -> QueueInfo:
        """Let no worker claim from a queue, nor finish a claim that is under way."""

        async def pause_alone(tx: Transaction) -> None:
            await tx.row("lock_queue", queue=queue)
            await managing.pause(tx, queue, actor)

        await self._store.operate(pause_alone)
        return await self._known(queue)

    async def push(self, tasks: Sequence[NewTask], *, actor: Actor) -> list[Pushed]:
        """Store tasks, recorded in the audit."""

        async def push_and_record(tx: Transaction) -> list[Pushed]:
            pushed = await push_in_transaction(tx, tasks)
            await managing.record_push(tx, actor, pushed)
            return pushed

        return await self._store.operate(push_and_record)

    async def run_schedule(self, name: str, *, actor: Actor) -> Pushed:
        """Push one task of a schedule now."""
        return await self._store.operate(lambda tx: scheduling.run(tx, name, actor, partial(push_in_transaction, tx)))
