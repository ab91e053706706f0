"""The one writer of a store: a thread that puts all operations that wait into one transaction.

Concurrent callers thus share the price of a commit. An operation is a function of a ``Transaction``; it may be run again when a neighbour in
its transaction failed, so it must have no effect outside of the store.
"""

import asyncio
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from queue_core.backends.relational.tally import Changes
from queue_core.backends.sqlite.binding import json_list
from queue_core.backends.sqlite.failures import explain, is_busy
from queue_core.backends.sqlite.opened import OpenedFile
from queue_core.backends.sqlite.patience import LOCK_LIMIT, patiently
from queue_core.backends.sqlite.schema import Synchronous, open_writer
from queue_core.backends.sqlite.transaction import Transaction, sql
from queue_core.clock import Clock, to_us
from queue_core.errors import NotConnected, StoreUnavailable
from queue_core.expose import Topic

_log = logging.getLogger("prinia.sqlite")

T = TypeVar("T")
Operation = Callable[[Transaction], T]

MOST_OPERATIONS: Final = 512
"""How many operations share one transaction at most, so that none waits long."""
SYNCHRONOUS_LIMIT: Final = 5.0
"""Seconds that a caller without an event loop waits."""


class Listener(Protocol):
    """What the writer tells about changes; called in its thread."""

    def poll_every(self) -> float | None:
        """Seconds between looks for commits of others; None while nobody listens."""
        ...

    def committed(self, changes: Changes) -> None:
        """A transaction of this writer was committed."""
        ...

    def opened(self, versions: Mapping[Topic, int]) -> None:
        """The store is open, and each topic has changed so often."""
        ...

    def awaited(self) -> list[str]:
        """The ids of the tasks whose end somebody waits for."""
        ...

    def foreign_commit(self, versions: Mapping[Topic, int], ended: Sequence[str]) -> None:
        """Another connection committed something; each topic has changed so often, and these awaited tasks have ended."""
        ...


@dataclass(slots=True)
class _Job:
    operation: Operation[Any]
    future: "asyncio.Future[Any] | Future[Any]"
    loop: asyncio.AbstractEventLoop | None = None
    durable: bool = True


_Result = tuple[_Job, Any, BaseException | None]


