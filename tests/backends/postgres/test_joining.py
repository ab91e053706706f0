"""A push in the caller's own transaction shares its fate, on whichever driver and in whatever mode the caller's connection is."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import asyncpg
import psycopg
import psycopg.rows
import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from queue_core import App
from queue_core.backoff import Retry
from queue_core.conformance.helpers import ME, PATIENCE, claim, fetch, listed, new_task, registered
from queue_core.errors import InvalidValue, NotConnected, StoreUnavailable
from queue_core.expose import Connected, Span, connect
from queue_core.task import NewTask
from tests import pg

URLS: Final = {driver: f"postgresql+{driver}://" for driver in ("asyncpg", "psycopg", "psycopg2")}


@dataclass
class Shop:
    """A program's own database connection, with an order in a transaction of its own."""

    connection: Any
    """What is given to ``push_in``."""
    execute: Callable[[str], Any]
    """Returns the first column of the first row, if there is a row."""
    begin: Callable[[], Any]
    commit: Callable[[], Any]
    rollback: Callable[[], Any]

    async def order(self, number: int = 1) -> None:
        await self.run(f"INSERT INTO orders VALUES ({number})")

    async def orders(self) -> int:
        return int(await self.run("SELECT count(*) FROM orders"))

    async def run(self, sql: str) -> Any:
        return await finished(self.execute(sql))

    async def save(self) -> None:
        await finished(self.commit())

    async def undo(self) -> None:
        await finished(self.rollback())

    async def start(self) -> None:
        await finished(self.begin())


Open: TypeAlias = Callable[[str], Any]


async def finished(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def nothing() -> None:
    """The driver begins a transaction by itself."""


# --- the kinds -------------------------------------------------------------------------------------------


@asynccontextmanager
async def an_asyncpg_connection(url: str) -> AsyncIterator[Shop]:
    own = await asyncpg.connect(url)
    yield _of_asyncpg(own)
    await own.close()


@asynccontextmanager
async def a_pooled_asyncpg_connection(url: str) -> AsyncIterator[Shop]:
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as own:
        yield _of_asyncpg(own)


def _of_asyncpg(own: Any) -> Shop:
    return Shop(own, own.fetchval, lambda: own.execute("BEGIN"), lambda: own.execute("COMMIT"), lambda: own.execute("ROLLBACK"))


@asynccontextmanager
async def an_async_psycopg_connection(url: str) -> AsyncIterator[Shop]:
    async with await psycopg.AsyncConnection.connect(url) as own:

        async def execute(sql: str) -> Any:
            cursor = await own.execute(sql.encode())
            return (await cursor.fetchall())[0][0] if cursor.description else None

        yield Shop(own, execute, nothing, own.commit, own.rollback)


@asynccontextmanager
async def a_psycopg_connection(url: str) -> AsyncIterator[Shop]:
    with psycopg.connect(url) as own:

        def execute(sql: str) -> Any:
            cursor = own.execute(sql.encode())
            return cursor.fetchall()[0][0] if cursor.description else None

        yield Shop(own, execute, nothing, own.commit, own.rollback)


def an_async_sqlalchemy_connection(driver: str) -> Open:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Shop]:
        async with _async_engine(driver, url) as engine, engine.connect() as own:
            yield Shop(own, lambda sql: _first_of(own.execute(sa.text(sql))), nothing, own.commit, own.rollback)

    return opened


def an_async_session(driver: str, *, scoped: bool = False) -> Open:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Shop]:
        async with _async_engine(driver, url) as engine:
            own: Any = AsyncSession(engine)
            if scoped:
                own = async_scoped_session(async_sessionmaker(engine), scopefunc=lambda: "this test")
            yield Shop(own, lambda sql: _first_of(own.execute(sa.text(sql))), nothing, own.commit, own.rollback)
            await own.close()

    return opened


def a_sqlalchemy_connection(driver: str) -> Open:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Shop]:
        engine = sa.create_engine(url.replace("postgresql://", URLS[driver]), pool_size=1, max_overflow=0)
        with engine.connect() as own:
            yield Shop(own, lambda sql: _first(own.execute(sa.text(sql))), nothing, own.commit, own.rollback)
        engine.dispose()

    return opened


