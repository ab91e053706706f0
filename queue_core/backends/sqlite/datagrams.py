"""Telling the other processes of a store what was committed: one datagram socket each, in a private folder.

A hint only: a message may be lost, and then looking for commits finds the change a moment later. Nothing here opens the database file; closing
such a file would drop the locks that SQLite holds in this process.
"""

import hashlib
import json
import os
import secrets
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from queue_core.backends.relational.tally import Changes

Interest = str
WORK: Final[Interest] = "work"
"""Wants to hear of work and of what concerns single workers."""
ALL: Final[Interest] = "all"
"""Wants to hear of every commit."""

AVAILABLE: Final = hasattr(socket, "AF_UNIX") and hasattr(os, "getuid")
_LONGEST: Final = 8_000
_REST: Final = 0.002
"""Seconds between two readings, so that a storm of commits costs little."""
_MANY: Final = 5
"""So many messages at once, and others may have been lost: the queue of a socket is short."""


def folder_of(path: Path) -> Path:
    """Where the processes that share the store ``path`` have their sockets."""
    found = path.stat()
    name = f"{path.resolve()}\0{found.st_dev}\0{found.st_ino}"
    return Path(tempfile.gettempdir()) / f"prinia-{os.getuid()}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


class Mailbox:
    """Receives what other processes send, in a thread of its own. ``everything`` in a call means that messages may have been lost."""

    def __init__(self, folder: Path, interest: Interest, receive: Callable[[Changes, bool], None]) -> None:
        self._receive = receive
        self._socket = _bound(folder, interest)
        self.path = Path(self._socket.getsockname())
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="prinia-mailbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Receive no more."""
        self._closed = True
        try:
            self._socket.sendto(b"", socket.MSG_DONTWAIT, str(self.path))  # wakes the thread
        except OSError:  # full, so it is awake
            pass
        self.path.unlink(missing_ok=True)
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._closed:
            messages = self._messages()
            if self._closed or not messages:
                return
            self._receive(_merged(messages), len(messages) >= _MANY)
            time.sleep(_REST)

    def _messages(self) -> list[bytes]:
        """What has arrived, at least one; empty when the socket is closed."""
        messages: list[bytes] = []
        try:
            messages.append(self._socket.recv(_LONGEST))
            while True:
                messages.append(self._socket.recv(_LONGEST, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return [message for message in messages if message]
        except OSError:
            return []


def _bound(folder: Path, interest: Interest) -> socket.socket:
    """A socket in ``folder``. Raises OSError when that is not possible, or the folder is not ours alone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a private folder of this user")
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        own.bind(str(folder / f"{secrets.token_hex(6)}.{interest}"))
    except BaseException:
        own.close()
        raise
    return own


def _merged(messages: list[bytes]) -> Changes:
    work: set[str] = set()
    boots: set[str] = set()
    for message in messages:
        queues, lives = json.loads(message)
        work.update(queues)
        boots.update(lives)
    return Changes({}, frozenset(work), frozenset(boots))


class Post:
    """Sends to the mailboxes of other processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._listed: list[tuple[str, Interest]] = []
        self._listed_at = -1

    def close(self) -> None:
        """Send no more; leave no empty folder behind."""
        self._socket.close()
        try:
            self._folder.rmdir()
        except OSError:  # others still use it, or nobody ever did
            pass

    def send(self, changes: Changes, own: Path | None) -> None:
        """Tell the others about ``changes``, but not the mailbox ``own``. Never waits and never raises."""
        others = [(path, interest) for path, interest in self._mailboxes() if own is None or path != str(own)]
        if not others:
            return
        matters = bool(changes.work or changes.boots)
        message = _message(changes)
        for path, interest in others:
            if matters or interest == ALL:
                self._send(message, path)

    def _mailboxes(self) -> list[tuple[str, Interest]]:
        try:
            changed_at = os.stat(self._folder).st_mtime_ns
        except OSError:
            return []
        if changed_at != self._listed_at or time.time_ns() - changed_at < 50_000_000:  # its clock is coarse
            self._listed = _listing(self._folder)
            self._listed_at = changed_at
        return self._listed

    def _send(self, message: bytes, path: str) -> None:
        try:
            self._socket.sendto(message, path)
        except ConnectionRefusedError:  # its process died without tidying up
            Path(path).unlink(missing_ok=True)
        except OSError:  # full, so it will wake anyway; or gone
            pass


def _listing(folder: Path) -> list[tuple[str, Interest]]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [(str(folder / name), name.rpartition(".")[2]) for name in names]


def _message(changes: Changes) -> bytes:
    message = json.dumps([sorted(changes.work), sorted(changes.boots)]).encode()
    return message if len(message) <= _LONGEST else json.dumps([["*"], []]).encode()
