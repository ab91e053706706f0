"""The link between the processes of one store: noticing the commits of others."""

from pathlib import Path
from typing import Final

from queue_core.backends.sqlite.tally import Changes
from queue_core.backends.sqlite.wake import Hub

QUICK_POLL: Final = 0.005
"""Seconds between looks for commits of others, where nothing announces them."""


class Signals:
    """What the writer of a store tells, and where it goes."""

    def __init__(self, path: Path, hub: Hub) -> None:
        self._path = path
        self._hub = hub

    def poll_every(self) -> float | None:
        """Seconds between looks for commits of others; None while nobody listens."""
        return QUICK_POLL if self._hub.has_workers or self._hub.has_watchers else None

    def committed(self, changes: Changes) -> None:
        """Tell the listeners of this process."""
        self._hub.tell(changes)

    def foreign_commit(self) -> None:
        """Another connection committed something."""
        self._hub.wake_all()

    def expect_commit(self) -> None:
        """A caller's own connection is about to commit."""

    def close(self) -> None:
        """Stop listening."""
