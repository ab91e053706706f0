"""The file: lines that are only ever added, each on the disk before it counts, and now and then a fresh file with what still holds."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from queue_core.backends.jsonfile.lock import FileLock
from queue_core.errors import InvalidValue, StoreUnavailable

VERSION: Final = 1
HEADER: Final = b'{"prinia":"store","version":%d}\n' % VERSION
LONGEST_HEADER: Final = 100
GROWTH: Final = 4 * 1024 * 1024
"""Bytes that a file may grow by before it is written anew; more, where what holds takes more."""

_CURE: Final = "Restart the programs that have it open; nothing more is stored until then."


class Header(msgspec.Struct):
    """The first line of every store."""

    prinia: Literal["store"]
    version: int


class Journal:
    """The lines of one file. Open it before use; one process at a time can."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._lock = FileLock(path.with_name(f"{path.name}.lock"))
        self._file: int | None = None
        self._size = 0
        self._compact_size = 0
        self._is_torn = False
        """Whether an ``append`` may have left something behind."""
        self._is_placed = True
        """Whether the folder is known to lead to the file even after a loss of power."""

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
        self._file, self._is_torn = None, False
        self._lock.release()

    def lines(self) -> Iterator[bytes]:
        """The lines that were stored whole, and only those stay: the last one is torn where a process or the power ended while it was written.

        If it lacks no more than its end, as when an editor took that away, it stays too.
        """
        whole = len(HEADER)
        with self.path.open("rb") as file:
            file.seek(whole)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                yield line
                whole += len(line)
            else:
                line = b""
        self._truncate(whole)
        if _is_json(line):
            self.append(line + b"\n")
            yield line

    def append(self, line: bytes) -> None:
        """Store one line. Raises StoreUnavailable, after which nothing of it is stored, unless ``cut_back`` fails too."""
        self._check_untouched()
        try:
            self._place()
            self._is_torn = True
            _write(self._descriptor, line)
        except OSError as error:
            raise self._unavailable("written", error) from error
        self._is_torn = False
        self._size += len(line)

    def cut_back(self) -> None:
        """Remove what a failed ``append`` left. Raises StoreUnavailable."""
        if self._is_torn:
            self._check_same()
            self._truncate(self._size)
        self._is_torn = False
        self._check_untouched()

    def cut_off(self, length: int) -> None:
        """Remove the last bytes. Raises StoreUnavailable."""
        self._truncate(self._size - length)

    def rewrite(self, lines: Iterable[bytes]) -> None:
        """Put a file with these lines alone in its place, whole or not at all. Raises StoreUnavailable, after which the old one stays."""
        self._check_same()
        fresh = self.path.with_name(f"{self.path.name}.new")
        try:
            file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
            try:
                _write(file, b"".join([HEADER, *lines]))
                os.replace(fresh, self.path)
            except BaseException:
                os.close(file)
                fresh.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._unavailable("written", error) from error
        os.close(self._descriptor)
        self._file, self._size = file, os.fstat(file).st_size
        self._compact_size = self._size
        self._is_placed = False

    def _begin(self) -> None:
        """Check the header, or write it into a file that is empty or whose making was cut short."""
        with self.path.open("rb") as file:
            start = file.read(LONGEST_HEADER)
        if start.startswith(HEADER):
            return
        if not HEADER.startswith(start):
            raise self._foreign(start.partition(b"\n")[0])
        self._truncate(0)
        _write(self._descriptor, HEADER)
        self._is_placed = False
        self._place()

    def _foreign(self, header: bytes) -> InvalidValue:
        try:
            version = msgspec.json.decode(header, type=Header).version
        except (msgspec.MsgspecError, UnicodeError):
            return InvalidValue(f"The file {self.path} is not a store of Prinia's. It is left as it is; name another file.")
        if version == VERSION:
            return InvalidValue(f"The first line of the store {self.path} is not {HEADER.decode().strip()} any more. Write it anew.")
        return InvalidValue(
            f"The store {self.path} was written by another version of Prinia, in format {version}, and this one knows format {VERSION}. "
            "It is left as it is; install that version, or name another file."
        )

    def _place(self) -> None:
        if not self._is_placed:
            _sync_folder(self.path.parent)
            self._is_placed = True

    def _check_untouched(self) -> None:
        """Raise StoreUnavailable where something else wrote to the file, or put another one in its place: what is stored there might not stay."""
        self._check_same()
        if os.fstat(self._descriptor).st_size != self._size:
            raise StoreUnavailable(f"Something else than Prinia has written to {self.path} while it was open. {_CURE}")

    def _check_same(self) -> None:
        try:
            same = os.path.samestat(os.stat(self.path), os.fstat(self._descriptor))
        except FileNotFoundError:
            same = False
        except OSError as error:
            raise self._unavailable("written", error) from error
        if not same:
            raise StoreUnavailable(f"The store {self.path} was removed, or another file is in its place. {_CURE}")

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


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


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
