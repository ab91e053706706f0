"""Joining the transaction of a connection of asyncpg."""

from typing import Any, Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from queue_core.backends._rows import Row
from queue_core.backends.postgres.failures import DRIVER_ERRORS
from queue_core.backends.postgres.joining.driver import Driver
from queue_core.backends.postgres.joining.refusals import Complaint, unjoinable
from queue_core.backends.postgres.joining.talk import Statement, Talk, have_async
from queue_core.task import Pushed


async def _join(connection: Any, talk: Talk) -> list[Pushed]:
    if not isinstance(connection, asyncpg.Connection | PoolConnectionProxy):
        raise unjoinable(connection)

    async def ask(statement: Statement) -> list[Row]:
        sql, values = statement
        if not values:
            await connection.execute(sql)
            return []
        found: list[Row] = await connection.fetch(sql, *values, record_class=asyncpg.Record)
        return found

    return await have_async(talk, ask)


def _complaint(error: Exception) -> Complaint:
    return Complaint(getattr(error, "sqlstate", None) or "", str(error), isinstance(error, asyncpg.InterfaceError))


DRIVER: Final = Driver(_join, DRIVER_ERRORS, _complaint)
