"""Telling other processes what changed, and hearing it from them: NOTIFY after the commit, gathered over moments; LISTEN, or looking again and again.

A NOTIFY inside each transaction would let all commits of a database wait for one another. So one connection tells for all, soon after;
and because it may die in between, every listener also looks by itself now and then.
"""

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.failures import DRIVER_ERRORS, POOLER
from queue_core.backends.postgres.line import Connection, connect, end
from queue_core.backends.relational.hub import Hub
from queue_core.backends.relational.tally import Changes
from queue_core.errors import PriniaError
from queue_core.expose import ALL_TOPICS, Topic, queue_topic
from queue_core.outage import Outage

_log = logging.getLogger("prinia.postgres")

WORK_WINDOW: Final = 0.005
"""Seconds between two messages while there is work to tell of."""
TOPIC_WINDOW: Final = 0.05
"""Seconds between two messages that only concern people and those who wait for results."""
PING_EVERY: Final = 5.0
"""Seconds of silence after which the listener makes sure that its connection still carries."""
ANSWER_LIMIT: Final = 3.0
"""Seconds that a message to oneself, or any answer of the server, may take on this connection."""
POLL_EVERY: Final = 0.25
"""Seconds between two looks where nobody tells: while there is work, and up to ``IDLE_POLL`` when there is none."""
IDLE_POLL: Final = 1.0
_LARGEST: Final = 7_500
"""Bytes; PostgreSQL refuses messages of 8,000."""
_SHORTEST, _LONGEST = 0.1, 2.0


