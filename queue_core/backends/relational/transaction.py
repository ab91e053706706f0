"""What the shared rules ask of a relational store: statements by name, for reading and inside one write transaction.

Values are bound by the names of a statement's parameters. A list or a tuple is a list to look in, which each store encodes in its own way; JSON
that is to be stored comes as text. Text that the store cannot hold is bound with what is wrong in it made visible.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from queue_core.backends._rows import Row
from queue_core.backends.relational.hub import Hub
from queue_core.backends.relational.tally import Tally

T = TypeVar("T")
P = ParamSpec("P")


class Transaction(Protocol):
    """One write transaction. An operation awaits nothing but its transaction, and has no effect outside of it: it may be run again."""

    @property
    def now(self) -> int:
        """The store's now, in microseconds since 1970; the same throughout the transaction."""
        ...

    @property
    def tally(self) -> Tally:
        """What the operation adds to the numbers and says to the listeners, all at the end of the transaction."""
        ...

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the statement ``name`` returns."""
        ...

    async def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the statement ``name`` returns."""
        ...

    async def run(self, name: str, /, **values: Any) -> int:
        """Execute the statement ``name``; how many rows it changed."""
        ...

    async def many(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute the statement ``name`` for each of ``rows``."""
        ...


Operation = Callable[Concatenate[Transaction, P], Coroutine[Any, Any, T]]
"""What is done in one transaction."""


class Store(Protocol):
    """A store, shared by both contracts. Every method raises NotConnected while it is not open, and StoreUnavailable."""

    @property
    def hub(self) -> Hub:
        """Who listens to changes in this process."""
        ...

    @property
    def indexes_places(self) -> bool:
        """Whether all tasks can be read in the order of pushing, and not only those of one queue and state."""
        ...

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, then disconnect."""
        ...

    def check_open(self) -> None:
        """Raise NotConnected while the store is not open."""
        ...

    async def now(self) -> datetime:
        """The store's time: aware, UTC."""
        ...

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the reading statement ``name`` returns."""
        ...

    async def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the reading statement ``name`` returns."""
        ...

    async def write(self, operation: Operation[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """The result of ``operation(transaction, ...)``, once it is committed."""
        ...

    async def write_lightly(self, operation: Operation[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """As ``write``, for what a loss of power may undo (not the death of a process), because the store is right without it too."""
        ...
