"""Why a push cannot join a transaction, in words for people."""

import re
from dataclasses import dataclass
from typing import Final

from queue_core.backends.postgres.address import Address
from queue_core.errors import InvalidValue, PriniaError, StoreUnavailable

_TAKEN = re.compile(r"\(id\)=\((.*)\)")
_CAUSES: Final = {
    "40001": "it was in the way of another transaction",
    "40P01": "it was in the way of another transaction",
    "55P03": "another transaction holds a lock for too long",
    "57014": "it was cancelled, or took longer than the connection allows",
}
_TAKING: Final = {
    ("asyncpg", "Pool"): "async with pool.acquire() as connection, connection.transaction(): …",
    ("psycopg_pool", "ConnectionPool"): "with pool.connection() as connection: …",
    ("psycopg_pool", "AsyncConnectionPool"): "async with pool.connection() as connection: …",
    ("sqlalchemy", "Engine"): "with engine.begin() as connection: …",
    ("sqlalchemy", "AsyncEngine"): "async with engine.begin() as connection: …",
    ("sqlalchemy", "sessionmaker"): "with make_session.begin() as session: …",
    ("sqlalchemy", "async_sessionmaker"): "async with make_session.begin() as session: …",
}
"""How to come by a connection with a transaction, by package and class of what makes them."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a driver's error says: the server's code, or none where it is the driver's own, and words."""

    code: str
    words: str
    is_misuse: bool = False
    """The connection is used in a way that the driver forbids."""


def refusal(complaint: Complaint, address: Address) -> PriniaError:
    """``complaint`` as an error of Prinia's: InvalidValue for what no repetition mends, else StoreUnavailable."""
    words = complaint.words.strip().partition("\n")[0].rstrip(".") or "it says no more"
    if complaint.is_misuse:
        return InvalidValue(f"The connection cannot be used here: {words}. Pass one that is open, and that nobody else uses meanwhile.")
    match complaint.code:
        case "25P01":
            return InvalidValue("The connection has no transaction open, so there is none to join. Begin one first, or leave connection= out.")
        case "25P02":
            return InvalidValue("The transaction on the connection has failed, so nothing more is stored in it. Roll it back and begin another.")
        case "25006":
            return InvalidValue("The transaction on the connection takes no writes. Begin one that does, on a server that takes them.")
        case "3F000" | "42P01" | "42883":
            return another_store(address)
        case "42501":
            return InvalidValue(
                f"The role of the connection may not push: {words}. Grant it USAGE on the schema {address.schema}, "
                "and SELECT and INSERT on all its tables."
            )
        case "23505":
            return _taken(complaint.words)
        case code if code.startswith("22"):
            return InvalidValue(f"The tasks cannot be stored: {words}.")
    return StoreUnavailable(f"The push could not join the transaction: {_cause(complaint.code)} ({words}). Roll it back, and run all of it again.")


def another_store(address: Address) -> InvalidValue:
    """What is said of a connection to another database."""
    return InvalidValue(f"The connection must be to the store's own database {address.shown}, and it is to another one. Connect it to that database.")


def unjoinable(connection: object) -> InvalidValue:
    """What is said of something that has no transaction to join."""
    kind = f"{type(connection).__module__}.{type(connection).__qualname__}"
    return InvalidValue(
        f"connection= takes a connection of asyncpg or psycopg, or a connection or session of SQLAlchemy, got {kind}.{_way_from(connection)}"
    )


def _way_from(maker: object) -> str:
    kinds = [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(maker).__mro__]
    return next((f" Take one from it: {_TAKING[kind]}" for kind in kinds if kind in _TAKING), "")


def _cause(code: str) -> str:
    lost = not code or code.startswith(("08", "57P"))
    return "the connection was lost" if lost else _CAUSES.get(code, "the server refused it")


def _taken(words: str) -> InvalidValue:
    found = _TAKEN.search(words)
    id = found[1] if found else "of another"
    return InvalidValue(f"id must be new, but a task has the id {id} already. Leave the id out, or use key= to push a task only once.")
