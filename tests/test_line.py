"""The tests have an unreliable line, and it is bad only when it is told to be."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.line import PATIENCE, Line

MUCH = bytes(range(256)) * 20_000
End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Goodbye(NamedTuple):
    """How a connection ended at the server, and what had arrived there."""

    how: str
    heard: bytes


class Echo:
    """A server that says what it hears."""

    url: str

    def __init__(self) -> None:
        self.came: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        self.left: asyncio.Queue[Goodbye] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came.put_nowait(writer)
        heard = bytearray()
        how = "closed"
        try:
            while piece := await reader.read(65_536):
                heard += piece
                writer.write(piece)
                await writer.drain()
        except ConnectionResetError:
            how = "reset"
        self.left.put_nowait(Goodbye(how, bytes(heard)))
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.url = f"tcp://somebody:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}/place?a=b"
    yield echo
    server.close()


@pytest.fixture
def line(echo: Echo) -> Iterator[Line]:
    with Line(echo.url) as line:
        yield line


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[End]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.transport.abort()


async def ask(end: End, words: bytes) -> bytes:
    end[1].write(words)
    return await end[0].readexactly(len(words))


async def long_enough_for_a_good_line(echo: Echo) -> None:
    """Ask the server without the line, so that what may pass the line has passed it."""
    async with connected(echo.url) as end:
        assert await ask(end, MUCH) == MUCH
        await echo.came.get()
        end[1].write_eof()
        await echo.left.get()


def test_the_lines_address_is_its_targets_but_for_the_port(line: Line, echo: Echo) -> None:
    ours, theirs = urlsplit(line.url), urlsplit(echo.url)
    assert ours.port != theirs.port
    assert line.url.replace(str(ours.port), str(theirs.port)) == echo.url


async def test_a_good_line_carries_everything_in_order_and_the_end_too(line: Line, echo: Echo) -> None:
    async with connected(line.url) as end:
        assert await ask(end, MUCH) == MUCH
        end[1].write_eof()
        assert await end[0].read() == b""
        assert await echo.left.get() == ("closed", MUCH)


async def test_a_cut_resets_every_connection_at_both_ends_and_new_ones_work(line: Line, echo: Echo) -> None:
    async with connected(line.url) as first, connected(line.url) as second:
        assert await ask(first, b"same") == await ask(second, b"same")
        line.cut()
        for reader, _ in (first, second):
            with pytest.raises(ConnectionResetError):
                await reader.read()
        assert [await echo.left.get(), await echo.left.get()] == [("reset", b"same")] * 2
    async with connected(line.url) as third:
        assert await ask(third, b"again") == b"again"


async def test_a_held_line_takes_everything_gives_nothing_and_delivers_it_late(line: Line, echo: Echo) -> None:
    async with connected(line.url) as old, connected(line.url) as leaver:
        await ask(old, b"before;")
        server_end = await echo.came.get()
        await ask(leaver, b"I")
        await echo.came.get()
        line.hold()
        async with connected(line.url) as newcomer:
            for _, writer in (old, newcomer):
                writer.write(MUCH)
                await writer.drain()
            leaver[1].transport.abort()
            server_end.write(b"news;")
            answers = [asyncio.create_task(reader.readexactly(5 + len(MUCH))) for reader in (old[0], newcomer[0])]
            newcomer[1].write(b"more;")
            await long_enough_for_a_good_line(echo)
            assert not any(answer.done() for answer in answers)
            assert echo.came.empty()
            assert echo.left.empty()
            line.go_on()
            assert [await answer for answer in answers] == [b"news;" + MUCH, MUCH + b"more;"]
            assert await echo.left.get() == ("closed", b"I")


async def test_what_a_held_line_took_is_lost_when_it_is_cut(line: Line, echo: Echo) -> None:
    async with connected(line.url) as end:
        await ask(end, b"before")
        line.hold()
        end[1].write(b"lost")
        await end[1].drain()
        line.cut()
        with pytest.raises(ConnectionResetError):
            await end[0].read()
        assert await echo.left.get() == ("reset", b"before")


async def test_a_refusing_line_keeps_its_connections_and_its_port(line: Line) -> None:
    async with connected(line.url) as old:
        await ask(old, b"before")
        line.refuse()
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                async with connected(line.url):
                    pass
        assert await ask(old, b"during") == b"during"
        line.go_on()
        async with connected(line.url) as new:
            assert await ask(new, b"after") == b"after"


async def test_a_slow_line_lets_the_others_answer_first(line: Line, echo: Echo) -> None:
    async with connected(line.url) as slow, connected(echo.url) as quick:
        await ask(slow, b"before")
        line.delay(0.2)
        late = asyncio.create_task(ask(slow, b"slow"))
        assert await ask(quick, b"quick") == b"quick"
        assert not late.done()
        line.delay(0)
        assert await late == b"slow"


async def test_a_server_that_refuses_looks_like_a_cut_line() -> None:
    gone = await asyncio.start_server(Echo().serve, "127.0.0.1", 0)
    port = gone.sockets[0].getsockname()[1]
    gone.close()
    with Line(f"tcp://127.0.0.1:{port}") as line, pytest.raises(ConnectionResetError):
        async with connected(line.url) as (reader, _):
            await reader.read()


async def test_leaving_ends_the_connections_the_thread_and_the_port(echo: Echo) -> None:
    threads = threading.active_count()
    async with contextlib.AsyncExitStack() as ends:
        with Line(echo.url) as line:
            good, _ = await ends.enter_async_context(connected(line.url))
            await echo.came.get()
            line.hold()
            held, _ = await ends.enter_async_context(connected(line.url))
        for reader in (good, held):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
    assert threading.active_count() == threads
    with pytest.raises(ConnectionRefusedError):
        async with connected(line.url):
            pass


async def test_it_carries_postgres_and_a_cut_breaks_a_query(pg_url: str) -> None:
    with Line(pg_url) as line:
        connection = await asyncpg.connect(line.url)
        assert await connection.fetchval("SELECT 41 + 1") == 42
        line.hold()
        query = asyncio.create_task(connection.fetchval("SELECT 'never'"))
        await asyncio.sleep(0)
        line.cut()
        with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
            await query
        connection.terminate()
        line.go_on()
        connection = await asyncpg.connect(line.url)
        assert await connection.fetchval("SELECT 'after'") == "after"
        await connection.close()
