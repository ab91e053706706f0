"""Stores what runs log: a few times a second, and before the store hears how a run ended."""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from queue_core.backend import Backend
from queue_core.errors import StoreUnavailable
from queue_core.logs import LogLine
from queue_core.task import Lease
from queue_core.worker.capture import Said, Tap, said
from queue_core.worker.loop import Loop

if TYPE_CHECKING:
    from queue_core.worker.running import Run

FIRST: Final = (900, 224 * 1024)
"""How many lines, and characters, of an attempt are stored as they come."""
LAST: Final = (100, 32 * 1024)
"""How many of those that come later are stored when it ends."""
WAITING: Final = (10_000, 8 * 1024 * 1024)
"""How many lines, and characters, a worker keeps at most while the store is away."""
BATCH: Final = (1_000, 1024 * 1024)
"""How many lines, and characters, one call stores at most."""
GATHER: Final = 0.25
"""Seconds that a line may wait for others."""
GOODBYE: Final = 1.0
"""Seconds that storing the last lines may take when the worker ends."""
_log = logging.getLogger("prinia.worker")

current: ContextVar["Run | None"] = ContextVar("prinia_run", default=None)
"""The run that the code which asks belongs to."""


def _hear(record: logging.LogRecord) -> None:
    run = current.get()
    if run is not None and run.scribe is not None and record.levelno >= run.scribe.level:
        run.scribe.add(run, said(record))


