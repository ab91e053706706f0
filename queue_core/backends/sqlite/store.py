"""One opened SQLite store: its writer, its readers and its listeners, shared by both contracts.

All event loops of a process share the writer, which is a thread, and the listeners. Each reads on connections of its own, so that a loop which is
gone while it reads leaves none behind that answers no more.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from queue_core.backends._rows import Row
from queue_core.backends.relational.hub import Hub
from queue_core.backends.relational.transaction import Operation
from queue_core.backends.sqlite.location import Mode
from queue_core.backends.sqlite.reader import Reader
from queue_core.backends.sqlite.schema import Synchronous
from queue_core.backends.sqlite.sharing import perform
from queue_core.backends.sqlite.signals import Signals
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.backends.sqlite.writer import Writer
from queue_core.clock import Clock, HandWoundClock
from queue_core.errors import NotConnected, PriniaError, StoreMissing, StoreUnavailable
from queue_core.loops import Loops

T = TypeVar("T")
P = ParamSpec("P")


class Store:
    """Opens and closes as one for each event loop, and as a whole with the first and the last of them; runs operations and reads."""

    indexes_places = True

    def __init__(self, path: Path, clock: Clock, synchronous: Synchronous, *, mode: Mode = "listen", create: bool = True) -> None:
        self.path = path
        self._mode: Mode = mode
        self._create = create
        self.clock = clock
        self._synchronous: Synchronous = synchronous
        self._writer: Writer | None = None
        self._loops = Loops()
        self._readers: dict[asyncio.AbstractEventLoop, asyncio.Future[Reader]] = {}
        self._turn = threading.Lock()
        """Held to open and to close, in threads only: no event loop waits for another."""
        self.hub = Hub(self._listeners_changed)
        if isinstance(clock, HandWoundClock):
            clock.on_advance(self.hub.time_moved)

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            await asyncio.to_thread(self._enter, loop)

    def _enter(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._turn:
            self._forget_readers()
            if self._writer is None:
                self._start()
            self._loops.enter(loop)

    def _start(self) -> None:
        if not self._create and not self.path.exists():
            raise StoreMissing(self.path, f"sqlite:///{quote(str(self.path))}")
        signals = Signals(self.path, self.hub, self._nudge, mode=self._mode)
        writer = Writer(self.path, self.clock, self._synchronous, signals)
        writer.start()
        self._signals, self._opened_in = signals, os.getpid()
        self._writer = writer

    def _forget_readers(self) -> None:
        """Disconnect those whose event loop is gone."""
        for loop in [loop for loop in self._readers if loop.is_closed()]:
            reader = self._readers.pop(loop)
            if reader.done() and not reader.cancelled() and not reader.exception():
                reader.result().abandon()

    async def close(self) -> None:
        """Finish what was accepted, then disconnect."""
        if self._writer is None:
            return
        if self._opened_in != os.getpid():
            self._writer, self._loops, self._readers = None, Loops(), {}  # a forked child: threads, connections and sockets are its parent's
            return
        loop = asyncio.get_running_loop()
        self._loops.leave(loop)
        self.hub.close(loop)
        reader = self._readers.pop(loop, None)
        if reader is not None:
            await (await reader).close()
        await asyncio.to_thread(self._leave)

    def _leave(self) -> None:
        with self._turn:
            self._forget_readers()
            if self._writer is None:
                return
            if self._loops:
                with contextlib.suppress(StoreUnavailable):
                    self._writer.submit_and_wait(_nothing)  # after it, what this event loop has submitted is done
                return
            writer, self._writer = self._writer, None
            writer.close()
            self._signals.close()

    @property
    def writer(self) -> Writer:
        """The writer. Raises NotConnected while the store is not open in the running event loop."""
        if self._writer is None or not self._loops.here:
            raise NotConnected(f"The store {self.path.name} is not open in this event loop. Open it first: async with app, or await store.open().")
        return self._writer

    @property
    def signals(self) -> Signals:
        """The link to other processes. Raises NotConnected while the store is not open."""
        self.check_open()
        return self._signals

    def check_open(self) -> None:
        """Raise NotConnected while the store is not open in the running event loop, and in a forked child."""
        _ = self.writer
        if self._opened_in != os.getpid():
            raise NotConnected(
                f"The store {self.path.name} was opened before this process was forked from process {self._opened_in}. Connect anew in the child."
            )

    async def now(self) -> datetime:
        """The store's time."""
        return self.clock.now()

    async def write(self, operation: Operation[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """The result of the shared ``operation``, once it is committed."""
        return await self.writer.submit(lambda tx: perform(tx, operation, *arguments, **named))

    async def write_lightly(self, operation: Operation[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """As ``write``, without waiting for the disk: for what a loss of power may undo, because the store is right without it too."""
        return await self.writer.submit(lambda tx: perform(tx, operation, *arguments, **named), durable=False)

    async def operate(self, operation: Callable[Concatenate[Transaction, P], T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """As ``write``, for what is SQLite's own: the result of the plain function ``operation``."""
        return await self.writer.submit(lambda tx: operation(tx, *arguments, **named))

    async def operate_lightly(self, operation: Callable[Concatenate[Transaction, P], T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """As ``operate``, without waiting for the disk."""
        return await self.writer.submit(lambda tx: operation(tx, *arguments, **named), durable=False)

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the reading statement ``name`` returns."""
        self.check_open()
        self.writer.check_file()
        return await (await self._reader()).rows(name, **values)

    async def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the reading statement ``name`` returns."""
        self.check_open()
        self.writer.check_file()
        return await (await self._reader()).row(name, **values)

    async def _reader(self) -> Reader:
        """The connections on which the running event loop reads, made when it first does."""
        loop = asyncio.get_running_loop()
        if loop not in self._readers:
            self._readers[loop] = loop.create_task(self._new_reader(loop, self.writer))
        return await asyncio.shield(self._readers[loop])

    async def _new_reader(self, loop: asyncio.AbstractEventLoop, writer: Writer) -> Reader:
        reader = Reader(self.path)
        try:
            writer.check_file(afresh=True)
            await reader.open()
            writer.check_file(afresh=True)  # else it may read what the writer does not write
        except (PriniaError, asyncio.CancelledError):
            self._readers.pop(loop, None)
            reader.abandon()
            raise
        return reader

    def _listeners_changed(self) -> None:
        if self._writer is not None:
            self._signals.refresh()
            self._nudge()

    def _nudge(self) -> None:
        if self._writer is not None:
            self._writer.nudge()


def _nothing(tx: Transaction) -> None:
    """What is done once all before it is done."""
