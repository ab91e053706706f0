"""The file that a store has open, watched for being deleted or replaced under its name."""

import time
from pathlib import Path
from typing import Final

from queue_core.errors import StoreUnavailable

LOOK_EVERY: Final = 0.1
"""Seconds between two looks at a file that is in place; one that is not is looked at each time."""


class OpenedFile:
    """What ``path`` named when it was opened. Whoever has a deleted file open could go on with it for ever, alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = _identity(path)
        self._trusted_until = 0.0

    def check(self, *, afresh: bool = False) -> None:
        """Raise StoreUnavailable while the path names another file, or none. ``afresh``: as it is now, and not a moment ago."""
        now = time.monotonic()
        if not afresh and now < self._trusted_until:
            return
        try:
            found = _identity(self._path)
        except OSError:  # nobody can tell
            return
        if found != self._identity:
            self._trusted_until = 0.0
            raise StoreUnavailable(
                f"The store {self._path.name} was deleted, or replaced by another file, while it was open here. "
                "Put the file back, or start this program again to use what is there now."
            )
        self._trusted_until = now + LOOK_EVERY


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
