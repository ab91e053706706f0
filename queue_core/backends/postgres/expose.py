"""The read-and-act contract on PostgreSQL."""

from collections.abc import Sequence

from queue_core.backends.postgres.producing import push_in_transaction
from queue_core.backends.postgres.store import Store
from queue_core.backends.postgres.transaction import Transaction
from queue_core.backends.relational.expose import RelationalExpose
from queue_core.backends.relational.managing import record_push
from queue_core.expose import Actor
from queue_core.task import NewTask, Pushed


class PostgresExpose(RelationalExpose[Store]):
    """``queue_core.expose.Expose`` on a schema of a PostgreSQL database; the contract says what each method does."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "PostgresBackend")

    @property
    def kind(self) -> str:
        """What sort of store this is."""
        return "PostgreSQL"

    @property
    def location(self) -> str:
        """The database, without the password."""
        return self._store.address.shown

    async def push(self, tasks: Sequence[NewTask], *, actor: Actor) -> list[Pushed]:
        """Store tasks, recorded in the audit."""

        async def push_and_record(tx: Transaction) -> list[Pushed]:
            pushed = await push_in_transaction(tx, tasks)
            await record_push(tx, actor, pushed)
            return pushed

        return await self._store.operate(push_and_record)
