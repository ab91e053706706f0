"""The store in a PostgreSQL database: durable, shared by many machines."""

import importlib.util
from collections.abc import Mapping
from typing import Any

from queue_core.clock import Clock
from queue_core.codec import CODECS, Codec
from queue_core.errors import InvalidValue
from queue_core.expose import Connected


def connect(url: str, *, create: bool = True, codecs: Mapping[str, Codec] = CODECS, clock: Clock | None = None, **unknown: Any) -> Connected:
    """The store that ``url`` names, not yet opened: ``postgresql://user:password@host:5432/database``.

    ``create``: whether opening it makes its tables where there are none.
    ``?schema=NAME`` after it chooses the schema that holds the tables (``prinia``), ``?mode=poll`` works through a transaction pooler.

    Raises InvalidValue for a URL that cannot be used, for options that a PostgreSQL store does not have, and when the driver is not installed.
    """
    if unknown:
        raise InvalidValue(f"A PostgreSQL store has the option clock, got {', '.join(sorted(unknown))}. Its settings are part of the URL.")
    if importlib.util.find_spec("asyncpg") is None:
        raise InvalidValue("A PostgreSQL store needs the driver asyncpg. Install it: pip install 'prinia[postgres]'.")

    from queue_core.backends.postgres.address import address_of
    from queue_core.backends.postgres.backend import PostgresBackend
    from queue_core.backends.postgres.expose import PostgresExpose
    from queue_core.backends.postgres.stores import Stores

    store = Stores(address_of(url), clock, create=create)
    return Connected(PostgresBackend(store), PostgresExpose(store, codecs))