class Signals:
    """The link of one opened store to the other processes that use it.

    ``versions`` answers how often each topic has changed, ``ended`` which of some tasks are final: what is asked where nobody tells. ``moved``
    is called when something may have come in before where a backlog began.
    """

    def __init__(
        self,
        address: Address,
        hub: Hub,
        *,
        versions: Callable[[], Awaitable[Mapping[Topic, Any]]],
        ended: Callable[[list[str]], Awaitable[Iterable[str]]],
        moved: Callable[[], None],
    ) -> None:
        self._address, self._hub = address, hub
        self._versions, self._ended, self._moved = versions, ended, moved
        self._me = secrets.token_hex(6)
        self._pending = Message()
        self._something = asyncio.Event()
        self._heard_myself = asyncio.Event()
        self._seen: Mapping[Topic, Any] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._asking = False
        self._connection: Connection | None = None
        self._speaking = asyncio.Lock()
        self._quiet_until = 0.0
        self._polls = address.mode == "poll"
        self._closed = False
        self._outage = Outage(_log, f"The store {address.shown}", "be listened to")
        self._spawn(self._serve_all() if address.mode == "listen" else self._poll())

    # --- telling ---------------------------------------------------------------------------------------

    def tell(self, changes: Changes, plain: bool) -> None:
        """Let the others know of what was committed here. ``plain``: nothing of it can stand before what was due already."""
        if self._address.mode == "poll" or not changes:
            return
        self._pending.add(changes, plain)
        self._something.set()

    async def speak(self, spare: Connection) -> None:
        """Tell at once what there is to tell, unless that was done moments ago: for producers whose event loop may stop when their push returns.

        ``spare`` is used while there is no connection for it yet. Never fails: what is not told now is told later.
        """
        if not self._pending or asyncio.get_running_loop().time() < self._quiet_until:
            return
        try:
            await self._send(self._connection or spare)
        except DRIVER_ERRORS as error:
            _log.debug("The listeners of the store %s are told later: %s", self._address.shown, error)

    def listeners_changed(self) -> None:
        """Somebody began or ceased to listen in this process."""
        self._something.set()

    async def close(self) -> None:
        """Tell what is left to tell, then end."""
        self._closed = True
        self._something.set()
        background = list(self._background)
        if self._pending or self._connection is not None:
            await asyncio.wait(background, timeout=ANSWER_LIMIT)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # --- the connection --------------------------------------------------------------------------------

    async def _serve_all(self) -> None:
        """Serve one connection after the other, with growing pauses while none lasts."""
        clock = asyncio.get_running_loop()
        pause = _SHORTEST
        while not self._closed or self._pending:
            await self._something.wait()
            began = clock.time()
            try:
                await self._serve(await connect(self._address, "signals"))
            except DRIVER_ERRORS as error:
                self._outage.failed(error)
                pause = _SHORTEST if clock.time() - began > PING_EVERY else min(pause * 2, _LONGEST)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret

    async def _serve(self, connection: Connection) -> None:
        """Tell and listen on ``connection`` until the store is closed. Raises what ends the connection before."""
        connection.add_termination_listener(lambda _: self._something.set())
        listening = False
        self._connection = connection
        self._outage.worked()
        try:
            while True:
                if connection.is_closed():
                    raise ConnectionResetError("the connection was lost")
                if self._hub.has_listeners and not listening:
                    listening = True
                    await self._listen(connection)
                if self._pending:
                    await self._send_in_time(connection)
                elif self._closed:
                    return
                else:
                    await self._rest(connection, listening)
        finally:
            self._connection = None
            self._something.set()
            await end(connection)

    async def _listen(self, connection: Connection) -> None:
        """Listen, then look at everything that may have been missed; or, where nothing can be heard, look again and again."""
        if not await self._hears(connection) and not self._polls:
            _log.warning("The store %s does not answer to LISTEN, so it is asked for changes again and again. %s.", self._address.shown, POOLER)
            self._polls = True
            self._spawn(self._poll())
        self._everything()

    async def _hears(self, connection: Connection) -> bool:
        """Begin to listen; whether a message to ourselves arrives. A standby and a transaction pooler let none through."""
        self._heard_myself.clear()
        try:
            async with asyncio.timeout(ANSWER_LIMIT):
                async with self._speaking:
                    await connection.add_listener(self._address.schema, self._receive)
                await self._notify(connection, json.dumps({"s": self._me}))
                await self._heard_myself.wait()
        except (TimeoutError, asyncpg.ReadOnlySQLTransactionError):
            return False
        return True

    async def _send_in_time(self, connection: Connection) -> None:
        """Tell what there is to tell, moments after the last time."""
        pause = self._quiet_until - asyncio.get_running_loop().time()
        if pause > 0 and not self._closed:
            await asyncio.sleep(pause)
        if self._pending:
            await self._send(connection)

    async def _send(self, connection: Connection) -> None:
        message, self._pending = self._pending, Message()
        self._quiet_until = asyncio.get_running_loop().time() + (WORK_WINDOW if message.is_work else TOPIC_WINDOW)
        try:
            await self._notify(connection, message.encoded(self._me))
        except BaseException:
            self._pending.add(message.changes, not message.moved)  # the next connection tells it
            raise

    async def _notify(self, connection: Connection, payload: str) -> None:
        async with asyncio.timeout(ANSWER_LIMIT), self._speaking:
            await connection.execute("SELECT pg_notify($1, $2)", self._address.schema, payload)

    async def _rest(self, connection: Connection, listening: bool) -> None:
        """Wait until there is something to do; now and then make sure that the connection still carries."""
        self._something.clear()
        try:
            async with asyncio.timeout(PING_EVERY):
                await self._something.wait()
        except TimeoutError:
            if listening:
                async with asyncio.timeout(ANSWER_LIMIT), self._speaking:
                    await connection.execute("SELECT")

    # --- hearing ---------------------------------------------------------------------------------------

    def _receive(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        message = Message.decoded(str(payload))
        if message is None:
            self._everything()  # somebody's own NOTIFY
        elif message.sender == self._me:
            self._heard_myself.set()
        else:
            self._hear(message)

    def _hear(self, message: "Message") -> None:
        if message.moved:
            self._moved()
        message.topics |= {queue_topic(queue) for queue in message.work}
        self._hub.tell(message.changes)
        self._ask_for_ends()

    def _everything(self) -> None:
        """Anything may have changed."""
        self._moved()
        self._hub.wake_workers()
        self._hub.tell_topics([ALL_TOPICS])
        self._ask_for_ends()

    def _ask_for_ends(self) -> None:
        if self._hub.awaited and not self._asking:
            self._asking = True
            self._spawn(self._find_ends())

    async def _find_ends(self) -> None:
        """Tell those who wait for tasks which of them are final."""
        self._asking = False  # what is heard from now on is asked for again
        try:
            self._hub.tell_ended(await self._ended(self._hub.awaited))
        except PriniaError:
            pass  # they look by themselves as well

    # --- looking, where nobody tells -------------------------------------------------------------------

    async def _poll(self) -> None:
        pause = POLL_EVERY
        while not self._closed:
            if not self._hub.has_listeners:
                self._something.clear()
                await self._something.wait()
                continue
            pause = POLL_EVERY if await self._look() else min(pause * 1.2, IDLE_POLL)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - not a secret

    async def _look(self) -> bool:
        """Ask what changed since the last look, and tell; whether anything did."""
        try:
            versions = await self._versions()
        except PriniaError:
            self._seen = None
            return False
        changed = [topic for topic, version in versions.items() if self._seen is None or self._seen.get(topic) != version]
        first, self._seen = self._seen is None, versions
        if changed:
            self._moved()
            self._hub.wake_workers()
            self._hub.tell_topics([ALL_TOPICS] if first else changed)
            self._ask_for_ends()
        return bool(changed)


@dataclass(slots=True)
class Message:
    """What one process tells the others. An empty one is false."""

    sender: str = ""
    work: set[str] = field(default_factory=set)
    """Queues whose workers should look again."""
    topics: set[Topic] = field(default_factory=set)
    boots: set[str] = field(default_factory=set)
    moved: bool = False
    """Something may have come in before where a backlog began."""

    def __bool__(self) -> bool:
        return bool(self.work or self.topics or self.boots)

    @property
    def is_work(self) -> bool:
        """Whether workers wait for it."""
        return bool(self.work or self.boots)

    @property
    def changes(self) -> Changes:
        """What it tells of."""
        return Changes(dict.fromkeys(self.topics, 0), frozenset(self.work), frozenset(self.boots))

    def add(self, changes: Changes, plain: bool) -> None:
        """Tell of ``changes`` too."""
        self.work |= changes.work
        self.topics |= changes.versions.keys()
        self.boots |= changes.boots
        self.moved = self.moved or not plain

    def encoded(self, sender: str) -> str:
        """The payload of a NOTIFY; one that says that anything may have changed where this is too long."""
        topics = sorted(self.topics - {queue_topic(queue) for queue in self.work})
        payload = json.dumps({"s": sender, "w": sorted(self.work), "t": topics, "b": sorted(self.boots), "r": int(self.moved)})
        return payload if len(payload.encode()) <= _LARGEST else json.dumps({"s": sender, "all": 1})

    @classmethod
    def decoded(cls, payload: str) -> "Message | None":
        """The message of a payload; None where it says no more than that something changed."""
        try:
            said = json.loads(payload)
            if "all" in said:
                return None
            lists = {name: {str(item) for item in said.get(name, ())} for name in ("w", "t", "b")}
            return cls(str(said.get("s", "")), lists["w"], {Topic(topic) for topic in lists["t"]}, lists["b"], bool(said.get("r")))
        except (ValueError, TypeError, AttributeError):
            return None
