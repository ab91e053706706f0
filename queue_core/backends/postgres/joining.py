"""Pushing inside the transaction of a caller's own connection."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from queue_core.backends.postgres.failures import DRIVER_ERRORS, explain
from queue_core.backends.postgres.producing import CALL, fetch, parameters, pushed, row_of
from queue_core.backends.postgres.schema import qualified
from queue_core.errors import InvalidValue
from queue_core.task import NewTask, Pushed

if TYPE_CHECKING:
    from queue_core.backends.postgres.store import Store


async def push_in(store: "Store", connection: Any, tasks: Sequence[NewTask]) -> list[Pushed]:
    """Store ``tasks`` in the transaction that is open on ``connection``."""
    rows = [row_of(new) for new in tasks]
    if not isinstance(connection, asyncpg.Connection | PoolConnectionProxy):
        kind = f"{type(connection).__module__}.{type(connection).__qualname__}"
        raise InvalidValue(f"push_in joins the transaction of an asyncpg connection, got {kind}.")
    if not connection.is_in_transaction():
        raise InvalidValue("The connection has no transaction open, so there is none to join. Begin one first, or use push.")
    if not rows:
        return []
    schema = store.address.schema
    try:
        async with connection.transaction():
            answer = await connection.fetchrow(qualified(CALL, schema), *parameters(rows, store.clock_us(), announce=True))
            twins = await fetch(connection, schema, [id for id in answer["twins"] or () if id])
            return pushed(tasks, answer["pushed_at"], answer["seqs"], answer["twins"], twins)
    except DRIVER_ERRORS as error:
        raise explain(error, store.address) from error
