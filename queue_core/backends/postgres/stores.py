"""One PostgreSQL store for all event loops of a process: the first uses its connections directly, the others share those of a thread.

A connection of asyncpg belongs to one event loop. A set of them for each loop would exhaust a server as soon as a program has many threads; and work
that is carried to a loop of the program's own would wait for ever when that stands still. So a thread with a loop of its own serves all but one.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from queue_core.backends._rows import Row
from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.line import not_open
from queue_core.backends.postgres.pulse import Pulse
from queue_core.backends.postgres.store import Store
from queue_core.backends.postgres.transaction import Transaction
from queue_core.backends.relational.hub import Hub
from queue_core.backends.relational.transaction import Operation
from queue_core.clock import Clock
from queue_core.errors import NotConnected

T = TypeVar("T")
P = ParamSpec("P")
Loop = asyncio.AbstractEventLoop


class Stores:
    """What both contracts use. The first loop that opens it is served directly, all others are guests until every loop has closed it or is gone.

    So programs that run a loop for each call connect twice, and not for each call.
    """

    indexes_places = Store.indexes_places

    def __init__(self, address: Address, clock: Clock | None, *, create: bool = True) -> None:
        self.address, self.clock, self._create = address, clock, create
        self._lock = threading.Lock()
        self._forget_all()

    def _forget_all(self) -> None:
        self._own = Store(self.address, self.clock, create=self._create)
        self._owner: Loop | None = None
        self._room: Room | None = None
        self._pid = os.getpid()

    # --- opening and closing ---------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect the running event loop, and bring the schema up to date."""
        room = self._place_for(asyncio.get_running_loop())
        await (self._own.open() if room is None else room.open())

    def _place_for(self, loop: Loop) -> "Room | None":
        """Where ``loop`` is served: in a room, or directly."""
        with self._lock:
            if self._pid != os.getpid():
                self._forget_all()  # a forked child: threads and connections are its parent's
            if self._owner is None and self._room is None:
                self._own, self._owner = Store(self.address, self.clock, create=self._create), loop
            if loop is self._owner:
                return None
            self._room = self._room or Room(self.address, self.clock, create=self._create)
            self._room.admit(loop)
            return self._room

    async def close(self) -> None:
        """Finish what was accepted of the running event loop, then disconnect it."""
        if self._pid != os.getpid():
            self._forget_all()
            return
        loop = asyncio.get_running_loop()
        with self._lock:
            own = self._own if self._owner is not None and (self._owner is loop or self._owner.is_closed()) else None
            self._owner = None if own else self._owner
            room, under_way = self._room, self._room.dismiss(loop) if self._room else set()
            self._room = None if room is None or room.is_empty else room
            stays = room is self._room
        if own is not None:
            await own.close()
        if room is not None:
            await (room.bid_farewell(loop, under_way) if stays else room.close(under_way))

    def check_open(self) -> None:
        """Raise NotConnected while the store is not open in the running event loop, and in a forked child."""
        self.here.check_open()

    @property
    def here(self) -> Store:
        """The store that serves the running event loop. Raises NotConnected."""
        self._check_process()
        loop = asyncio.get_running_loop()
        if loop is self._owner:
            return self._own
        return self._room_of(loop).store

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            raise NotConnected(
                f"The store {self.address.shown} was opened before this process was forked from process {self._pid}. Connect anew in the child."
            )

    def _room_of(self, loop: Loop) -> "Room":
        if self._room is not None and self._room.has(loop):
            return self._room
        if self._owner is None and self._room is None:
            raise not_open(self.address)
        raise NotConnected(f"The store {self.address.shown} is not open in this event loop. Open it here too: async with app, or await store.open().")

    # --- running ---------------------------------------------------------------------------------------

    async def do(self, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
        """The result of ``work(store)``, in the event loop that the connections belong to."""
        self._check_process()
        loop = asyncio.get_running_loop()
        if loop is self._owner:
            self._own.check_open()
            return await work(self._own)
        return await self._room_of(loop).do(work)

    async def prepare_for_work(self) -> None:
        """Make the connections that a worker lives on. Raises StoreUnavailable."""
        await self.do(lambda store: store.prepare_for_work())

    async def now(self) -> datetime:
        """The store's time."""
        return await self.do(lambda store: store.now())

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the reading statement ``name`` returns."""
        return await self.do(lambda store: store.rows(name, **values))

    async def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the reading statement ``name`` returns."""
        return await self.do(lambda store: store.row(name, **values))

    async def write(self, operation: Operation[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """The result of the shared ``operation``, once it is committed."""
        return await self.do(lambda store: store.write(operation, *arguments, **named))

    async def write_lightly(self, operation: Operation[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """As ``write``, without waiting for the disk."""
        return await self.do(lambda store: store.write_lightly(operation, *arguments, **named))

    async def operate(self, operation: Callable[[Transaction], Awaitable[T]]) -> T:
        """As ``write``, for what is PostgreSQL's own: the result of ``operation(transaction)``."""
        return await self.do(lambda store: store.operate(operation))

    # --- from any thread ---------------------------------------------------------------------------------

    @property
    def hub(self) -> Hub:
        """Who listens in the running event loop."""
        loop = asyncio.get_running_loop()
        room = self._room
        return room.store.hub if room is not None and room.has(loop) else self._own.hub

    @property
    def pulse(self) -> Pulse:
        """What stores heartbeats. Raises NotConnected while the store is open in no event loop."""
        room = self._room
        if room is not None:
            with contextlib.suppress(NotConnected):
                return self._own.pulse
        return self._own.pulse if room is None else room.store.pulse


class Room:
    """A store in a thread of its own, for event loops that are its guests."""

    def __init__(self, address: Address, clock: Clock | None, *, create: bool) -> None:
        self._loop = asyncio.new_event_loop()
        self._guests: dict[Loop, set[asyncio.Future[Any]]] = {}
        """With what is under way for each of them."""
        self.store = _StoreOfGuests(address, clock, self._loop, create=create)
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name="prinia-guests", daemon=True)
        self._thread.start()

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._end.wait())

    def has(self, loop: Loop) -> bool:
        """Whether ``loop`` is a guest."""
        return loop in self._guests

    @property
    def is_empty(self) -> bool:
        """Whether no guest is left whose loop is not closed."""
        return all(loop.is_closed() for loop in self._guests)

    def admit(self, loop: Loop) -> None:
        """Let ``loop`` be a guest, in place of those that are gone."""
        for gone in [other for other in self._guests if other.is_closed()]:
            del self._guests[gone]
        self._guests.setdefault(loop, set())

    def dismiss(self, loop: Loop) -> set[asyncio.Future[Any]]:
        """Take in no more work of ``loop``; what is still under way for it."""
        return self._guests.pop(loop, set())

    async def bid_farewell(self, loop: Loop, under_way: set[asyncio.Future[Any]]) -> None:
        """Finish what is ``under_way`` for a guest that leaves while others stay."""
        self.store.hub.close(loop)
        if under_way:
            await asyncio.wait(under_way)

    async def close(self, under_way: set[asyncio.Future[Any]]) -> None:
        """Finish what was accepted, then disconnect, and end the thread. ``under_way``: for the last guest."""
        try:
            await self.do(lambda store: store.close())
            if under_way:
                await asyncio.wait(under_way)
        finally:
            self._loop.call_soon_threadsafe(self._end.set)
            await asyncio.to_thread(self._thread.join)

    async def open(self) -> None:
        """Connect, unless that is done. Raises StoreUnavailable."""
        await self.do(lambda store: store.open())

    async def do(self, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
        """The result of ``work(store)`` for the running event loop."""
        future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(self.store), self._loop))
        under_way = self._guests.get(asyncio.get_running_loop(), set())
        under_way.add(future)
        future.add_done_callback(under_way.discard)
        return await future


class _StoreOfGuests(Store):
    """A store whose listeners are in other event loops than its connections."""

    def __init__(self, address: Address, clock: Clock | None, home: Loop, *, create: bool) -> None:
        self._home = home
        super().__init__(address, clock, create=create)

    def check_open(self) -> None:
        if asyncio.get_running_loop() is self._home:
            super().check_open()
        elif not self._is_open:
            raise not_open(self.address)

    def _listeners_changed(self) -> None:
        with contextlib.suppress(RuntimeError):  # closed: nobody listens any more
            self._home.call_soon_threadsafe(super()._listeners_changed)
