"""The writing connection to a store, and its schema brought up to date."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from queue_core.backends._statements import migrations
from queue_core.backends.sqlite.patience import patiently
from queue_core.errors import InvalidValue

Synchronous = Literal["full", "normal"]

_WAL_PAGES: Final = 1_000
_WAL_KEPT: Final = 64 * 1024 * 1024
_OLDEST: Final = (3, 37, 0)
"""The first with STRICT tables; RETURNING is older."""


def check_version() -> None:
    """Raise InvalidValue when Python's SQLite is too old."""
    if sqlite3.sqlite_version_info < _OLDEST:
        raise InvalidValue(f"SQLite must be at least version 3.37, and Python here has {sqlite3.sqlite_version}. Install a newer Python.")


def open_writer(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """A connection for writing, for use in the calling thread, its schema up to date. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, cached_statements=256)
    try:
        _configure(connection, synchronous)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection, synchronous: Synchronous) -> None:
    mode = patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    if mode != "wal":
        raise InvalidValue(f"The store must be on a disk where SQLite can use its WAL journal, and it answered {mode!r}. Choose a local folder.")
    encoding = connection.execute("PRAGMA encoding").fetchone()[0]
    if encoding != "UTF-8":
        raise InvalidValue(f"The store must keep its text as UTF-8, and this file keeps it as {encoding}. Choose another file.")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("PRAGMA temp_store = MEMORY")


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the migrations that the store has not seen, in one transaction. Many processes may do so at once."""
    if not _missing(connection):
        return
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        for number, name, script in _missing(connection):
            for command in _commands(script):
                connection.execute(command)
            connection.execute("INSERT INTO prinia_migrations (number, name, applied_at) VALUES (?, ?, datetime('now'))", (number, name))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _missing(connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
    known = patiently(lambda: connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'prinia_migrations'").fetchone()[0])
    if not known and connection.in_transaction:
        connection.execute("CREATE TABLE prinia_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT")
    seen = {row[0] for row in connection.execute("SELECT number FROM prinia_migrations")} if known else set()
    return [migration for migration in migrations("sqlite") if migration[0] not in seen]


def _commands(script: str) -> Iterator[str]:
    command = ""
    for line in script.splitlines(keepends=True):
        command += line
        if sqlite3.complete_statement(command):
            yield command
            command = ""
