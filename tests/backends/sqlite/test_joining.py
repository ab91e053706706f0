"""A push in the caller's own transaction shares its fate."""

import sqlite3
from pathlib import Path

import aiosqlite
import pytest

from queue_core.errors import InvalidValue
from queue_core.expose import Connected, Span
from tests.backends.sqlite.helpers import PATIENCE, new_task, registered, until


@pytest.fixture
def own(connected: Connected, path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO orders VALUES (1)")
    return connection


async def stored(connected: Connected) -> int:
    return sum(count.total for count in (await connected.expose.counts()).values())


async def test_the_task_appears_with_the_commit(connected: Connected, own: sqlite3.Connection) -> None:
    [pushed] = await connected.backend.push_in(own, [new_task()])
    assert await connected.expose.fetch(pushed.task.id) is None
    own.execute("COMMIT")
    assert await connected.expose.fetch(pushed.task.id) == pushed.task
    assert await stored(connected) == 1
    [bucket] = await connected.expose.series(Span.DAY, since=pushed.task.created_at, until=pushed.task.created_at)
    assert bucket.pushed == 1
    own.close()


async def test_the_task_vanishes_with_the_rollback(connected: Connected, own: sqlite3.Connection) -> None:
    [pushed] = await connected.backend.push_in(own, [new_task()])
    own.execute("ROLLBACK")
    assert await connected.expose.fetch(pushed.task.id) is None
    assert await stored(connected) == 0
    own.close()


async def test_the_task_vanishes_with_a_connection_that_was_closed(connected: Connected, own: sqlite3.Connection) -> None:
    await connected.backend.push_in(own, [new_task()])
    own.close()
    await connected.backend.push([new_task()])
    assert await stored(connected) == 1


async def test_a_push_that_fails_leaves_the_callers_own_changes(connected: Connected, own: sqlite3.Connection) -> None:
    first = new_task()
    await connected.backend.push_in(own, [first])
    with pytest.raises(InvalidValue, match=first.id):
        await connected.backend.push_in(own, [new_task(), new_task(id=first.id)])
    own.execute("COMMIT")
    assert own.execute("SELECT count(*) FROM orders").fetchone() == (1,)
    assert await stored(connected) == 1
    own.close()


async def test_keys_are_unique_inside_a_transaction_too(connected: Connected, own: sqlite3.Connection) -> None:
    [first] = await connected.backend.push_in(own, [new_task(key="once")])
    [second] = await connected.backend.push_in(own, [new_task(key="once")])
    assert (second.created, second.task.id) == (False, first.task.id)
    own.rollback()
    own.close()


async def test_the_rules_of_a_key_hold_inside_a_transaction_too(connected: Connected, own: sqlite3.Connection) -> None:
    [first] = await connected.backend.push_in(own, [new_task(key="k", debounce=60)])
    [second] = await connected.backend.push_in(own, [new_task(key="k", debounce=60, args=b"2")])
    assert (first.created, second.created, second.task.id) == (True, False, first.task.id)
    own.execute("COMMIT")
    task = await connected.expose.fetch(first.task.id)
    assert task is not None and task.args == b"2"
    own.close()


async def test_the_owners_row_factory_is_heeded_by_nobody_but_the_owner(connected: Connected, own: sqlite3.Connection) -> None:
    own.row_factory = sqlite3.Row
    own.text_factory = bytes
    await connected.backend.push_in(own, [new_task(key="once")])
    [again] = await connected.backend.push_in(own, [new_task(key="once")])
    assert not again.created
    assert (own.row_factory, own.text_factory) == (sqlite3.Row, bytes)
    own.rollback()
    own.close()


async def test_an_aiosqlite_transaction_can_be_joined(connected: Connected, path: Path) -> None:
    async with aiosqlite.connect(path, isolation_level=None) as own:
        await own.execute("BEGIN IMMEDIATE")
        await connected.backend.push_in(own, [new_task()])
        await own.execute("ROLLBACK")
        assert await stored(connected) == 0
        await own.execute("BEGIN IMMEDIATE")
        await connected.backend.push_in(own, [new_task()])
        await own.execute("COMMIT")
    assert await stored(connected) == 1


async def test_without_a_transaction_there_is_nothing_to_join(connected: Connected, path: Path) -> None:
    own = sqlite3.connect(path)
    with pytest.raises(InvalidValue, match="BEGIN"):
        await connected.backend.push_in(own, [new_task()])
    own.close()


async def test_another_file_cannot_be_joined(connected: Connected, tmp_path: Path) -> None:
    for place in (tmp_path / "other.db", Path(":memory:")):
        own = sqlite3.connect(place, isolation_level=None)
        own.execute("BEGIN")
        with pytest.raises(InvalidValue, match="own file"):
            await connected.backend.push_in(own, [new_task()])
        own.close()


async def test_something_else_cannot_be_joined(connected: Connected) -> None:
    with pytest.raises(InvalidValue, match=r"builtins\.str"):
        await connected.backend.push_in("a connection", [new_task()])


async def test_the_commit_wakes_workers_here_and_elsewhere(connected: Connected, another: Connected, own: sqlite3.Connection) -> None:
    own.execute("COMMIT")
    boot = await registered(another)
    async with another.backend.wakeups(boot, ["default"]) as there, connected.backend.wakeups(boot, ["default"]) as here:
        own.execute("BEGIN IMMEDIATE")
        await connected.backend.push_in(own, [new_task()])
        own.execute("COMMIT")
        assert await here.wait(PATIENCE)
        assert await there.wait(PATIENCE)

        async def claimed() -> bool:
            return bool((await another.backend.claim(boot, ["default"], names=None, limit=1)).tasks)

        await until(claimed)
    own.close()


async def test_a_closed_connection_cannot_be_joined(connected: Connected, own: sqlite3.Connection) -> None:
    own.close()
    with pytest.raises(InvalidValue, match="cannot be used here"):
        await connected.backend.push_in(own, [new_task()])
