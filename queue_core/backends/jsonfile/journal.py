"""The file: lines that are only ever added, each on the disk before it counts, and now and then a fresh file with what still holds."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from queue_core.backends.jsonfile.lock import FileLock
from queue_core.errors import InvalidValue, StoreUnavailable

HEADER: Final = b'{"prinia":"store","version":1}\n'
GROWTH: Final = 4 * 1024 * 1024
"""Bytes that a file may grow by before it is written anew; more, where what holds takes more."""


class Journal:
    """The lines of one file. Open it before use; one process at a time can."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._lock = FileLock(path.with_name(f"{path.name}.lock"))
        self._file: int | None = None
        self._size = 0
        self._compact_size = 0

    @property
    def is_open(self) -> bool:
        """Whether this process has it."""
        return self._file is not None

    @property
    def has_grown(self) -> bool:
        """Whether most of it holds no more."""
        return self._size > self._compact_size + max(GROWTH, self._compact_size)

    def open(self) -> None:
        """Take it for this process, and make it where there is none. Raises StoreUnavailable, InvalidValue for a file that is no store."""
        try:
            self._lock.acquire(self.path)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
            self._begin()
        except OSError as error:
            self.close()
            raise error if isinstance(error, StoreUnavailable) else self._unavailable("opened", error) from error
        except InvalidValue:
            self.close()
            raise

    def close(self) -> None:
        """Let other processes have it."""
        if self._file is not None:
            os.close(self._file)
        self._file = None
        self._lock.release()

    def lines(self) -> Iterator[bytes]:
        """The lines that were stored whole, and only those stay: the last one is torn where a process or the power ended while it was written."""
        whole = len(HEADER)
        with self.path.open("rb") as file:
            file.seek(whole)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                yield line
                whole += len(line)
        self._truncate(whole)

    def append(self, line: bytes) -> None:
        """Store one line. Raises StoreUnavailable, after which nothing of it is stored, unless ``cut_back`` fails too."""
        try:
            _write(self._descriptor, line)
        except OSError as error:
            raise self._unavailable("written", error) from error
        self._size += len(line)

    def cut_back(self) -> None:
        """Remove what a failed ``append`` left. Raises StoreUnavailable."""
        self._truncate(self._size)

    def cut_off(self, length: int) -> None:
        """Remove the last bytes. Raises StoreUnavailable."""
        self._truncate(self._size - length)

    def rewrite(self, lines: Iterable[bytes]) -> None:
        """Put a file with these lines alone in its place, whole or not at all. Raises StoreUnavailable, after which the old one stays."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        try:
            file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
            try:
                _write(file, b"".join([HEADER, *lines]))
                os.replace(fresh, self.path)
                _sync_folder(self.path.parent)
            except BaseException:
                os.close(file)
                fresh.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._unavailable("written", error) from error
        os.close(self._descriptor)
        self._file, self._size = file, os.fstat(file).st_size
        self._compact_size = self._size

    def _begin(self) -> None:
        """Check the header, or write it into a file that is empty or whose making was cut short."""
        with self.path.open("rb") as file:
            start = file.read(len(HEADER))
        if start == HEADER:
            return
        if not HEADER.startswith(start):
            raise InvalidValue(f"The file {self.path} is not a store of Prinia's, or one of another version. Name another file.")
        self._truncate(0)
        _write(self._descriptor, HEADER)
        _sync_folder(self.path.parent)

    def _truncate(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise self._unavailable("written", error) from error
        self._size = size

    @property
    def _descriptor(self) -> int:
        assert self._file is not None, "open the journal first"
        return self._file

    def _unavailable(self, done: str, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(f"The store {self.path} cannot be {done}: {error.strerror or error}.")


def _write(file: int, data: bytes) -> None:
    """All of ``data``, and wait until it is on the disk."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
    os.fsync(file)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be synced there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
