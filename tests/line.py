"""An unreliable line: a TCP proxy that a test can cut, hold, slow down, or close to new connections. POSIX only."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Final, Self
from urllib.parse import urlsplit

PATIENCE: Final = 30.0
LINGER_FOR_NO_TIME: Final = struct.pack("ii", 1, 0)


Road = asyncio.Queue[tuple[float, bytes | OSError]]
"""What is on its way, and when it is due; an error is the end of a connection that broke."""


class Listener:
    """A TCP service on 127.0.0.1 in front of the one at the URL ``target``. A context manager; subclasses say how to ``serve``.

    It has a thread and an event loop of its own, so a test that blocks its loop does not stop it. ``url`` is ``target`` at our port.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))  # it never listens: it keeps the port ours while we refuse connections
        self._port = int(self._place.getsockname()[1])
        self.url = parts._replace(netloc="".join(parts.netloc.rpartition("@")[:2]) + f"127.0.0.1:{self._port}").geturl()
        self._door: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__, daemon=True)
        self._thread.start()
        try:
            self.call(self.open())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.call(self.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive(), f"The thread of the {type(self).__name__} did not stop."
            self._loop.close()
            self._place.close()

    def call(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it on the service's loop, and return when it is done. Raises what it raises."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def open(self) -> None:
        """Accept connections."""
        self._door = socket.create_server(("127.0.0.1", self._port), reuse_port=True)
        self._door.setblocking(False)
        self._door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its connections inherit that
        self._loop.add_reader(self._door, self._admit, self._door)

    async def shut(self) -> None:
        """Accept no more; those that are there stay."""
        if self._door:
            self._loop.remove_reader(self._door)
            self._door.close()
            self._door = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Attend to one connection until it is over."""
        raise NotImplementedError

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it beside everything else; ``end_work`` raises what it raised."""
        self._tasks.append(self._loop.create_task(work))

    async def end_work(self) -> None:
        """Cancel everything that was started. Raises the first error that had ended some of it before."""
        tasks, self._tasks = self._tasks, []
        await asyncio.sleep(0)  # a task that never began would not clean up
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def close(self) -> None:
        """Refuse connections and end those that are there."""
        await self.shut()
        while self._tasks:  # what is being ended may have started more
            await self.end_work()

    def _admit(self, door: socket.socket) -> None:  # asyncio's own server leaks what it has half accepted when it is closed
        with contextlib.suppress(OSError):
            self.start(self._attend(door.accept()[0]))

    async def _attend(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            await self.serve(*await asyncio.open_connection(sock=connection))


class Line(Listener):
    """A TCP line to the server at ``target``; its methods act at once on all connections, and may be called from any thread.

    A server that refuses us looks to the client like a line that is cut. What comes is kept without limit while it may not pass.
    """

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self._passing = asyncio.Event()
        self._passing.set()
        self._delay = 0.0

    def cut(self) -> None:
        """Reset every connection, at both ends. What was still on its way is lost."""
        self.call(self.end_work())

    def hold(self) -> None:
        """Take whatever comes, new connections too, and let nothing through, not even the end of a connection: the line is half-open.

        Neither end can tell. ``go_on`` delivers it all late, as TCP does after an outage; ``cut`` first, and it is lost.
        """
        self.call(self._hold())

    async def _hold(self) -> None:
        self._passing.clear()

    def refuse(self) -> None:
        """Refuse new connections; those that are there go on."""
        self.call(self.shut())

    def go_on(self) -> None:
        """Be a good line again: the end of ``hold`` and of ``refuse``."""
        self.call(self._go_on())

    async def _go_on(self) -> None:
        self._passing.set()
        if not self._door:
            await self.open()

    def delay(self, seconds: float) -> None:
        """Let what comes from now on arrive so much later, in each direction; 0 ends that."""
        self._delay = seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect to the server and carry both ways until both have said goodbye, or one end breaks."""
        ends, whole = [writer], False
        try:
            async with asyncio.TaskGroup() as ways:
                there, back = Road(), Road()
                ways.create_task(self._take(reader, there))
                await self._passing.wait()
                far_reader, far_writer = await asyncio.open_connection(*self.target)
                ends.append(far_writer)
                ways.create_task(self._deliver(there, far_writer))
                ways.create_task(self._take(far_reader, back))
                ways.create_task(self._deliver(back, writer))
            whole = True
        except* OSError:
            pass  # as one end broke, the other shall
        finally:
            for end in ends:
                close(end, whole=whole)

    async def _take(self, source: asyncio.StreamReader, road: Road) -> None:
        piece: bytes | OSError = b"something"
        while piece and not isinstance(piece, OSError):
            try:
                piece = await source.read(65_536)
            except OSError as broken:
                piece = broken
            road.put_nowait((self._loop.time() + self._delay, piece))

    async def _deliver(self, road: Road, sink: asyncio.StreamWriter) -> None:
        while True:
            due, piece = await road.get()
            await asyncio.sleep(due - self._loop.time())
            await self._passing.wait()
            if isinstance(piece, OSError):
                raise piece
            if not piece:
                return sink.write_eof()
            sink.write(piece)
            await sink.drain()


def close(end: asyncio.StreamWriter, *, whole: bool) -> None:
    """Close it when all is sent, or else at once and with RST."""
    if whole:
        return end.close()
    with contextlib.suppress(OSError):
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_FOR_NO_TIME)
    end.transport.abort()
