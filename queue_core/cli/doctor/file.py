"""Examining the file of a SQLite store with a connection of its own that only reads."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from queue_core.backends._statements import migrations
from queue_core.backends.sqlite.location import read_only_uri
from queue_core.backends.sqlite.schema import migrate
from queue_core.cli.doctor.finding import Examined, Finding, Waiting
from queue_core.cli.words import many, size
from queue_core.expose import WorkerState

ROOM: Final = 200 * 1000 * 1000
"""Free bytes below which the disk counts as full."""
LONG_WAL: Final = 256 * 1000 * 1000
BUSY: Final = 5.0
NETWORKED: Final = ("nfs", "cifs", "smb", "sshfs", "9p", "afs", "ceph", "gluster", "lustre", "davfs", "s3fs", "rclone")
NEEDED: Final = frozenset({"file", "schema", "indexes"})
"""What has to be well for the store to answer questions: its queries name the indexes that they need."""


def examine(path: Path) -> Examined:
    """Everything about the file, its settings and its tables."""
    findings = [_access(path), _disk(path), _file_system(path), _wal(path)]
    waiting: list[Waiting] = []
    try:
        with reading(path) as connection:
            findings += [_journal(connection), _schema(connection)]
            if findings[-1].well:
                findings += [check(connection) for check in CHECKS]
                waiting = _waiting(connection)
    except sqlite3.Error as error:
        findings[0] = Finding("file", f"{path} cannot be read: {error}", "Is it a Prinia store, and complete? Restore it from a backup.")
    return Examined(findings, all(finding.well for finding in findings if finding.what in NEEDED), waiting)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write."""
    with closing(sqlite3.connect(read_only_uri(path), uri=True, timeout=BUSY)) as connection:
        yield connection


# --- the file --------------------------------------------------------------------------------------------


def _access(path: Path) -> Finding:
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        return Finding("file", f"{path} is not readable and writable for this user", "Change the permissions of the file and its folder.")
    return Finding("file", f"{size(path.stat().st_size)}, readable and writable")


def _disk(path: Path) -> Finding:
    free = shutil.disk_usage(path.parent).free
    cure = None if free > ROOM else "Make room on the disk: pushes fail when it is full. prinia prune removes old tasks."
    return Finding("disk", f"{size(free)} free", cure)


def _file_system(path: Path) -> Finding:
    kind = file_system(path.resolve())
    if kind is None:
        return Finding("file system", "not known on this system")
    networked = any(name in kind for name in NETWORKED)
    return Finding("file system", kind, "SQLite's locks and WAL do not work over a network. Move the store to a local disk." if networked else None)


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The kind of file system that holds ``path``, as Linux names it; None where that cannot be asked."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    found: dict[str, str] = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        found[before.split(" ")[4].replace("\\040", " ")] = after.split(" ")[0]
    holders = [point for point in found if path.is_relative_to(point)]
    return found[max(holders, key=len)] if holders else None


def _wal(path: Path) -> Finding:
    wal = path.with_name(f"{path.name}-wal")
    length = wal.stat().st_size if wal.exists() else 0
    cure = None if length < LONG_WAL else "Something holds a read transaction open, so the log cannot be folded in. Find and end that reader."
    return Finding("WAL", size(length), cure)


# --- what is in it ---------------------------------------------------------------------------------------


def _journal(connection: sqlite3.Connection) -> Finding:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    cure = None if mode == "wal" else "Open it with Prinia once, which sets WAL: prinia migrate. Without it readers block writers."
    return Finding("journal", str(mode), cure)


def _schema(connection: sqlite3.Connection) -> Finding:
    known = {number for number, _, _ in migrations("sqlite")}
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'prinia_migrations'").fetchone():
        return Finding("schema", "no tables of Prinia are in it", "Is this the right file? If so: prinia migrate")
    applied = {number for (number,) in connection.execute("SELECT number FROM prinia_migrations")}
    if missing := known - applied:
        return Finding(
            "schema", f"version {max(applied, default=0)}; {many(len(missing), 'migration')} behind", "Bring it up to date: prinia migrate"
        )
    if newer := applied - known:
        return Finding("schema", f"version {max(newer)} was made by a newer Prinia", "Update Prinia here: pip install -U prinia")
    return Finding("schema", f"version {max(applied)}")


def _indexes(connection: sqlite3.Connection) -> Finding:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        wanted = _index_names(fresh)
    missing = sorted(wanted - _index_names(connection))
    if missing:
        return Finding(
            "indexes", f"{', '.join(missing)} missing", "Somebody dropped them. Create them again as the files in queue_core/backends/migrations do."
        )
    return Finding("indexes", f"all {len(wanted)} there")


def _index_names(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'prinia#_%' ESCAPE '#'")
    return {name for (name,) in rows}


def _counters(connection: sqlite3.Connection) -> Finding:
    """Both in one statement, so that workers may go on meanwhile."""
    rows = connection.execute(
        "SELECT queue, status, sum(counted), sum(stored) FROM ("
        " SELECT queue, status, n AS counted, 0 AS stored FROM prinia_counters"
        " UNION ALL SELECT queue, status, 0, count(*) FROM prinia_tasks GROUP BY queue, status"
        ") GROUP BY queue, status HAVING sum(counted) <> sum(stored) ORDER BY queue, status"
    ).fetchall()
    if not rows:
        return Finding("counters", "equal to what is stored")
    queue, status, counted, stored = rows[0]
    cure = "Rows were changed past Prinia. Please report it if you did not do that."
    return Finding("counters", f"{queue} {status}: {counted:,} counted, {stored:,} stored" + (" (and others)" if rows[1:] else ""), cure)


def _leases(connection: sqlite3.Connection) -> Finding:
    live = json.dumps([state for state in WorkerState if state.is_live])
    (orphans,) = connection.execute(
        "SELECT count(*) FROM prinia_tasks AS task LEFT JOIN prinia_workers AS worker ON worker.boot = task.boot "
        "WHERE task.stage = 2 AND (worker.boot IS NULL OR worker.state NOT IN (SELECT value FROM json_each(?)))",
        (live,),
    ).fetchone()
    cure = "They go back as soon as any worker lives: prinia worker module:app" if orphans else None
    return Finding("leases", f"{many(orphans, 'task')} held by workers that ended" if orphans else "none without a living worker", cure)


def _waiting(connection: sqlite3.Connection) -> list[Waiting]:
    rows = connection.execute("SELECT queue, name, count(*) FROM prinia_tasks WHERE stage IN (1, 3) GROUP BY queue, name ORDER BY queue, name")
    return [Waiting(*row) for row in rows]


CHECKS: Final[tuple[Callable[[sqlite3.Connection], Finding], ...]] = (_indexes, _counters, _leases)
