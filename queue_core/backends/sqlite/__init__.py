"""The store in one SQLite file: durable, shared by all processes of one machine, nothing to install."""

from collections.abc import Mapping
from typing import Any

from queue_core.backends.sqlite.backend import SqliteBackend
from queue_core.backends.sqlite.expose import SqliteExpose
from queue_core.backends.sqlite.location import mode_of, path_of
from queue_core.backends.sqlite.schema import Synchronous, check_version
from queue_core.backends.sqlite.store import Store
from queue_core.clock import Clock, SystemClock
from queue_core.codec import CODECS, Codec
from queue_core.errors import InvalidValue
from queue_core.expose import Connected


def connect(
    url: str,
    *,
    create: bool = True,
    codecs: Mapping[str, Codec] = CODECS,
    clock: Clock | None = None,
    synchronous: Synchronous = "full",
    **unknown: Any,
) -> Connected:
    """The store in the file that ``url`` names, not yet opened; the file is made when it is, if ``create``.

    ``?mode=poll`` after it lets its processes look for each other's commits, and neither make nor use sockets to tell of them.
    ``synchronous``: ``full`` survives a power failure; ``normal`` may then lose the last moments, but never breaks the file. Raises
    InvalidValue for a URL that names no usable file, and for options that a SQLite store does not have.
    """
    if unknown:
        raise InvalidValue(f"A SQLite store has the options clock and synchronous, got {', '.join(sorted(unknown))}.")
    if synchronous not in ("full", "normal"):
        raise InvalidValue(f"synchronous must be 'full' or 'normal', got {synchronous!r}.")
    check_version()
    store = Store(path_of(url), clock or SystemClock(), synchronous, mode=mode_of(url), create=create)
    return Connected(SqliteBackend(store), SqliteExpose(store, codecs))
