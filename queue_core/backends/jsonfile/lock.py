"""A lock that one process holds, and that the system takes from it when it ends, however it ends."""

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Final

from queue_core.errors import StoreUnavailable

HELD: Final = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
"""What the system says when another process has the lock."""


class FileLock:
    """Held through a file beside the store, because the store's own is replaced now and then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self, store: Path) -> None:
        """Hold it. Raises StoreUnavailable where another process does."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(file)
        except OSError as error:
            if error.errno not in HELD:
                os.close(file)
                raise
            holder = os.read(file, 20).decode("ascii", "replace").strip()
            os.close(file)
            raise StoreUnavailable(
                f"The store {store} is open in another process{f' (pid {holder})' if holder else ''}, and a JSON file serves one at a time. "
                "Stop that one first, or use sqlite:///tasks.db, which many share."
            ) from None
        self._file = file
        with contextlib.suppress(OSError):  # who holds it is told as a kindness, and a full disk takes no kindness
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others hold it."""
        if self._file is not None:
            os.close(self._file)
        self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, 100, os.SEEK_SET)  # beyond what is written, which others may still read
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
