"""What SQLite's errors mean for people."""

import sqlite3
from pathlib import Path

from queue_core.errors import InvalidValue, PriniaError, StoreUnavailable

_CAUSES = {
    "SQLITE_BUSY": "another process has held its lock for too long. End the long transaction there; this was not stored",
    "SQLITE_LOCKED": "another connection holds a lock on it. End the long transaction there; this was not stored",
    "SQLITE_FULL": "the disk is full, or the file has reached its size limit. Make room; this was not stored",
    "SQLITE_IOERR": "the disk reported an error. Check the disk; this was not stored",
    "SQLITE_READONLY": "the file or its folder is not writable for this process. Change its permissions",
    "SQLITE_PERM": "this process may not use it. Change its permissions",
    "SQLITE_AUTH": "this process may not use it. Change its permissions",
    "SQLITE_CANTOPEN": "it cannot be opened. Check that its folder exists and that this process may write there",
    "SQLITE_CORRUPT": "it is damaged. Restore it from a backup",
    "SQLITE_NOTADB": "it is not a SQLite database. Choose another path",
    "SQLITE_INTERRUPT": "the query took longer than its time limit. Narrow the search",
    "SQLITE_ERROR": "it refused the statement",
}


def explain(error: sqlite3.Error, path: Path) -> PriniaError:
    """``error`` as one of Prinia's, in words: StoreUnavailable, or InvalidValue where only another path can help."""
    code = _family(error)
    cause = _CAUSES.get(code, "SQLite reported a problem")
    sentence = f"The store {path.name} cannot be used: {cause} ({error})."
    return InvalidValue(sentence) if code == "SQLITE_NOTADB" else StoreUnavailable(sentence)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection's lock is the reason, so that trying again can help."""
    return _family(error) in {"SQLITE_BUSY", "SQLITE_LOCKED"}


def _family(error: sqlite3.Error) -> str:
    """The primary code of an error, as ``SQLITE_IOERR`` of ``SQLITE_IOERR_WRITE``."""
    return "_".join(str(getattr(error, "sqlite_errorname", "SQLITE_ERROR")).split("_")[:2])
