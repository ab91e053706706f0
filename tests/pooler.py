"""A transaction pooler in front of PostgreSQL, as strict as PgBouncer 1.18 with ``pool_mode = transaction``.

A client gets a server connection when a transaction begins and loses it when it ends; for the next one it gets another, if there is
another. So what belongs to a session is lost to its client, and leaks to whoever comes next.
"""

import asyncio
import contextlib
import secrets
import struct
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from tests.line import Listener

PROTOCOL: Final = 196608
CANCEL: Final = 80877102
ENCRYPT: Final = (80877103, 80877104)
TRACKED: Final = ("client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings", "application_name")
"""The settings of a session that follow a client from one server connection to the next."""
SERVER_AWAY: Final = "server login has been failing, try again later (server_login_retry)"

Settings = dict[str, str]


class Refusal(Exception):
    """What a client is told before its connection is closed."""


@dataclass(slots=True, eq=False)
class Client:
    """One connection of a client, and the server connection that it has while it is in a transaction."""

    writer: asyncio.StreamWriter
    settings: Settings
    link: "Link | None" = None
    last: "Link | None" = None

    async def hear(self, words: bytes) -> None:
        with contextlib.suppress(OSError):  # that it is gone is noticed where its words are awaited
            self.writer.write(words)
            await self.writer.drain()


