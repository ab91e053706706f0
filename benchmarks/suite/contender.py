"""What a queue must be able to do to be measured. Every file in ``contenders`` is one queue, with these same function names."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from suite.database import Database
from suite.trace import Trace

NOTE = "a payload of about a hundred bytes, as a small task of daily life would carry it around with itself"
"""Every pushed task carries this text and the time at which it was pushed."""
RESULT = "ok"
"""What every handler returns, so that queues that keep results have one to keep."""


class NotOffered(Exception):
    """The queue has no such thing, or not on this machine; the message says what is missing."""


class Contender:
    """One queue in one setting, with its data in ``folder``. Methods that measure return the seconds that the measured part took.

    ``variant`` chooses among the settings of one file: ``raw:NORMAL`` is the file ``raw`` with the variant ``NORMAL``.
    """

    durability: str = "?"
    """SQLite's ``synchronous`` with which an acknowledged push is stored; empty on PostgreSQL, where all have the server's defaults."""
    note: ClassVar[str] = ""
    """What to know before comparing."""
    drain_at_most: ClassVar[int] = 10_000
    """Slow queues drain fewer tasks, so that a run ends."""

    def __init__(self, folder: Path, variant: str = "") -> None:
        self.folder = folder
        self.variant = variant
        self.postgres = Database.of(folder)

    def prepare(self) -> None:
        """Make what the store needs before the first task, once; not measured."""

    def push_one(self, tasks: int) -> float:
        """One caller pushes one task after the other, each stored before the next."""
        raise NotOffered("push")

    def push_callers(self, tasks: int, callers: int) -> float:
        """``callers`` callers of one process push at the same time, each waiting for its own push."""
        raise NotOffered("no concurrent push")

    def push_bulk(self, tasks: int) -> float:
        """All tasks in one call or transaction."""
        raise NotOffered("no bulk push")

    def fill(self, tasks: int) -> None:
        """Store ``tasks`` tasks, as fast as it goes; not measured."""
        try:
            self.push_bulk(tasks)
        except NotOffered:
            self.push_one(tasks)

    def finished(self) -> Callable[[], int]:
        """A function that says how many tasks are durably finished, as the store has it."""
        raise NotOffered("no record of finished tasks")

    def left(self, tasks: int) -> Callable[[], int]:
        """A function that says how many of ``tasks`` stored tasks are not durably finished, as the store has it."""
        finished = self.finished()
        return lambda: tasks - finished()

    def age(self, tasks: int) -> None:
        """Store copies of the finished tasks until there are ``tasks`` of them; not measured."""
        raise NotOffered("no way to copy finished tasks")

    def work(self, trace: Trace) -> None:
        """Run one worker until the process is told to end. Its handler calls ``trace.hit`` with the time of the push."""
        raise NotOffered("no worker")

    def pusher(self) -> Callable[[float], object]:
        """A function that pushes one task carrying the given time, and returns when it is stored."""
        raise NotOffered("push")


def contender(name: str, folder: Path) -> Contender:
    """The contender called ``file`` or ``file:variant``. Raises ImportError where its library is not installed."""
    file, _, variant = name.partition(":")
    kind: type[Contender] = importlib.import_module(f"contenders.{file}").CONTENDER
    return kind(folder, variant)


def payload(sent: float) -> str:
    """A task's arguments as JSON, for queues that store text."""
    return json.dumps({"sent": sent, "note": NOTE})
