"""A memory store that writes what each transaction changed into a file, and is read from it."""

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from queue_core.backends.jsonfile import lines
from queue_core.backends.jsonfile.journal import Journal
from queue_core.backends.jsonfile.lines import Line
from queue_core.backends.jsonfile.tables import FileLogs, FileRollups, FileTasks, FileWorkers
from queue_core.backends.memory.state import State
from queue_core.clock import Clock
from queue_core.errors import InvalidValue, StoreUnavailable

if TYPE_CHECKING:
    from queue_core.backends.jsonfile.session import FileSession

T = TypeVar("T")
SMALL: Final = ("pauses", "limits", "taken", "schedules", "ticks")
"""Tables that are written whole when they change."""
CHUNK: Final = 100
"""How many rows a line of a fresh file holds."""


class FileState(State):
    """One store. What is in memory is what the file says, between transactions."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        super().__init__(clock)
        self.users: Final[set[FileSession]] = set()
        self._journal = journal
        self._process = os.getpid()
        self._is_whole = False
        self._forget()

    @property
    def path(self) -> Path:
        """The file."""
        return self._journal.path

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Have the file read, and keep it for those who are users afterwards. Raises StoreUnavailable, InvalidValue."""
        with self._lock:
            if not self._journal.is_open:
                self._journal.open()
                self._process = os.getpid()
                try:
                    self._read()
                except BaseException:
                    self.let_go()
                    raise
            yield

    def let_go(self) -> None:
        """Let other processes have the file, unless somebody here uses it."""
        with self._lock:
            self.users.intersection_update({user for user in self.users if user.is_open})
            if not self.users and self._journal.is_open:
                self._journal.close()
                self._forget()

    @contextmanager
    def transaction(self) -> Iterator[datetime]:
        """Have the store alone, at one moment. Raises StoreUnavailable when what changed cannot be stored; then nothing has changed."""
        with self._lock:
            self._check()
            self.now = self.clock.now()
            try:
                yield self.now
            finally:
                self._save()

    # --- writing -----------------------------------------------------------------------------------------

    def _check(self) -> None:
        if os.getpid() != self._process:
            raise StoreUnavailable(f"The store {self.path} belongs to the process that this one was forked from. Use sqlite:/// to share a store.")
        if not self._is_whole:
            self._restore()

    def _save(self) -> None:
        line = self._line()
        if line is not None:
            self._append(line)
            self._settle()
        if self._journal.has_grown:
            self._compact()

    def _line(self) -> bytes | None:
        try:
            return lines.encoded(self._changes())
        except BaseException:  # what cannot be written must not stay here either
            self._is_whole = False
            self._restore()
            raise

    def _append(self, line: bytes) -> None:
        try:
            self._journal.append(line)
        except StoreUnavailable:
            self._is_whole = False
            self._restore()
            raise

    def _changes(self) -> Line:
        return Line(
            tasks=self.tasks.changed(),
            workers=self.workers.changed(),
            logs=self.logs.changed(),
            logged=self.logs.changed_tasks(),
            rollups=self.rollups.changed(),
            pruned=self.rollups.pruned,
            audit=[entry for entry in self.audit if entry.id > self._saved_audit] if self._audited > self._saved_audit else [],
            audit_from=self._audit_from() if self._audit_from() > self._saved_audit_from else 0,
            last_claim=self.last_claim if self.last_claim != self._saved_claim else None,
            **{name: getattr(self, name) for name, saved in self._saved_small.items() if lines.whole(getattr(self, name)) != saved},
        )

    def _audit_from(self) -> int:
        return self.audit[0].id if self.audit else self._audited + 1

    def _settle(self) -> None:
        """Remember that what is here is stored."""
        for table in (self.tasks, self.workers, self.logs, self.rollups):
            table.settle()
        self._saved_audit, self._saved_audit_from, self._saved_claim = self._audited, self._audit_from(), self.last_claim
        self._saved_small = {name: lines.whole(getattr(self, name)) for name in SMALL}

    def _compact(self) -> None:
        try:
            self._journal.rewrite(data for line in self._holding() if (data := lines.encoded(line)) is not None)
        except StoreUnavailable:
            pass  # the file that has grown is as good; the next transaction tries again

    def _holding(self) -> Iterator[Line]:
        """Everything, in lines of bounded length."""
        small = {name: getattr(self, name) for name in SMALL}
        yield Line(last_claim=self.last_claim, last_seq=self.tasks.last_seq, last_place=self.logs.last_place, audit_from=self._audit_from(), **small)
        for rows in batched(self.tasks, CHUNK):
            yield Line(tasks={row.task.id: row for row in rows})
        for workers in batched(self.workers, CHUNK):
            yield Line(workers={row.info.boot: row for row in workers})
        for logged in batched(self.logs, CHUNK):
            yield Line(logs={entry.place: (entry, at) for entry, at in logged})
        for latest in batched(self.logs.latest.items(), CHUNK):
            yield Line(logged=dict(latest))
        for tallies in batched(self.rollups, CHUNK):
            yield Line(rollups=list(tallies))
        for entries in batched(self.audit, CHUNK):
            yield Line(audit=list(entries))

    # --- reading -----------------------------------------------------------------------------------------

    def _restore(self) -> None:
        """After a failed write, have what the file says. Raises StoreUnavailable while that cannot be."""
        self._journal.cut_back()
        self._read()

    def _read(self) -> None:
        self._forget()
        torn: tuple[int, bytes] | None = None
        for number, line in enumerate(self._journal.lines(), 2):
            if torn is not None:
                raise self._damaged(torn[0], "lines follow it")
            try:
                self._apply(lines.decoded(line))
            except Exception as error:
                if b"\0" not in line:  # no loss of power writes that
                    raise self._damaged(number, f"{type(error).__name__}: {error}") from error
                torn = number, line
        if torn is not None:  # the power failed while the last line was written
            self._journal.cut_off(len(torn[1]))
        self._is_whole = True
        self._settle()
        if self._journal.has_grown:
            self._compact()

    def _damaged(self, number: int, why: str) -> InvalidValue:
        return InvalidValue(
            f"The store {self.path} is damaged in line {number}: {why.rstrip('.')}. It is left as it is; restore it from a copy, "
            "or take the line out if what it says may be lost."
        )

    def _forget(self) -> None:
        self.tasks: FileTasks = FileTasks()
        self.workers: FileWorkers = FileWorkers()
        self.logs: FileLogs = FileLogs()
        self.rollups: FileRollups = FileRollups()
        self.pauses, self.limits, self.taken, self.schedules, self.ticks = {}, {}, {}, {}, {}
        self.audit, self._audited, self.last_claim = [], 0, None
        self._settle()

    def _apply(self, line: Line) -> None:
        for id, row in line.tasks.items():
            self.tasks.restore(id, row)
        for boot, worker in line.workers.items():
            self.workers.restore(boot, worker)
        for place, logged in line.logs.items():
            self.logs.restore(place, logged)
        for task, latest in line.logged.items():
            self.logs.restore_task(task, latest)
        for span, before in line.pruned.items():
            self.rollups.prune(span, before)
        for span, start, queue, tally in line.rollups:
            self.rollups.restore(span, start, queue, tally)
        for name in SMALL:
            if getattr(line, name) is not msgspec.UNSET:
                setattr(self, name, getattr(line, name))
        self.audit += line.audit
        if line.audit_from:
            self.audit = [entry for entry in self.audit if entry.id >= line.audit_from]
        self._audited = max([self._audited, line.audit_from - 1, *(entry.id for entry in line.audit)])
        self.last_claim = line.last_claim or self.last_claim
        self.tasks.last_seq = max(self.tasks.last_seq, line.last_seq)
        self.logs.last_place = max(self.logs.last_place, line.last_place)


def batched(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of at most ``size``."""
    rest = iter(rows)
    while batch := list(itertools.islice(rest, size)):
        yield batch