def a_session(driver: str, *, scoped: bool = False) -> Open:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Shop]:
        engine = sa.create_engine(url.replace("postgresql://", URLS[driver]), pool_size=1, max_overflow=0)
        own: Any = scoped_session(sessionmaker(engine)) if scoped else Session(engine)
        yield Shop(own, lambda sql: _first(own.execute(sa.text(sql))), nothing, own.commit, own.rollback)
        own.close()
        engine.dispose()

    return opened


@asynccontextmanager
async def _async_engine(driver: str, url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(url.replace("postgresql://", URLS[driver]), pool_size=1, max_overflow=0)
    yield engine
    await engine.dispose()


async def _first_of(result: Awaitable[Any]) -> Any:
    return _first(await result)


def _first(result: Any) -> Any:
    return result.scalar() if result.returns_rows else None


KINDS: Final[dict[str, Open]] = {
    "asyncpg": an_asyncpg_connection,
    "asyncpg, of a pool": a_pooled_asyncpg_connection,
    "psycopg, async": an_async_psycopg_connection,
    "psycopg": a_psycopg_connection,
    "AsyncConnection on asyncpg": an_async_sqlalchemy_connection("asyncpg"),
    "AsyncConnection on psycopg": an_async_sqlalchemy_connection("psycopg"),
    "AsyncSession on asyncpg": an_async_session("asyncpg"),
    "async_scoped_session on psycopg": an_async_session("psycopg", scoped=True),
    "Connection on psycopg": a_sqlalchemy_connection("psycopg"),
    "Connection on psycopg2": a_sqlalchemy_connection("psycopg2"),
    "Session on psycopg": a_session("psycopg"),
    "scoped_session on psycopg2": a_session("psycopg2", scoped=True),
}


# --- what the tests are told in --------------------------------------------------------------------------


@pytest_asyncio.fixture
async def connected(postgres_store: str) -> AsyncIterator[Connected]:
    """An open, empty store."""
    store = connect(postgres_store)
    await store.backend.open()
    yield store
    await store.backend.close()


@pytest_asyncio.fixture(params=KINDS)
async def shop(request: pytest.FixtureRequest, connected: Connected, pg_url: str) -> AsyncIterator[Shop]:
    """Each kind of connection in turn, in a transaction that holds an order."""
    async with KINDS[request.param](pg_url) as shop:
        await shop.run("CREATE TEMPORARY TABLE orders (id integer PRIMARY KEY)")
        with suppress(asyncpg.NoActiveSQLTransactionError):
            await shop.save()
        await shop.start()
        await shop.order()
        yield shop
        with suppress(Exception):  # there are tests that lose the connection
            await shop.undo()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[pg.Server]:
    """Another server."""
    with pg.Server() as server:
        yield server


async def stored(connected: Connected) -> int:
    return sum(count.total for count in (await connected.expose.counts()).values())


def rich(**changes: Any) -> NewTask:
    """A task with everything that one can have."""
    usual: dict[str, Any] = {
        "priority": -7,
        "max_attempts": 3,
        "timeout": 2.5,
        "run_at": datetime(2100, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        "expires_at": datetime(2101, 1, 1, tzinfo=UTC),
        "retry": Retry(min=1.5),
        "tags": ("50 % off", "it's {new}", "a\\b"),
        "metadata": {"nul": "\x00", "list": [1, None, "🦀"]},
        "args": bytes(range(256)),
    }
    return new_task(**{**usual, **changes})


# --- every kind ------------------------------------------------------------------------------------------


async def test_the_task_appears_with_the_commit(connected: Connected, shop: Shop) -> None:
    [pushed] = await connected.backend.push_in(shop.connection, [new_task()])
    assert pushed.created
    assert await connected.expose.fetch(pushed.task.id) is None
    await shop.save()
    assert await fetch(connected, pushed.task.id) == pushed.task
    assert await stored(connected) == await shop.orders() == 1
    now = await connected.expose.now()
    assert [bucket.pushed for bucket in await connected.expose.series(Span.DAY, since=now, until=now)] == [1]


async def test_the_task_vanishes_with_the_rollback(connected: Connected, shop: Shop) -> None:
    [pushed] = await connected.backend.push_in(shop.connection, [new_task()])
    await shop.undo()
    assert await connected.expose.fetch(pushed.task.id) is None
    assert await stored(connected) == 0
    await shop.start()
    assert await shop.orders() == 0


async def test_the_commit_wakes_workers_and_nothing_before_it(connected: Connected, shop: Shop) -> None:
    boot = await registered(connected)
    async with connected.backend.wakeups(boot, ["default"]) as wakeups:
        await connected.backend.push_in(shop.connection, [new_task(), new_task(run_after=0.0)])
        while await wakeups.wait(0.05):
            pass
        assert (await connected.backend.claim(boot, ["default"], names=None, limit=9)).tasks == []
        await shop.save()
        assert await wakeups.wait(PATIENCE)
        assert len(await claim(connected, boot, limit=9)) == 2


async def test_two_pushes_in_one_transaction_keep_their_order(connected: Connected, shop: Shop) -> None:
    first = await connected.backend.push_in(shop.connection, [new_task(), new_task()])
    second = await connected.backend.push_in(shop.connection, [new_task()])
    assert await connected.backend.push_in(shop.connection, []) == []
    await shop.save()
    seqs = [pushed.task.seq for pushed in (*first, *second)]
    assert seqs == sorted(seqs)
    assert await stored(connected) == 3


async def test_a_key_finds_its_twin_of_this_transaction_and_of_earlier_ones(connected: Connected, shop: Shop) -> None:
    [before] = await connected.backend.push([rich(key="before")])
    [within] = await connected.backend.push_in(shop.connection, [rich(key="within")])
    again = await connected.backend.push_in(shop.connection, [new_task(key="within"), new_task(), new_task(key="before"), new_task(key="within")])
    assert [pushed.created for pushed in again] == [False, True, False, False]
    assert [again[place].task for place in (0, 2, 3)] == [within.task, before.task, within.task]
    assert type(again[0].task.args) is bytes
    await shop.save()
    assert await stored(connected) == 3


async def test_the_rules_of_a_key_hold_in_the_callers_transaction(connected: Connected, shop: Shop) -> None:
    [earlier] = await connected.backend.push([new_task(key="k")])
    await connected.expose.kill([earlier.task.id], actor=ME)
    await shop.start()
    first, plain = await connected.backend.push_in(shop.connection, [new_task(key="k", debounce=60), new_task(key="k")])
    [second] = await connected.backend.push_in(shop.connection, [new_task(key="k", debounce=60, args=b"2")])
    assert [push.created for push in (first, plain, second)] == [True, False, False]
    assert {push.task.id for push in (first, plain, second)} == {first.task.id}
    assert (await fetch(connected, earlier.task.id)).key == "k"
    await shop.save()
    assert (await fetch(connected, earlier.task.id)).key is None
    assert (await fetch(connected, first.task.id)).args == b"2"


async def test_a_push_that_is_refused_leaves_the_transaction_as_it_was(connected: Connected, shop: Shop) -> None:
    taken = new_task(id="order (1) = x")
    await connected.backend.push_in(shop.connection, [taken])
    with pytest.raises(InvalidValue, match=r"a task has the id order \(1\) = x already"):
        await connected.backend.push_in(shop.connection, [new_task(), new_task(id=taken.id)])
    with pytest.raises(InvalidValue, match="JSON"):
        await connected.backend.push_in(shop.connection, [new_task(), new_task(metadata={"x": object()})])
    await shop.order(2)
    await connected.backend.push_in(shop.connection, [new_task()])
    await shop.save()
    assert await shop.orders() == 2
    assert await stored(connected) == 2


async def test_everything_that_a_task_has_is_stored_as_it_was_given(connected: Connected, shop: Shop) -> None:
    plain = [new_task(timeout=7), new_task(args=b""), new_task(args=b"\x00\xff"), new_task("Ω\u0301 🦀 50 % ':p1' $1", queue="it's \\x41 {}")]
    pushed = await connected.backend.push_in(shop.connection, [*plain, rich(key="\\"), new_task(run_after=1e9)])
    await shop.save()
    assert [await fetch(connected, each.task.id) for each in pushed] == [each.task for each in pushed]
    assert (await fetch(connected, pushed[4].task.id)).metadata == {"nul": "\x00", "list": [1, None, "🦀"]}


async def test_a_thousand_tasks_go_at_once(connected: Connected, shop: Shop) -> None:
    await connected.backend.push_in(shop.connection, [rich(priority=number) if number % 2 else new_task() for number in range(1_000)])
    await shop.save()
    assert await stored(connected) == 1_000


async def test_tasks_go_into_more_queues_at_once_than_one_message_can_name(connected: Connected, shop: Shop) -> None:
    await connected.backend.push_in(shop.connection, [new_task(queue=f"a queue with a rather long name {number}") for number in range(500)])
    await shop.save()
    assert await stored(connected) == 500


async def test_a_savepoint_of_the_caller_takes_the_task_with_it(connected: Connected, shop: Shop) -> None:
    await connected.backend.push_in(shop.connection, [new_task()])
    await shop.run("SAVEPOINT prinia_push")
    await shop.order(2)
    await connected.backend.push_in(shop.connection, [new_task()])
    await shop.run("ROLLBACK TO SAVEPOINT prinia_push")
    await shop.save()
    assert await shop.orders() == await stored(connected) == 1


async def test_a_failed_transaction_is_refused_and_the_next_one_joined(connected: Connected, shop: Shop) -> None:
    with pytest.raises(Exception, match="division by zero"):
        await shop.run("SELECT 1 / 0")
    with pytest.raises(InvalidValue, match=r"has failed.*Roll it back"):
        await connected.backend.push_in(shop.connection, [new_task()])
    await shop.undo()
    await shop.start()
    await connected.backend.push_in(shop.connection, [new_task()])
    await shop.save()
    assert await stored(connected) == 1


async def test_a_transaction_that_takes_no_writes_is_refused(connected: Connected, shop: Shop) -> None:
    await shop.undo()
    await shop.start()
    await shop.run("SET TRANSACTION READ ONLY")
    with pytest.raises(InvalidValue, match="takes no writes"):
        await connected.backend.push_in(shop.connection, [new_task()])
    assert await shop.orders() == 0


async def test_another_store_of_the_same_name_is_refused(connected: Connected, shop: Shop, pg_url: str, postgres_store: str) -> None:
    schema = postgres_store.partition("schema=")[2]
    own = await asyncpg.connect(pg_url)
    await own.execute(f"UPDATE {schema}.identity SET id = gen_random_uuid()")
    await own.close()
    with pytest.raises(InvalidValue, match=r"own database.*another one"):
        await connected.backend.push_in(shop.connection, [new_task()])
    await shop.save()
    assert await shop.orders() == 1
    assert await stored(connected) == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_database_without_the_store_is_refused(connected: Connected, elsewhere: pg.Server, kind: str) -> None:
    async with KINDS[kind](elsewhere.url) as shop:
        await shop.start()
        await shop.run("CREATE TEMPORARY TABLE orders (id integer)")
        with pytest.raises(InvalidValue, match="own database"):
            await connected.backend.push_in(shop.connection, [new_task()])
        assert await shop.orders() == 0
        await shop.undo()


async def test_a_transaction_that_saw_too_little_is_to_be_repeated(connected: Connected, shop: Shop) -> None:
    await connected.backend.push([new_task()])
    await shop.undo()
    await shop.start()
    await shop.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    await shop.orders()
    await connected.backend.push([new_task(key="once")])
    with pytest.raises(StoreUnavailable, match=r"another transaction.*run all of it again"):
        await connected.backend.push_in(shop.connection, [new_task(key="once")])
    await shop.order(2)
    await connected.backend.push_in(shop.connection, [new_task()])
    await shop.save()
    assert await stored(connected) == 3


async def test_a_queue_that_an_open_transaction_names_first_is_open_to_others(connected: Connected, shop: Shop) -> None:
    mine = await connected.backend.push_in(shop.connection, [new_task(queue="fresh")])
    theirs = await connected.backend.push([new_task(queue="fresh")])  # would wait for the end of the transaction
    assert [task.id for task in await listed(connected)] == [theirs[0].task.id]
    await shop.save()
    assert {task.id for task in await listed(connected)} == {mine[0].task.id, theirs[0].task.id}


async def test_a_transaction_that_sees_no_later_ones_names_a_queue_too(connected: Connected, shop: Shop) -> None:
    await shop.undo()
    await shop.start()
    await shop.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    await shop.orders()
    await connected.backend.push_in(shop.connection, [new_task(queue="fresh")])
    await shop.save()
    assert [task.queue for task in await listed(connected)] == ["fresh"]


async def test_a_lost_connection_is_said_to_be_lost(connected: Connected, shop: Shop, pg_url: str) -> None:
    pid = await shop.run("SELECT pg_backend_pid()")
    other = await asyncpg.connect(pg_url)
    assert await other.fetchval("SELECT pg_terminate_backend($1, 10000)", pid)
    await other.close()
    with pytest.raises((StoreUnavailable, InvalidValue), match="connection"):
        await connected.backend.push_in(shop.connection, [new_task()])
    with suppress(Exception):
        await shop.undo()
    assert await stored(connected) == 0


async def test_a_push_that_is_cancelled_leaves_nothing_behind(connected: Connected, shop: Shop, pg_url: str) -> None:
    async with an_asyncpg_connection(pg_url) as rival:
        await rival.start()
        await connected.backend.push_in(rival.connection, [new_task(key="once")])
        pushing = asyncio.create_task(connected.backend.push_in(shop.connection, [new_task(), new_task(key="once")]))
        while not await rival.run("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"):
            await asyncio.sleep(0)
        pushing.cancel()
        await asyncio.sleep(0)
        await rival.undo()
    with pytest.raises(asyncio.CancelledError):
        await pushing
    with suppress(Exception):
        await shop.undo()
    assert await stored(connected) == 0


async def test_a_definition_and_an_app_push_in_a_transaction_too(connected: Connected, shop: Shop, postgres_store: str) -> None:
    app = App(postgres_store)

    @app.task
    async def ship(order: int) -> int:
        return order

    async with app.running():
        handle = await ship.using(connection=shop.connection, priority=3).push(order=1)
        await ship.using(connection=shop.connection).push_many([{"order": 2}, {"order": 3}])
        await app.push([new_task()], connection=shop.connection)
        assert await stored(connected) == 0
        await shop.save()
        assert (await fetch(connected, handle.id)).priority == 3
    assert await stored(connected) == 4


# --- single kinds ----------------------------------------------------------------------------------------


async def test_transactions_that_asyncpg_began_are_joined_at_any_depth(connected: Connected, pg_url: str) -> None:
    async with an_asyncpg_connection(pg_url) as shop, shop.connection.transaction():
        await connected.backend.push_in(shop.connection, [new_task()])
        with suppress(ZeroDivisionError):
            async with shop.connection.transaction():
                await connected.backend.push_in(shop.connection, [new_task()])
                _ = 1 / 0
    assert await stored(connected) == 1


async def test_asyncpg_outside_a_transaction_has_nothing_to_join(connected: Connected, pg_url: str) -> None:
    async with an_asyncpg_connection(pg_url) as shop:
        with pytest.raises(InvalidValue, match=r"no transaction open.*Begin one first"):
            await connected.backend.push_in(shop.connection, [new_task()])


async def test_record_classes_of_asyncpg_are_heeded_by_nobody_but_the_owner(connected: Connected, pg_url: str) -> None:
    class Odd(asyncpg.Record):  # type: ignore[misc]
        def __getitem__(self, key: object) -> Any:
            if isinstance(key, int):
                raise LookupError("only by name")
            return super().__getitem__(key)

        def __iter__(self) -> Any:
            raise TypeError("only by name")

    own = await asyncpg.connect(pg_url, record_class=Odd, statement_cache_size=0)
    async with own.transaction():
        await connected.backend.push_in(own, [new_task(key="once")])
        [again] = await connected.backend.push_in(own, [new_task(key="once")])
        assert not again.created
        assert type(await own.fetchrow("SELECT 1")) is Odd
    await own.close()


@pytest.mark.parametrize("row_factory", [psycopg.rows.dict_row, psycopg.rows.namedtuple_row, psycopg.rows.scalar_row])
@pytest.mark.parametrize("cursor_factory", [psycopg.Cursor, psycopg.ClientCursor, psycopg.RawCursor])
async def test_factories_of_psycopg_are_heeded_by_nobody_but_the_owner(
    connected: Connected, pg_url: str, row_factory: Any, cursor_factory: Any
) -> None:
    with psycopg.connect(pg_url, row_factory=row_factory, cursor_factory=cursor_factory, prepare_threshold=0) as own:
        for _ in range(2):
            [pushed] = await connected.backend.push_in(own, [new_task(key="once")])
        assert not pushed.created
        assert (own.row_factory, own.cursor_factory, own.prepare_threshold, own.autocommit) == (row_factory, cursor_factory, 0, False)


async def test_psycopg_in_autocommit_is_joined_in_a_transaction_only(connected: Connected, pg_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(pg_url, autocommit=True) as own:
        with pytest.raises(InvalidValue, match="no transaction open"):
            await connected.backend.push_in(own, [new_task()])
        async with own.transaction():
            await connected.backend.push_in(own, [new_task()])
            assert await stored(connected) == 0
        assert await stored(connected) == 1
        assert own.autocommit


async def test_a_psycopg_pipeline_is_refused_and_goes_on(connected: Connected, pg_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(pg_url) as own:
        async with own.pipeline():
            cursor = await own.execute("SELECT 1")
            with pytest.raises(InvalidValue, match="outside of the pipeline"):
                await connected.backend.push_in(own, [new_task()])
            assert await cursor.fetchone() == (1,)
        await connected.backend.push_in(own, [new_task()])
    assert await stored(connected) == 1


async def test_a_psycopg_connection_of_another_encoding_refuses_what_it_cannot_say(connected: Connected, pg_url: str) -> None:
    with psycopg.connect(pg_url, client_encoding="latin1") as own:
        await connected.backend.push_in(own, [new_task("Grüße")])
        with pytest.raises(InvalidValue, match="cannot be stored"):
            await connected.backend.push_in(own, [new_task("🦀")])
    assert await stored(connected) == 1


async def test_sqlalchemy_in_autocommit_has_nothing_to_join(connected: Connected, pg_url: str) -> None:
    engine = sa.create_engine(pg_url.replace("postgresql://", URLS["psycopg"]), isolation_level="AUTOCOMMIT")
    with engine.connect() as own, pytest.raises(InvalidValue, match="no transaction open"):
        await connected.backend.push_in(own, [new_task()])
    engine.dispose()


async def test_options_of_a_sqlalchemy_connection_do_no_harm(connected: Connected, pg_url: str) -> None:
    engine = sa.create_engine(pg_url.replace("postgresql://", URLS["psycopg2"]), execution_options={"stream_results": True, "yield_per": 1})
    with engine.begin() as own:
        for _ in range(2):
            [pushed] = await connected.backend.push_in(own, [new_task(key="once")])
        assert not pushed.created
    assert await stored(connected) == 1
    engine.dispose()


async def test_blocks_and_nested_transactions_of_sqlalchemy_are_joined(connected: Connected, pg_url: str) -> None:
    engine = create_async_engine(pg_url.replace("postgresql://", URLS["asyncpg"]))
    async with AsyncSession(engine) as session, session.begin():
        await connected.backend.push_in(session, [new_task()])
        with suppress(ZeroDivisionError):
            async with session.begin_nested():
                await connected.backend.push_in(session, [new_task()])
                _ = 1 / 0
        async with session.begin_nested():
            await connected.backend.push_in(await session.connection(), [new_task()])
    assert await stored(connected) == 2
    await engine.dispose()


async def test_what_the_session_has_not_flushed_is_committed_with_the_task(connected: Connected, pg_url: str) -> None:
    class Base(sa.orm.DeclarativeBase):
        pass

    class Order(Base):
        __tablename__ = "orders"
        __table_args__ = ({"prefixes": ["TEMPORARY"]},)
        id: sa.orm.Mapped[int] = sa.orm.mapped_column(primary_key=True)

    async with an_async_session("asyncpg")(pg_url) as shop:
        await (await shop.connection.connection()).run_sync(Base.metadata.create_all)
        shop.connection.add(Order(id=7))
        await connected.backend.push_in(shop.connection, [new_task()])
        await shop.save()
        assert await shop.orders() == await stored(connected) == 1


async def test_a_session_of_this_thread_is_joined_and_not_one_of_another(connected: Connected, pg_url: str) -> None:
    engine = sa.create_engine(pg_url.replace("postgresql://", URLS["psycopg"]))
    sessions = scoped_session(sessionmaker(engine))
    await connected.backend.push_in(sessions, [new_task()])
    assert sessions().in_transaction()
    sessions.commit()
    assert await stored(connected) == 1
    sessions.remove()
    engine.dispose()


async def test_no_message_is_sent_where_nobody_listens(postgres_store: str, pg_url: str) -> None:
    schema = postgres_store.partition("schema=")[2]
    polling = connect(f"{postgres_store}&mode=poll")
    await polling.backend.open()
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with an_asyncpg_connection(pg_url) as shop, an_asyncpg_connection(pg_url) as listener:
        await listener.connection.add_listener(schema, lambda *message: heard.put_nowait(message[-1]))
        async with shop.connection.transaction():
            await polling.backend.push_in(shop.connection, [new_task()])
        await shop.run(f"SELECT pg_notify('{schema}', 'the end')")
        assert await asyncio.wait_for(heard.get(), PATIENCE) == "the end"
    assert await stored(polling) == 1
    await polling.backend.close()


# --- what is no transaction ------------------------------------------------------------------------------


async def test_something_else_cannot_be_joined(connected: Connected, pg_url: str) -> None:
    engine = sa.create_engine("sqlite://")
    with psycopg.connect(pg_url) as own, own.cursor() as cursor:
        for other in ("a connection", cursor, engine):
            with pytest.raises(InvalidValue, match=f"got .*{type(other).__qualname__}"):
                await connected.backend.push_in(other, [new_task()])
    with engine.connect() as elsewhere, pytest.raises(InvalidValue, match="one of sqlite"):
        await connected.backend.push_in(elsewhere, [new_task()])
    with Session() as unbound, pytest.raises(InvalidValue, match="cannot be used here"):
        await connected.backend.push_in(unbound, [new_task()])
    engine.dispose()


def makers(pg_url: str) -> dict[str, Any]:
    """What makes connections, and how one is taken from it. Nothing is connected yet."""
    url = pg_url.replace("postgresql://", "postgresql+psycopg://")
    engine, asynchronous = sa.create_engine(url), create_async_engine(url)
    return {
        "async with pool.acquire() as connection, connection.transaction(): …": asyncpg.create_pool(pg_url),
        "with pool.connection() as connection: …": type("NullConnectionPool", (named("psycopg_pool.pool", "ConnectionPool"),), {})(),
        "async with pool.connection() as connection: …": named("psycopg_pool.pool_async", "AsyncConnectionPool")(),
        "with engine.begin() as connection: …": engine,
        "async with engine.begin() as connection: …": asynchronous,
        "with make_session.begin() as session: …": sessionmaker(engine),
        "async with make_session.begin() as session: …": async_sessionmaker(asynchronous),
    }


def named(module: str, name: str) -> type[Any]:
    """A class of a package that need not be installed."""
    return type(name, (), {"__module__": module})


async def test_what_makes_connections_hears_how_to_take_one(connected: Connected, pg_url: str) -> None:
    for way, maker in makers(pg_url).items():
        with pytest.raises(InvalidValue) as refusal:
            await connected.backend.push_in(maker, [new_task()])
        assert str(refusal.value).startswith("connection= takes a connection of asyncpg or psycopg, or a connection or session of SQLAlchemy, got ")
        assert str(refusal.value).endswith(f"{type(maker).__qualname__}. Take one from it: {way}")


@pytest.mark.parametrize(
    "kind", ["asyncpg", "asyncpg, of a pool", "psycopg, async", "psycopg", "Connection on psycopg2", "AsyncConnection on asyncpg"]
)
async def test_a_closed_connection_cannot_be_joined(connected: Connected, pg_url: str, kind: str) -> None:
    async with AsyncExitStack() as stack:
        shop = await stack.enter_async_context(KINDS[kind](pg_url))
    with pytest.raises(InvalidValue, match=r"cannot be used here: .*(closed|released)"):
        await connected.backend.push_in(shop.connection, [new_task()])


async def test_a_store_that_is_not_open_joins_nothing(postgres_store: str, pg_url: str) -> None:
    async with an_asyncpg_connection(pg_url) as shop, shop.connection.transaction():
        with pytest.raises(NotConnected):
            await connect(postgres_store).backend.push_in(shop.connection, [new_task()])


def test_no_driver_but_our_own_is_imported_for_callers_who_have_none(pg_url: str, postgres_store: str) -> None:
    script = f"""
import asyncio, sys
import asyncpg
from queue_core.expose import connect
from queue_core.task import NewTask

async def main():
    store = connect({postgres_store!r})
    await store.backend.open()
    own = await asyncpg.connect({pg_url!r})
    async with own.transaction():
        await store.backend.push_in(own, [NewTask(name="work", args=b"")])
    await own.close()
    await store.backend.close()

asyncio.run(main())
print(*sorted({{"psycopg", "sqlalchemy"}} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_the_kinds_are_told(postgres_store: str) -> None:
    assert connect(postgres_store).backend.capabilities.transactions == ("asyncpg", "psycopg", "sqlalchemy")
