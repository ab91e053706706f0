"""The link between the processes of one store: telling others of commits, and noticing theirs."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from queue_core.backends.relational.hub import Hub
from queue_core.backends.relational.tally import Changes
from queue_core.backends.sqlite.datagrams import ALL, AVAILABLE, WORK, Interest, Mailbox, Post, folder_of
from queue_core.backends.sqlite.location import Mode
from queue_core.expose import ALL_TOPICS, Topic

SLOW_POLL: Final = 0.25
"""Seconds between looks for commits of others, where datagrams announce them."""
QUICK_POLL, IDLE_POLL = 0.005, 0.015
"""The same where nothing announces them: after a commit, and when nothing happens."""
EAGER_POLL: Final = 0.002
"""The same while a commit on a caller's own connection is awaited."""
_EAGER_FOR: Final = 5.0
_QUICK_FOR: Final = 1.0


class Signals:
    """What the writer of a store tells, and where it goes. All but ``refresh``, ``expect_commit`` and ``close`` run in the writer's thread."""

    def __init__(self, path: Path, hub: Hub, nudge: Callable[[], None], *, mode: Mode = "listen") -> None:
        self._mode = mode
        self._path = path
        self._hub = hub
        self._nudge = nudge
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._mailbox: Mailbox | None = None
        self._interest: Interest | None = None
        self._post: Post | None = None
        self._seen: dict[Topic, int] = {}
        self._eager_until = 0.0
        self._quick_until = 0.0

    # --- for the writer --------------------------------------------------------------------------------

    def opened(self, versions: Mapping[Topic, int]) -> None:
        """The store is there; ``versions`` is how often each topic has changed so far."""
        self._seen.update(versions)
        if AVAILABLE and self._mode == "listen":
            self._folder = folder_of(self._path)
            self._post = Post(self._folder)
        self.refresh()

    def poll_every(self) -> float | None:
        """Seconds between looks for commits of others; None while nobody listens."""
        now = time.monotonic()
        if now < self._eager_until:
            return EAGER_POLL
        if not self._hub.has_listeners:
            return None
        if self._mailbox is not None:
            return SLOW_POLL
        return QUICK_POLL if now < self._quick_until else IDLE_POLL

    def committed(self, changes: Changes) -> None:
        """Tell the listeners of this process, then those of others."""
        self._seen.update(changes.versions)
        self._hub.tell(changes)
        self._send(changes)

    def awaited(self) -> list[str]:
        """The ids of the tasks whose end somebody waits for."""
        return self._hub.awaited

    def foreign_commit(self, versions: Mapping[Topic, int], ended: Sequence[str]) -> None:
        """Another connection committed something; the topics have changed so often now, and these awaited tasks have ended."""
        changed = {topic: version for topic, version in versions.items() if self._seen.get(topic) != version}
        self._seen.update(changed)
        self._quick_until = time.monotonic() + _QUICK_FOR
        self._hub.wake_workers()
        self._hub.tell_ended(ended)
        self._hub.tell_topics(changed or [ALL_TOPICS])  # a commit without topics is somebody's own SQL
        self._pass_on(changed)

    def _pass_on(self, changed: Mapping[Topic, int]) -> None:
        """A commit on a caller's connection is announced by us, because nobody else does."""
        if time.monotonic() < self._eager_until:
            self._eager_until = 0.0
            queues = frozenset(topic.removeprefix("queue:") for topic in changed if topic.startswith("queue:"))
            self._send(Changes({}, queues))

    def _send(self, changes: Changes) -> None:
        if self._post is not None:
            self._post.send(changes, self._mailbox.path if self._mailbox else None)

    # --- from any thread ---------------------------------------------------------------------------------

    def expect_commit(self) -> None:
        """A caller's own connection is about to commit: look for it often."""
        self._eager_until = time.monotonic() + _EAGER_FOR
        self._nudge()

    def refresh(self) -> None:
        """Listen to other processes as far as somebody listens here, and go on until the store is closed."""
        with self._lock:
            wanted = ALL if self._hub.wants_all else WORK if self._hub.has_workers else None
            if self._folder is None or wanted is None or self._interest in {wanted, ALL}:
                return
            old, self._mailbox = self._mailbox, _mailbox(self._folder, wanted, self._received)
            self._interest = wanted
        if old is not None:
            old.close()

    def close(self) -> None:
        """Tell and hear no more."""
        with self._lock:
            folder, self._folder = self._folder, None
            mailbox, self._mailbox = self._mailbox, None
        if mailbox is not None:
            mailbox.close()
        if self._post is not None and folder is not None:
            self._post.close()

    def _received(self, changes: Changes, everything: bool) -> None:
        if everything or "*" in changes.work:
            self._hub.wake_workers()
        else:
            self._hub.tell(changes)
        if self._hub.wants_all:
            self._nudge()  # the writer then sees what changed


def _mailbox(folder: Path, interest: Interest, receive: Callable[[Changes, bool], None]) -> Mailbox | None:
    """A mailbox; None where there can be none, and looking for commits must do."""
    try:
        return Mailbox(folder, interest, receive)
    except OSError:
        return None