@dataclass(slots=True, eq=False)
class Link:
    """One connection to the server: idle, or lent to a client. ``trouble`` says why it is of no more use."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    client: Client | None = None
    settings: Settings = field(default_factory=dict)
    key: bytes = b""
    trouble: str = ""
    unanswered: int = 1  # the start-up
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    cancelling: asyncio.Lock = field(default_factory=asyncio.Lock)

    def say(self, words: bytes) -> None:
        self.unanswered += words[:1] in (b"Q", b"F", b"S")  # what ReadyForQuery answers
        self.quiet.clear()
        self.writer.write(words)

    def note(self, words: bytes) -> None:
        """Learn from what the server says. ``quiet`` begins when no transaction is open and nothing remains to be answered."""
        match words[:1], words[5:]:
            case b"R", how if any(how):
                raise RuntimeError("The pooler knows no password. Give it the URL of a server that trusts its user.")
            case b"S", setting:
                name, value, _ = setting.decode().split("\0")
                self.settings[name] = value
            case b"K", key:
                self.key = key
            case b"Z", state:
                self.unanswered -= 1
                if state == b"I" and not self.unanswered:
                    self.quiet.set()

    async def adopt(self, settings: Settings) -> None:
        """Set what is not as the next client has it; what that never set stays as it is."""
        wanted = {name: settings[name].replace("'", "''") for name in TRACKED if settings[name] not in ("", self.settings[name])}
        if wanted:
            self.say(message(b"Q", "".join(f"SET {name} = '{value}';" for name, value in wanted.items()).encode() + b"\0"))
            await self.quiet.wait()
        if self.trouble:
            raise Refusal(self.trouble)


class Pooler(Listener):
    """A pooler with ``size`` connections to the server at the URL ``target``, which has to trust its user.

    ``strict``: refuse the start-up parameters that PgBouncer does not know, as it does until it is told to ignore them.
    """

    def __init__(self, target: str, size: int = 2, *, strict: bool = True) -> None:
        super().__init__(target)
        parts = urlsplit(target)
        self._user = parts.username or "postgres"
        self._database = parts.path.strip("/") or self._user
        self._strict = strict
        self._idle: list[Link | None] = [None] * size  # None: not connected yet
        self._free = asyncio.Semaphore(size)
        self._clients: dict[bytes, Client] = {}

    async def open(self) -> None:
        """Connect to the server, for how it introduces itself, and accept connections."""
        self._idle[0] = link = await self._connect()
        self._welcome = dict(link.settings)
        await super().open()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what the first message wants: begin a session, or cancel what another one does."""
        try:
            while (head := struct.unpack("!II", await reader.readexactly(8)))[1] in ENCRYPT:
                writer.write(b"N")
            size, code = head
            body = await reader.readexactly(size - 8)
            if code == CANCEL:
                await self._cancel(body)
            else:
                await self._session(reader, Client(writer, self._wishes(body)))
        except Refusal as refusal:
            writer.write(fatal(str(refusal)))
        except (OSError, EOFError):
            pass  # it is gone
        finally:
            writer.close()

    def _wishes(self, body: bytes) -> Settings:
        given = body.decode().split("\0")[:-2]
        asked = dict(zip(given[::2], given[1::2], strict=True))
        if (database := asked.pop("database", asked.pop("user"))) != self._database:
            raise Refusal(f"no such database: {database}")
        wishes = {name: asked.pop(wish) for name in TRACKED for wish in list(asked) if wish.casefold() == name.casefold()}
        if self._strict and asked:
            raise Refusal(f"unsupported startup parameter: {next(iter(asked))}")
        return self._welcome | wishes

    async def _session(self, reader: asyncio.StreamReader, client: Client) -> None:
        """Pass on what the client says, until it says goodbye."""
        key = secrets.token_bytes(8)
        self._clients[key] = client
        try:
            reports = [message(b"S", f"{name}\0{value}\0".encode()) for name, value in client.settings.items()]
            await client.hear(b"".join([message(b"R", bytes(4)), *reports, message(b"K", key), message(b"Z", b"I")]))
            while (words := await read_message(reader))[:1] != b"X":
                link = client.link or await self._lend(client)
                link.say(words)
                with contextlib.suppress(OSError):  # that the server is gone is noticed where its words are awaited
                    await link.writer.drain()
        finally:
            del self._clients[key]
            if client.link:  # a transaction that nobody will end
                client.link.writer.transport.abort()

    async def _lend(self, client: Client) -> Link:
        """The server connection that was idle for longest, but not the one that the client had last if there is another."""
        await self._free.acquire()
        link = self._idle.pop(next((place for place, link in enumerate(self._idle) if link is not client.last), 0))
        try:
            if link is None or link.trouble:
                link = await self._connect()
            await link.adopt(client.settings)
        except BaseException:
            self._idle.append(link)
            self._free.release()
            raise
        client.link = client.last = link
        link.client = client
        return link

    async def _part(self, client: Client, link: Link) -> None:
        client.link = link.client = None
        client.settings = dict(link.settings)
        async with link.cancelling:  # a cancellation under way must not hit the next client
            self._idle.append(link)
            self._free.release()

    async def _connect(self) -> Link:
        try:
            link = Link(*await asyncio.open_connection(*self.target))
        except OSError as absent:
            raise Refusal(SERVER_AWAY) from absent
        greeting = f"user\0{self._user}\0database\0{self._database}\0\0".encode()
        link.writer.write(struct.pack("!II", 8 + len(greeting), PROTOCOL) + greeting)
        self.start(self._pass_back(link))
        await link.quiet.wait()
        if link.trouble:
            raise Refusal(SERVER_AWAY)
        return link

    async def _pass_back(self, link: Link) -> None:
        """Pass on what the server says, until it says no more; what it says between transactions is for nobody."""
        try:
            while not link.trouble:
                words = await read_message(link.reader)
                link.note(words)
                if (client := link.client) and link.quiet.is_set():
                    await self._part(client, link)
                if client:
                    await client.hear(words)
                elif words[:1] == b"E":
                    link.trouble = "invalid server parameter"
        except (OSError, EOFError):
            pass
        finally:
            link.trouble = link.trouble or "server conn crashed?"
            link.quiet.set()
            link.writer.transport.abort()
            if client := link.client:
                await self._part(client, link)
                await client.hear(fatal(link.trouble))
                client.writer.close()

    async def _cancel(self, key: bytes) -> None:
        client = self._clients.get(key)
        if client and (link := client.link):
            async with link.cancelling:
                reader, writer = await asyncio.open_connection(*self.target)
                writer.write(struct.pack("!II", 16, CANCEL) + link.key)
                await reader.read()  # the server closes when it is done
                writer.close()


async def read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)


def message(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!cI", kind, 4 + len(body)) + body


def fatal(why: str) -> bytes:
    return message(b"E", f"SFATAL\0C08P01\0M{why}\0\0".encode())