tap: Final = Tap(_hear)
"""Hears what the runs of all workers of this process log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(LogLine):
    """Stands for ``lost`` lines that were dropped because the store was away too long."""

    lost: int


class Journal:
    """What one run logged and is not stored yet."""

    __slots__ = ("_dropped", "_last_lost", "_lost", "_number", "_room", "_tail", "_tail_size", "closed", "lease", "waiting")

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.waiting: deque[LogLine] = deque()
        self.closed = False
        self._lost = 0
        self._last_lost: LogLine | None = None
        self._number = 0
        self._room = FIRST
        self._tail: deque[LogLine] = deque()
        self._tail_size = 0
        self._dropped = 0

    def add(self, what: Said) -> LogLine | None:
        """Note a line; returns it if it is to be stored now."""
        self._number += 1
        line = LogLine(number=self._number, at=what.at, level=what.level, logger=what.logger, message=what.message)
        lines, size = self._room
        if not lines or len(line.message) > size:
            self._keep_for_later(line)
            return None
        self._room = lines - 1, size - len(line.message)
        self.waiting.append(line)
        return line

    def close(self) -> list[LogLine]:
        """Let the last lines be stored, and take no more. Returns them."""
        self.closed = True
        last = list(self._tail)
        self._tail.clear()
        if self._dropped:
            told = f"{self._dropped:,} lines were left out here: of an attempt the first {FIRST[0]} and the last {LAST[0]} are kept, within 256 KiB."
            last.insert(0, _note(self._number - len(last), last[0].at if last else None, told))
        self.waiting += last
        return last

    def drop_oldest(self) -> LogLine:
        """Forget the line that waits longest."""
        self._last_lost = self.waiting.popleft()
        self._lost += 1
        return self._last_lost

    def gap(self) -> Gap | None:
        """What to store in the place of lines that were dropped; None if none were since this was last asked."""
        last, lost, self._lost = self._last_lost, self._lost, 0
        if not lost or last is None:
            return None
        number = self.waiting[0].number - 1 if self.waiting else last.number
        told = f"{lost:,} lines were left out here: the store was away for too long to keep them all."
        return Gap(number=number, at=last.at, level=logging.WARNING, logger="prinia", message=told, lost=lost)

    def put_back(self, line: LogLine) -> bool:
        """Let ``line``, which was taken, wait again before all others. Whether it does: dropped ones are only counted."""
        if isinstance(line, Gap):
            self._lost, self._last_lost = self._lost + line.lost, self._last_lost or line
            return False
        self.waiting.appendleft(line)
        return True

    def _keep_for_later(self, line: LogLine) -> None:
        self._room = 0, 0
        self._tail.append(line)
        self._tail_size += len(line.message)
        while len(self._tail) > LAST[0] or self._tail_size > LAST[1]:
            self._tail_size -= len(self._tail.popleft().message)
            self._dropped += 1


def _note(number: int, at: datetime | None, message: str) -> LogLine:
    return LogLine(number=number, at=at or datetime.now().astimezone(), level=logging.WARNING, logger="prinia", message=message)


class Scribe:
    """Stores the lines of a worker's runs in batches. Runs that log nothing never come here."""

    def __init__(self, backend: Backend, level: int) -> None:
        self.level = level
        self._backend = backend
        self._journals: dict[Journal, None] = {}
        """Those with lines to store, in the order in which they began to wait."""
        self._lines = 0
        self._size = 0
        self._called = False
        self._lock = threading.RLock()  # not a Lock: the garbage collector may call what logs at any point
        self._turn = asyncio.Lock()
        self._event_loop = asyncio.get_running_loop()
        self._loop = Loop("scribe", self._flush, report=_report)

    def start(self) -> None:
        """Begin to store."""
        self._loop.start()

    async def close(self) -> None:
        """Store what waits, if that takes no longer than a moment."""
        await self._loop.stop(grace=GOODBYE)
        with contextlib.suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self.flush()
        if self._lines:
            _log.warning("%d log lines could not be stored before the worker ended.", self._lines)

    def add(self, run: "Run", what: Said) -> None:
        """Note what ``run`` logged. From any thread."""
        with self._lock:
            journal = run.journal = run.journal or Journal(run.claim.lease)
            if journal.closed:
                return
            line = journal.add(what)
            if line is not None:
                self._count(journal, line)
            is_call = not self._called and line is not None
            self._called = self._called or is_call
        if is_call:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to store it
                self._event_loop.call_soon_threadsafe(self._call)

    def end(self, journal: Journal) -> None:
        """Its run has ended: it logs no more."""
        with self._lock:
            for line in journal.close():
                self._count(journal, line)

    @property
    def is_busy(self) -> bool:
        """Whether lines wait, or are being stored."""
        return bool(self._journals) or self._turn.locked()

    async def flush(self) -> None:
        """Store all that was noted before. Raises StoreUnavailable, and keeps it."""
        async with self._turn:
            while batch := self._take():
                await self._store(batch)

    def _call(self) -> None:
        self._event_loop.call_later(GATHER, self._loop.wake)

    async def _flush(self) -> None:
        self._called = False
        await self.flush()

    async def _store(self, batch: list[tuple[Journal, LogLine]]) -> None:
        try:
            await self._backend.log([(journal.lease, line) for journal, line in batch])
        except (StoreUnavailable, asyncio.CancelledError):
            self._put_back(batch)
            raise
        except Exception:
            await self._store_each(batch)  # something in it cannot be stored; alone, it harms only itself

    async def _store_each(self, batch: list[tuple[Journal, LogLine]]) -> None:
        refused: list[Exception] = []
        for place, (journal, line) in enumerate(batch):
            try:
                await self._backend.log([(journal.lease, line)])
            except (StoreUnavailable, asyncio.CancelledError):
                self._put_back(batch[place:])
                raise
            except Exception as error:
                refused.append(error)
        if refused:
            _log.error("%d log lines were refused by the store and are dropped: %s", len(refused), refused[0], exc_info=refused[0])

    def _take(self) -> list[tuple[Journal, LogLine]]:
        batch: list[tuple[Journal, LogLine]] = []
        size = 0
        with self._lock:
            while self._journals and len(batch) < BATCH[0] and size < BATCH[1]:
                journal = next(iter(self._journals))
                if (gap := journal.gap()) is not None:
                    batch.append((journal, gap))
                while journal.waiting and len(batch) < BATCH[0] and size < BATCH[1]:
                    line = journal.waiting.popleft()
                    batch.append((journal, line))
                    size += len(line.message)
                    self._lines -= 1
                if not journal.waiting:
                    del self._journals[journal]
            self._size -= size
        return batch

    def _put_back(self, batch: list[tuple[Journal, LogLine]]) -> None:
        with self._lock:
            later = self._journals
            self._journals = dict.fromkeys(journal for journal, _ in batch) | later
            for journal, line in reversed(batch):
                if journal.put_back(line):
                    self._lines += 1
                    self._size += len(line.message)
            self._bound()

    def _count(self, journal: Journal, line: LogLine) -> None:
        self._journals[journal] = None
        self._lines += 1
        self._size += len(line.message)
        self._bound()

    def _bound(self) -> None:
        """Drop the oldest lines of all, so that no outage of the store fills the memory."""
        while self._lines > WAITING[0] or self._size > WAITING[1]:
            journal = next(iter(self._journals))
            if journal.waiting:
                self._lines -= 1
                self._size -= len(journal.drop_oldest().message)
            else:  # only the number of its lines is left to be told
                del self._journals[journal]
                self._journals[journal] = None


@asynccontextmanager
async def scribing(scribe: Scribe | None) -> AsyncIterator[None]:
    """Hear and store what the runs of a worker log; None: do not."""
    if scribe is None:
        yield
        return
    with tap.open(scribe.level):
        scribe.start()
        try:
            yield
        finally:
            await scribe.close()


def _report(part: str, error: BaseException) -> None:
    if not isinstance(error, StoreUnavailable):  # which other parts of the worker tell of
        _log.error("The %s of a worker failed and tries again: %s", part, error, exc_info=error)
