"""Joining the transaction of a connection of psycopg 3, asynchronous or not."""

from functools import partial
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from queue_core.backends._rows import Row
from queue_core.backends.postgres.joining.driver import Driver, in_a_thread
from queue_core.backends.postgres.joining.refusals import Complaint, unjoinable
from queue_core.backends.postgres.joining.talk import Statement, Talk, by_name, have, have_async, marked
from queue_core.errors import InvalidValue
from queue_core.task import Pushed


async def _join(connection: Any, talk: Talk) -> list[Pushed]:
    if isinstance(connection, psycopg.BaseConnection):
        _check(connection)
    match connection:
        case psycopg.AsyncConnection():
            return await have_async(talk, partial(_ask_async, connection))
        case psycopg.Connection():
            return await in_a_thread(lambda: have(talk, partial(_ask, connection)))
    raise unjoinable(connection)


def _check(connection: psycopg.BaseConnection[Any]) -> None:
    if connection.closed:
        raise psycopg.InterfaceError("the connection is closed")
    if connection.info.pipeline_status:
        raise InvalidValue(
            "The connection is in pipeline mode, where a push that is refused spoils what comes after it. Push outside of the pipeline."
        )


async def _ask_async(connection: psycopg.AsyncConnection[Any], statement: Statement) -> list[Row]:
    async with psycopg.AsyncCursor(connection, row_factory=tuple_row) as cursor:
        await cursor.execute(*_as_taken(statement))
        return list(await cursor.fetchall()) if statement[1] else []


def _ask(connection: psycopg.Connection[Any], statement: Statement) -> list[Row]:
    with psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
        cursor.execute(*_as_taken(statement))
        return list(cursor.fetchall()) if statement[1] else []


def _as_taken(statement: Statement) -> tuple[bytes, dict[str, Any]]:
    sql, values = statement
    return marked(sql.replace("%", "%%"), "%(p{})s").encode(), by_name(values)


def _complaint(error: Exception) -> Complaint:
    if isinstance(error, UnicodeError):
        return Complaint("22021", str(error))
    code = getattr(error, "sqlstate", None) or ""
    return Complaint(code, str(error), not code and isinstance(error, psycopg.InterfaceError | psycopg.ProgrammingError))


DRIVER: Final = Driver(_join, (psycopg.Error, UnicodeError), _complaint)
