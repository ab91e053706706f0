"""Joining the transaction of a connection or session of SQLAlchemy, asynchronous or not, on any driver for PostgreSQL."""

from functools import cache, partial
from typing import Any, Final

from sqlalchemy import Connection, TextClause, bindparam, text
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.types import NullType

from queue_core.backends._rows import Row
from queue_core.backends.postgres.joining.driver import Driver, in_a_thread
from queue_core.backends.postgres.joining.refusals import Complaint, unjoinable
from queue_core.backends.postgres.joining.talk import Statement, Talk, by_name, have, marked
from queue_core.errors import InvalidValue
from queue_core.task import Pushed

_AT_ONCE: Final = {"stream_results": False, "yield_per": 0}
"""Whatever the connection does with its owner's queries: no cursor on the server can be had for a savepoint."""


async def _join(connection: Any, talk: Talk) -> list[Pushed]:
    own = connection() if isinstance(connection, scoped_session | async_scoped_session) else connection  # the session of this thread or task
    match own:
        case AsyncConnection() | AsyncSession():
            return await own.run_sync(_have, talk)
        case Connection() | Session():
            return await in_a_thread(lambda: _have(own, talk))
    raise unjoinable(connection)


def _have(own: Connection | Session, talk: Talk) -> list[Pushed]:
    dialect = (own if isinstance(own, Connection) else own.get_bind()).dialect.name
    if dialect != "postgresql":
        raise InvalidValue(f"The connection must be to the store's own PostgreSQL database, and it is to one of {dialect}. Pass another one.")
    return have(talk, partial(_ask, own if isinstance(own, Connection) else own.connection()))


def _ask(connection: Connection, statement: Statement) -> list[Row]:
    sql, values = statement
    result = connection.execute(_clause(sql, len(values)), by_name(values), execution_options=_AT_ONCE)
    return [tuple(row) for row in result] if result.returns_rows else []


@cache
def _clause(sql: str, places: int) -> TextClause:
    """Parameters have no type but the one that the SQL casts them to."""
    return text(marked(sql, ":p{}")).bindparams(*(bindparam(f"p{place}", type_=NullType()) for place in range(1, places + 1)))


def _complaint(error: Exception) -> Complaint:
    if isinstance(error, UnicodeError):
        return Complaint("22021", str(error))
    if not isinstance(error, DBAPIError):
        return Complaint("", str(error), is_misuse=True)
    root = (error.orig and error.orig.__cause__) or error.orig
    code = getattr(root, "sqlstate", None) or getattr(root, "pgcode", None) or ""
    return Complaint(code, str(root), isinstance(error, InterfaceError))


DRIVER: Final = Driver(_join, (SQLAlchemyError, UnicodeError, OSError), _complaint)
