"""Shared operations on SQLite. They are coroutines, and the writer, which has no event loop, runs them like functions."""

from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from queue_core.backends._rows import Row
from queue_core.backends.relational.tally import Tally
from queue_core.backends.relational.transaction import Operation
from queue_core.backends.sqlite.binding import bindable
from queue_core.backends.sqlite.transaction import Transaction

T = TypeVar("T")
P = ParamSpec("P")


def perform(tx: Transaction, operation: Operation[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
    """What the shared ``operation`` returns, done in ``tx``."""
    return drive(operation(_Awaited(tx), *arguments, **named))


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run ``coroutine`` to its end, here and now.

    Sound because an operation awaits nothing but its transaction, which answers without suspending: so the first step is the last. Raises
    RuntimeError for a coroutine that does suspend.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    coroutine.close()
    raise RuntimeError("An operation on the store waited for something else than its transaction. Await that before the operation.")


class _Awaited:
    """A transaction as shared operations know it."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    @property
    def now(self) -> int:
        return self._tx.now

    @property
    def tally(self) -> Tally:
        return self._tx.tally

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        return self._tx.rows(name, **bindable(values))

    async def row(self, name: str, /, **values: Any) -> Row | None:
        return self._tx.row(name, **bindable(values))

    async def run(self, name: str, /, **values: Any) -> int:
        return self._tx.run(name, **bindable(values))

    async def many(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        self._tx.many(name, [bindable(row) for row in rows])
