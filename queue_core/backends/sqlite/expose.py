"""The read-and-act contract on SQLite."""

from collections.abc import Mapping, Sequence

from queue_core.backends.relational import scheduling
from queue_core.backends.relational.expose import RelationalExpose
from queue_core.backends.relational.managing import record_push
from queue_core.backends.sqlite.backend import CAPABILITIES
from queue_core.backends.sqlite.producing import prepare, pushing
from queue_core.backends.sqlite.sharing import perform
from queue_core.backends.sqlite.store import Store
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.capabilities import Capabilities
from queue_core.codec import Codec
from queue_core.expose import Actor
from queue_core.task import NewTask, Pushed


class SqliteExpose(RelationalExpose[Store]):
    """``queue_core.expose.Expose`` on one SQLite file; the contract says what each method does."""

    def __init__(self, store: Store, codecs: Mapping[str, Codec]) -> None:
        super().__init__(store, "SqliteBackend", codecs)

    @property
    def kind(self) -> str:
        """What sort of store this is."""
        return "SQLite"

    @property
    def capabilities(self) -> Capabilities:
        """Every part, for the processes of one machine."""
        return CAPABILITIES

    @property
    def location(self) -> str:
        """The file."""
        return str(self._store.path)

    async def push(self, tasks: Sequence[NewTask], *, actor: Actor) -> list[Pushed]:
        """Store tasks, recorded in the audit."""
        push = prepare(tasks)

        def push_and_record(tx: Transaction) -> list[Pushed]:
            pushed = push(tx)
            perform(tx, record_push, actor, pushed)
            return pushed

        return await self._store.operate(push_and_record)

    async def run_schedule(self, name: str, *, actor: Actor) -> Pushed:
        """Push one task of a schedule now."""
        return await self._store.operate(lambda tx: perform(tx, scheduling.run, name, actor, pushing(tx)))
