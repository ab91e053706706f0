"""The tests have a transaction pooler, and it is as merciless as PgBouncer."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from tests.pooler import Pooler, Refusal

PID = "SELECT pg_backend_pid()"
PATIENCE = 20.0


@pytest.fixture
def pooler(pg_url: str) -> Iterator[Pooler]:
    with Pooler(pg_url, 2) as pooler:
        yield pooler


@contextlib.asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, statement_cache_size=0, **options)
    try:
        async with asyncio.timeout(PATIENCE):
            yield connection
    finally:
        connection.terminate()


async def test_transactions_work_and_each_has_another_server_connection(pooler: Pooler) -> None:
    async with connected(pooler.url) as connection:
        seen = []
        for number in range(4):
            async with connection.transaction():
                await connection.execute("CREATE TEMPORARY TABLE kept (number int) ON COMMIT DROP")
                await connection.executemany("INSERT INTO kept VALUES ($1)", [(number,)] * 100)
                assert await connection.fetchval("SELECT sum(number) FROM kept") == 100 * number
                seen.append(await connection.fetchval(PID))
                assert await connection.fetchval(PID) == seen[-1]
    assert seen[0] == seen[2] != seen[1] == seen[3]


async def test_a_rolled_back_transaction_gives_its_server_connection_back(pg_url: str) -> None:
    with Pooler(pg_url, 1) as pooler:
        async with connected(pooler.url) as one, connected(pooler.url) as other:
            with pytest.raises(asyncpg.DivisionByZeroError):
                async with one.transaction():
                    await one.fetchval("SELECT 1 / 0")
            assert await other.fetchval("SELECT 1") == 1


async def test_a_listener_hears_nothing(pooler: Pooler) -> None:
    async with connected(pooler.url) as listener, connected(pooler.url) as speaker:
        heard: list[object] = []
        await listener.add_listener("due", lambda *news: heard.append(news))
        for _ in range(4):
            await speaker.execute("SELECT pg_notify('due', 'now')")
            await speaker.fetchval("SELECT 1")
        assert not heard


async def test_a_prepared_statement_is_lost_between_transactions(pooler: Pooler) -> None:
    async with connected(pooler.url) as connection:
        async with connection.transaction():
            statement = await connection.prepare("SELECT 41 + 1", name="answer")
            assert await statement.fetchval() == 42
        with pytest.raises(asyncpg.InvalidSQLStatementNameError, match="does not exist"):
            async with connection.transaction():
                await statement.fetchval()


async def test_a_session_lock_is_lost_and_stays_with_the_server_connection(pooler: Pooler) -> None:
    async with connected(pooler.url) as connection:
        assert await connection.fetchval("SELECT pg_try_advisory_lock(4711)")
        assert not await connection.fetchval("SELECT pg_advisory_unlock(4711)")
        assert await connection.fetchval("SELECT pg_advisory_unlock(4711)")


async def test_a_setting_leaks_to_the_next_client(pg_url: str) -> None:
    with Pooler(pg_url, 1) as pooler:
        async with connected(pooler.url) as one, connected(pooler.url) as other:
            await one.execute("SET search_path = leaked")
            assert await other.fetchval("SHOW search_path") == "leaked"


async def test_the_settings_that_pgbouncer_knows_follow_their_client(pg_url: str) -> None:
    with Pooler(pg_url, 1) as pooler:
        async with connected(pooler.url, server_settings={"timezone": "Europe/Berlin"}) as one, connected(pooler.url) as other:
            for _ in range(2):
                assert await one.fetchval("SHOW TimeZone") == "Europe/Berlin"
                assert await other.fetchval("SHOW TimeZone") == "UTC"
            await other.execute("SET TimeZone = 'Asia/Tokyo'")
            assert await one.fetchval("SHOW TimeZone") == "Europe/Berlin"
            assert await other.fetchval("SHOW TimeZone") == "Asia/Tokyo"


async def test_unknown_start_up_parameters_are_refused(pooler: Pooler) -> None:
    with pytest.raises(asyncpg.ProtocolViolationError, match="unsupported startup parameter: search_path"):
        await asyncpg.connect(pooler.url, server_settings={"search_path": "mine"})


async def test_or_ignored_by_a_lenient_pooler(pg_url: str) -> None:
    with Pooler(pg_url, strict=False) as pooler:
        async with connected(pooler.url, server_settings={"search_path": "mine", "application_name": "me"}) as connection:
            assert await connection.fetchval("SHOW search_path") != "mine"
            assert await connection.fetchval("SHOW application_name") == "me"


async def test_another_database_is_refused(pooler: Pooler) -> None:
    with pytest.raises(asyncpg.ProtocolViolationError, match="no such database: elsewhere"):
        await asyncpg.connect(pooler.url, database="elsewhere")


async def test_two_clients_take_turns_on_one_server_connection(pg_url: str) -> None:
    with Pooler(pg_url, 1) as pooler:
        async with connected(pooler.url) as one, connected(pooler.url) as other:
            async with one.transaction():
                pid = await one.fetchval(PID)
                waiting = asyncio.create_task(other.fetchval(PID))
                assert await one.fetchval(PID) == pid
                assert not waiting.done()
            assert await waiting == pid
            assert await one.fetchval(PID) == pid


async def test_cancelling_ends_the_query_of_this_client_and_of_no_other(pooler: Pooler, pg_url: str) -> None:
    async with connected(pooler.url) as one, connected(pooler.url) as other, connected(pg_url) as witness:
        slow = asyncio.create_task(one.fetchval("SELECT pg_sleep(60)"))
        other_slow = asyncio.create_task(other.fetchval("SELECT pg_sleep(60)"))
        while await witness.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") < 2:
            pass
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert await one.fetchval("SELECT 1") == 1
        assert not other_slow.done()
        other_slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await other_slow
        assert await other.fetchval("SELECT 1") == 1


async def test_a_client_that_leaves_in_a_transaction_takes_its_server_connection_along(pooler: Pooler, pg_url: str) -> None:
    async with connected(pg_url) as witness, connected(pooler.url) as survivor:
        async with connected(pooler.url) as leaver:
            await leaver.transaction().start()
            pid = await leaver.fetchval(PID)
        while await witness.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
            pass
        for _ in range(3):
            assert await survivor.fetchval(PID) != pid


async def test_a_dead_server_connection_fails_its_client_and_is_replaced(pooler: Pooler, pg_url: str) -> None:
    async with connected(pg_url) as witness, connected(pooler.url) as victim, connected(pooler.url) as other:
        await victim.transaction().start()
        pid = await victim.fetchval(PID)
        await witness.fetchval("SELECT pg_terminate_backend($1, 20000)", pid)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
            await victim.fetchval("SELECT 1")
        for _ in range(3):
            assert await other.fetchval(PID) != pid


async def test_a_big_answer_passes(pooler: Pooler) -> None:
    async with connected(pooler.url) as connection:
        rows = await connection.fetch("SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
        assert len(rows) == 5000


async def test_leaving_ends_the_clients_the_server_connections_and_the_thread(pg_url: str) -> None:
    threads = threading.active_count()
    async with connected(pg_url) as witness:
        with Pooler(pg_url, 2) as pooler:
            connection = await asyncpg.connect(pooler.url, server_settings={"application_name": "pooled"}, statement_cache_size=0)
            await connection.transaction().start()
            await connection.execute("SELECT 1")
        assert threading.active_count() == threads
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
            await connection.fetchval("SELECT 1")
        while await witness.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled'"):
            pass


def test_without_a_server_it_does_not_begin() -> None:
    threads = threading.active_count()
    with pytest.raises(Refusal, match="server login has been failing"), Pooler("postgresql://postgres@127.0.0.1:1/postgres"):
        pass
    assert threading.active_count() == threads