class Writer:
    """Runs operations on a store, whole batches a transaction. Start it before use."""

    def __init__(self, path: Path, clock: Clock, synchronous: Synchronous, listener: Listener) -> None:
        self._path = path
        self._clock = clock
        self._synchronous: Synchronous = synchronous
        self._flushing: Synchronous = synchronous
        self._listener = listener
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pid = os.getpid()
        self._closed = False
        self._seen = 0
        self._looked_at = 0.0
        self._known_queues: set[str] = set()
        self._limited: set[str] = set()
        self.transactions = 0
        """How many transactions were committed."""

    # --- from any thread -----------------------------------------------------------------------------

    def start(self) -> None:
        """Open the store in the thread of the writer; blocks until that is done. Raises what opening raises."""
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name=f"prinia-writer {self._path.name}", daemon=True)
        self._thread.start()
        opened.result()

    def close(self) -> None:
        """Finish what was accepted, then end; blocks until that is done."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        if self._pid == os.getpid():
            self._thread.join()

    def check_file(self, *, afresh: bool = False) -> None:
        """Raise StoreUnavailable when the file was deleted or replaced since it was opened."""
        self._file.check(afresh=afresh)

    def nudge(self) -> None:
        """Let the writer look for others' commits at once, and ask its listener again how often to."""
        self._looked_at = 0.0
        if not self._closed:
            self._jobs.put(_Job(_nothing, _cancelled()))

    async def submit(self, operation: Operation[T], *, durable: bool = True) -> T:
        """The result of ``operation``, once it is committed.

        ``durable=False``: what it did may be undone by a loss of power (not by the death of a process), until the next durable commit.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(operation, future, loop, durable))
        return await future

    def submit_and_wait(self, operation: Operation[T], limit: float = SYNCHRONOUS_LIMIT) -> T:
        """As ``submit``, without an event loop. Raises StoreUnavailable after ``limit`` seconds."""
        self._check_open()
        future: Future[T] = Future()
        self._jobs.put(_Job(operation, future))
        try:
            return future.result(limit)
        except TookTooLong:
            future.cancel()
            raise StoreUnavailable(f"The store {self._path.name} did not answer within {limit:g} s. It will be tried again.") from None

    def _check_open(self) -> None:
        if self._closed:
            raise NotConnected(f"The store {self._path.name} is closed. Open it first: async with app, or await store.open().")
        if self._pid != os.getpid():
            raise NotConnected(
                f"The store {self._path.name} was opened before this process was forked from process {self._pid}. "
                "Connect anew in the child; SQLite connections must not cross a fork."
            )

    # --- in the writer's thread ------------------------------------------------------------------------

    def _run(self, opened: "Future[None]") -> None:
        try:
            self._connection = open_writer(self._path, self._synchronous)
            self._file = OpenedFile(self._path)
        except sqlite3.Error as error:
            opened.set_exception(explain(error, self._path))
            return
        except BaseException as error:
            opened.set_exception(error)
            return
        self._seen = self._data_version()
        self._listener.opened(self._versions())
        opened.set_result(None)
        while jobs := self._next_batch():
            self._settle(jobs)
            self._look_for_others()
        self._connection.close()

    def _next_batch(self) -> list[_Job]:
        """What waits, at least one; empty when the writer is closed."""
        first = self._wait_for_job()
        if first is None:
            return []
        jobs = [first]
        try:
            while len(jobs) < MOST_OPERATIONS:
                job = self._jobs.get_nowait()
                if job is None:
                    self._jobs.put(None)  # end after this batch
                    break
                jobs.append(job)
        except queue.Empty:
            pass
        return jobs

    def _wait_for_job(self) -> _Job | None:
        while True:
            try:
                return self._jobs.get(timeout=self._listener.poll_every())
            except queue.Empty:
                self._look_for_others()

    def _look_for_others(self) -> None:
        pause = self._listener.poll_every()
        if pause is None or (now := time.monotonic()) < self._looked_at + pause / 2:
            return
        self._looked_at = now
        version = self._data_version()
        if version != self._seen:
            self._seen = version
            self._tell(lambda: self._listener.foreign_commit(self._versions(), self._ended(self._listener.awaited())))

    def _tell(self, call: Callable[[], None]) -> None:
        """Tell the listener. What goes wrong there must not end the writer; all it costs is a late wake-up."""
        try:
            call()
        except Exception:
            _log.exception("The listeners of the store %s could not be told of a commit", self._path)

    def _data_version(self) -> int:
        """A number that moves when another connection commits, and never for our own commits."""
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return self._seen

    def _versions(self) -> dict[Topic, int]:
        try:
            return dict(self._connection.execute(sql("versions")).fetchall())
        except sqlite3.Error:
            return {}

    def _ended(self, ids: Sequence[str]) -> list[str]:
        """Those of ``ids`` that have reached a final state."""
        if not ids:
            return []
        try:
            return [id for (id,) in self._connection.execute(sql("ended"), {"ids": json_list(ids)}).fetchall()]
        except sqlite3.Error:
            return []

    def _settle(self, jobs: list[_Job]) -> None:
        """Run ``jobs`` in one transaction; where one of them fails, in halves, so that it fails no other."""
        jobs = [job for job in jobs if not job.future.cancelled()]
        if not jobs:
            return
        try:
            results, changes = self._transaction(jobs)
        except Exception as error:
            if len(jobs) == 1 or _is_hopeless(error):
                _deliver([(job, None, self._explained(error)) for job in jobs])
                return
            half = len(jobs) // 2
            self._settle(jobs[:half])
            self._settle(jobs[half:])
            return
        _deliver(results)
        if changes:
            self._tell(lambda: self._listener.committed(changes))

    def _transaction(self, jobs: list[_Job]) -> tuple[list[_Result], Changes]:
        connection = self._connection
        self._file.check()
        self._flush_at_commit(any(job.durable for job in jobs))
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"), LOCK_LIMIT)
        try:
            tx = Transaction(connection, to_us(self._clock.now()), self._known_queues, self._limited)
            results: list[_Result] = [(job, job.operation(tx), None) for job in jobs]
            tx.flush()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.transactions += 1
        self._known_queues |= tx.tally.named
        return results, tx.changes()

    def _flush_at_commit(self, durable: bool) -> None:
        """Let the coming commits wait for the disk, or not. Nothing that a caller was promised depends on those that do not."""
        wanted: Synchronous = self._synchronous if durable else "normal"
        if wanted != self._flushing:
            self._connection.execute(f"PRAGMA synchronous = {wanted}")
            self._flushing = wanted

    def _explained(self, error: Exception) -> Exception:
        return explain(error, self._path) if isinstance(error, sqlite3.Error) else error


def _is_hopeless(error: Exception) -> bool:
    """Whether every other transaction would fail in the same way now."""
    return isinstance(error, StoreUnavailable) or (isinstance(error, sqlite3.OperationalError) and is_busy(error))


def _nothing(tx: Transaction) -> None:
    """An operation that only wakes the writer."""


def _cancelled() -> "Future[Any]":
    future: Future[Any] = Future()
    future.cancel()
    return future


def _deliver(results: Iterable[_Result]) -> None:
    """Hand out results: one call for each event loop, whatever the size of the batch."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Result]] = {}
    for result in results:
        loop = result[0].loop
        if loop is None:
            _resolve([result])
        else:
            by_loop.setdefault(loop, []).append(result)
    for loop, own in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, own)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _resolve(results: list[_Result]) -> None:
    for job, value, error in results:
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(value)
        else:
            job.future.set_exception(error)
