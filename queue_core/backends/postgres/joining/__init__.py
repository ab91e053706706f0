"""Pushing inside the transaction of a caller's own connection, of whichever driver it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from queue_core.backends.postgres.joining.driver import Driver
from queue_core.backends.postgres.joining.refusals import refusal, unjoinable
from queue_core.backends.postgres.joining.talk import pushing
from queue_core.task import NewTask, Pushed

if TYPE_CHECKING:
    from queue_core.backends.postgres.store import Store


async def push_in(store: "Store", connection: Any, tasks: Sequence[NewTask]) -> list[Pushed]:
    """Store ``tasks`` in the transaction of ``connection``: all of them, or none, and then the transaction goes on as before."""
    store.check_open()
    driver = _driver_of(connection)
    try:
        return await driver.join(connection, pushing(store, tasks))
    except driver.errors as error:
        raise refusal(driver.complaint(error), store.address) from error


def _driver_of(connection: object) -> Driver:
    """A driver is imported only where the caller has done so before."""
    families = {kind.__module__.partition(".")[0] for kind in connection.__class__.__mro__}
    if "asyncpg" in families:
        from queue_core.backends.postgres.joining import asyncpg

        return asyncpg.DRIVER
    if "psycopg" in families:
        from queue_core.backends.postgres.joining import psycopg

        return psycopg.DRIVER
    if "sqlalchemy" in families:
        from queue_core.backends.postgres.joining import sqlalchemy

        return sqlalchemy.DRIVER
    raise unjoinable(connection)
