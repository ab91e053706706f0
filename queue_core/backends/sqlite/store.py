"""One opened SQLite store: its writer, its readers and its listeners, shared by both contracts."""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from queue_core.backends._rows import Row
from queue_core.backends.relational.hub import Hub
from queue_core.backends.relational.transaction import Operation
from queue_core.backends.sqlite.reader import Reader
from queue_core.backends.sqlite.schema import Synchronous
from queue_core.backends.sqlite.sharing import perform
from queue_core.backends.sqlite.signals import Signals
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.backends.sqlite.writer import Writer
from queue_core.clock import Clock, HandWoundClock
from queue_core.errors import NotConnected

T = TypeVar("T")
P = ParamSpec("P")


class Store:
    """Opens and closes as one; runs operations and reads."""

    indexes_places = True

    def __init__(self, path: Path, clock: Clock, synchronous: Synchronous) -> None:
        self.path = path
        self.clock = clock
        self._synchronous: Synchronous = synchronous
        self._writer: Writer | None = None
        self._opening = asyncio.Lock()
        self.hub = Hub(self._listeners_changed)
        if isinstance(clock, HandWoundClock):
            clock.on_advance(self.hub.wake_workers)

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        async with self._opening:
            if self._writer is None:
                await self._open()

    async def _open(self) -> None:
        signals = Signals(self.path, self.hub, self._nudge)
        writer = Writer(self.path, self.clock, self._synchronous, signals)
        reader = Reader(self.path)
        await asyncio.to_thread(writer.start)
        try:
            await reader.open()
        except BaseException:
            await reader.close()
            await asyncio.to_thread(writer.close)
            raise
        self._reader, self._signals, self._opened_in = reader, signals, os.getpid()
        self._writer = writer

    async def close(self) -> None:
        """Finish what was accepted, then disconnect."""
        async with self._opening:
            if self._writer is None:
                return
            writer, self._writer = self._writer, None
            if self._opened_in != os.getpid():
                return  # a forked child: threads, connections and sockets are its parent's
            self.hub.close()
            await self._reader.close()
            await asyncio.to_thread(writer.close)
            self._signals.close()

    @property
    def writer(self) -> Writer:
        """The writer. Raises NotConnected while the store is not open."""
        if self._writer is None:
            raise NotConnected(f"The store {self.path.name} is not open. Open it first: await store.open().")
        return self._writer

    @property
    def signals(self) -> Signals:
        """The link to other processes. Raises NotConnected while the store is not open."""
        self.check_open()
        return self._signals

    def check_open(self) -> None:
        """Raise NotConnected while the store is not open."""
        _ = self.writer

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
        return await self._reader.rows(name, **values)

    async def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the reading statement ``name`` returns."""
        self.check_open()
        return await self._reader.row(name, **values)

    def _listeners_changed(self) -> None:
        if self._writer is not None:
            self._signals.refresh()
            self._nudge()

    def _nudge(self) -> None:
        if self._writer is not None:
            self._writer.nudge()
