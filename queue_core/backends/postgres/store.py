"""One opened PostgreSQL store: its connections and its listeners, shared by both contracts.

Each purpose has a connection of its own, made when it is first needed: pushes; claims; acks; everything else that writes; messages to
and from other processes; heartbeats; and a few for reading. Nobody else uses them, so a program whose own pool is exhausted harms none.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from queue_core.backends._rows import Row
from queue_core.backends.postgres.acking import Acker
from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.binding import compiled
from queue_core.backends.postgres.claiming import Claimer
from queue_core.backends.postgres.failures import explained
from queue_core.backends.postgres.folding import Folding
from queue_core.backends.postgres.line import Connection, Line, connect, end, not_open
from queue_core.backends.postgres.logs import Logger
from queue_core.backends.postgres.pulse import Pulse
from queue_core.backends.postgres.pusher import LOCK_LIMIT, Pusher
from queue_core.backends.postgres.reader import Reader
from queue_core.backends.postgres.schema import identity_of, is_made, migrate
from queue_core.backends.postgres.signals import Signals
from queue_core.backends.postgres.transaction import Transaction
from queue_core.backends.relational.expiry import expire_waiting
from queue_core.backends.relational.hub import Hub
from queue_core.backends.relational.tally import Changes
from queue_core.backends.relational.transaction import Operation
from queue_core.backends.relational.transaction import Transaction as RelationalTransaction
from queue_core.clock import Clock, HandWoundClock, from_us, to_us
from queue_core.errors import NotConnected, StoreMissing
from queue_core.expose import Topic

T = TypeVar("T")
P = ParamSpec("P")


class Store:
    """Opens and closes as one; runs operations and reads. ``clock`` is a test's; None lives in the server's time."""

    indexes_places = False

    def __init__(self, address: Address, clock: Clock | None, *, create: bool = True) -> None:
        self.address = address
        self._create = create
        self.clock = clock
        self.hub = Hub(self._listeners_changed)
        self._opening = asyncio.Lock()
        self._is_open = False
        self._named: Set[str] = frozenset()
        self._loop: asyncio.AbstractEventLoop | None = None
        if isinstance(clock, HandWoundClock):
            clock.on_advance(self.hub.time_moved)

    # --- opening and closing ---------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        loop = asyncio.get_running_loop()
        async with self._opening:
            if not self._is_open:
                await self._migrate()
                await self._connect()
                self._loop, self._opened_in, self._is_open = loop, os.getpid(), True

    async def _migrate(self) -> None:
        with explained(self.address, opening=True):
            connection = await connect(self.address, "migrations")
            try:
                if not self._create and not await is_made(connection, self.address.schema):
                    raise StoreMissing(self.address.shown, self.address.shown)
                await migrate(connection, self.address)
                self.identity = await identity_of(connection, self.address.schema)
            finally:
                await end(connection)

    async def _connect(self) -> None:
        self._desk = Line(self.address, "desk")
        self._pushes = Line(self.address, "pushes", lock_limit=LOCK_LIMIT)
        self._claims, self._acks = Line(self.address, "claims"), Line(self.address, "acks")
        self.pusher = Pusher(self._pushes, self.address, self.clock_us, self._told, lambda spare: self._signals.speak(spare))
        self.logger = Logger(self._acks, self.clock_us, self._told)
        self.claimer = Claimer(self._claims, self.clock_us, self._told, lambda: self.write(expire_waiting))
        self.acker = Acker(self._acks, self.clock_us, self._told, self.claimer.limited)
        self._pulse = Pulse(self.address, self.clock_us)
        self._reader = Reader(self.address)
        await self._reader.open()
        self._signals = Signals(self.address, self.hub, versions=self._versions, ended=self._ended, moved=self.claimer.look_at_all)
        self.folding = Folding(self._desk, self.address)

    async def close(self) -> None:
        """Finish what was accepted, then disconnect."""
        async with self._opening:
            if not self._is_open:
                return
            self._is_open = False
            if self._opened_in != os.getpid() or self._loop is not asyncio.get_running_loop():
                return  # a forked child, or another event loop: the connections are not ours to close
            self.hub.close()
            disconnecting = asyncio.ensure_future(self._disconnect())
            try:
                await asyncio.shield(disconnecting)
            finally:
                await asyncio.wait([disconnecting])  # also when this is cancelled: nobody could do it again

    async def _disconnect(self) -> None:
        await asyncio.gather(self.pusher.close(), self.acker.close(), self.folding.close())
        await self._signals.close()
        lines = (self._desk, self._pushes, self._claims, self._acks)
        await asyncio.gather(*(line.close() for line in lines), self._reader.close(), asyncio.to_thread(self._pulse.close))

    def check_open(self) -> None:
        """Raise NotConnected while the store is not open, and in a process or event loop that did not open it."""
        if not self._is_open:
            raise not_open(self.address)
        if self._opened_in != os.getpid():
            raise NotConnected(
                f"The store {self.address.shown} was opened before this process was forked from process {self._opened_in}. Connect anew in the child."
            )
        if self._loop is not asyncio.get_running_loop():
            raise NotConnected(f"The store {self.address.shown} is open in another event loop. Use it there, or open it in this one.")

    @property
    def pulse(self) -> Pulse:
        """What stores heartbeats. From any thread. Raises NotConnected while the store is not open."""
        if not self._is_open:
            raise not_open(self.address)
        return self._pulse

    async def prepare_for_work(self) -> None:
        """Make the connections that a worker lives on, so that it has them when others are scarce. Raises StoreUnavailable."""
        self.check_open()
        self._pulse.open()
        await self._desk.open()
        await self._claims.open()
        await self._acks.open()

    # --- time ------------------------------------------------------------------------------------------

    def clock_us(self) -> int | None:
        """The time of a test's clock in microseconds; None for the server's, which statements then take themselves."""
        return None if self.clock is None else to_us(self.clock.now())

    async def now(self) -> datetime:
        """The store's time."""
        if self.clock is not None:
            return self.clock.now()
        row = await self.row("now")
        assert row is not None
        return from_us(row[0])

    # --- reading ---------------------------------------------------------------------------------------

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the reading statement ``name`` returns."""
        self.check_open()
        return await self._reader.rows(name, **values)

    async def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the reading statement ``name`` returns."""
        found = await self.rows(name, **values)
        return found[0] if found else None

    async def _versions(self) -> Mapping[Topic, Any]:
        return {Topic(row[0]): row[1] for row in await self.rows("versions")}

    async def _ended(self, ids: list[str]) -> Iterable[str]:
        return [row[0] for row in await self.rows("ended", ids=ids)]

    # --- writing ---------------------------------------------------------------------------------------

    async def write(self, operation: Operation[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """The result of the shared ``operation``, once it is committed."""
        return await self.operate(lambda tx: operation(tx, *arguments, **named))

    async def write_lightly(self, operation: Operation[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """As ``write``, without waiting for the disk: for what a loss of power may undo, because the store is right without it too."""
        return await self.operate(lambda tx: operation(tx, *arguments, **named), durable=False)

    async def operate(self, operation: Callable[[Transaction], Awaitable[T]], *, durable: bool = True) -> T:
        """As ``write``, for what is PostgreSQL's own: the result of ``operation(transaction)``."""
        self.check_open()
        return await self._desk.repeat(lambda: self._try(operation, durable))

    async def name_queues(self, queues: Set[str]) -> None:
        """Make sure that these queues are known. In a transaction of our own, because whoever names a queue first holds up all others who do, until
        its transaction ends. Raises StoreUnavailable.
        """
        self.check_open()
        if new := queues - self._named:
            await self.write(_name, new)
            self._named |= new

    async def _try(self, operation: Callable[[Transaction], Awaitable[T]], durable: bool) -> T:
        async with self._desk.raw() as connection, connection.transaction():
            if not durable:
                await connection.execute("SET LOCAL synchronous_commit = off")
            tx = Transaction(connection, self.address.schema, await self._now_on(connection))
            result = await operation(tx)
            changes = await tx.flush()
        self._told(changes, not changes.work)
        return result

    async def _now_on(self, connection: Connection) -> int:
        given = self.clock_us()
        return int(await connection.fetchval(compiled("now", self.address.schema)[0])) if given is None else given

    # --- telling ---------------------------------------------------------------------------------------

    def _told(self, changes: Changes, plain: bool) -> None:
        """Something was committed. ``plain``: nothing of it can stand before what was due already."""
        if not plain:
            self.claimer.look_at_all()
        self.hub.tell(changes)
        self._signals.tell(changes, plain)
        self.folding.soon()

    def _listeners_changed(self) -> None:
        if self._is_open:
            self._signals.listeners_changed()


async def _name(tx: RelationalTransaction, queues: Set[str]) -> None:
    tx.tally.named.update(queues)
