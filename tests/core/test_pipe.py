"""Piping another system's stream into tasks: each item once, never far ahead, through outages, and with no harm to the worker beside it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from queue_core import App, HandWoundClock, InvalidValue, StoreUnavailable, Task, Tick, pipe
from queue_core.expose import TaskFilter
from queue_core.schedule import Cron, tick_in
from queue_core.testing import drain
from tests.core.steps import eventually, working

Rows = list[dict[str, Any]]
ROWS: Rows = [{"number": n, "text": f"row {n}"} for n in range(5)]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_core.piping.TROUBLE", type("Soon", (), {"delay": staticmethod(lambda attempt: 0.0)}))


@pytest.fixture
def work(stored_app: App) -> Any:
    @stored_app.task
    async def work(number: int, text: str) -> str:
        return text

    return work


async def stored(app: App) -> list[Task]:
    """Every task, the first pushed first."""
    await app.open()
    page = await app.expose.list_tasks(TaskFilter(), limit=1_000)
    return list(reversed(await app.expose.fetch_many([task.id for task in page.tasks])))


async def coming(rows: Any, error: Exception | None = None) -> AsyncIterator[Any]:
    for row in rows:
        yield row
    if error is not None:
        raise error


def number_of(row: dict[str, Any]) -> int:
    return int(row["number"])


async def test_every_item_becomes_one_task_that_knows_where_it_came_from(stored_app: App, work: Any) -> None:
    assert await pipe(coming(ROWS), work, id_of=number_of, name="orders", priority=3, metadata={"by": "me"}) == 5
    tasks = await stored(stored_app)
    assert [task.key for task in tasks] == [f"orders:{n}" for n in range(5)]
    assert tasks[0].metadata == {"by": "me", "source": "orders", "source_id": "0"}
    assert {task.priority for task in tasks} == {3}
    await drain(stored_app)


async def test_a_pipe_that_starts_again_doubles_nothing(stored_app: App, work: Any) -> None:
    assert await pipe(coming(ROWS[:3]), work, id_of=number_of) == 3
    await drain(stored_app)
    assert await pipe(coming(ROWS), work, id_of=number_of, batch=2) == 2
    assert len(await stored(stored_app)) == 5


async def test_two_pipes_from_one_source_make_one_task_of_each_item(stored_app: App, work: Any) -> None:
    assert sum(await asyncio.gather(*[pipe(coming(ROWS), work, id_of=number_of, batch=1) for _ in range(3)])) == 5
    assert len(await stored(stored_app)) == 5


async def test_names_and_ids_with_colons_make_no_key_twice(stored_app: App, work: Any) -> None:
    assert await pipe(coming(ROWS[:1]), work, id_of=lambda _: "b:c", name="a") == 1
    assert await pipe(coming(ROWS[1:2]), work, id_of=lambda _: "c", name="a:b") == 1
    assert await pipe(coming(ROWS[2:3]), work, id_of=lambda _: "c", name="a%3Ab") == 1
    assert await pipe(coming(ROWS[1:2]), work, id_of=lambda _: "c", name="a:b") == 0


async def test_an_id_that_comes_twice_at_once_makes_one_task(stored_app: App, work: Any) -> None:
    assert await pipe([ROWS[0], ROWS[0], ROWS[1]], work, id_of=number_of) == 2
    assert len(await stored(stored_app)) == 2


async def test_without_an_id_every_item_is_a_new_task(stored_app: App, work: Any) -> None:
    assert [await pipe(ROWS, work), await pipe(ROWS, work)] == [5, 5]
    assert {task.key for task in await stored(stored_app)} == {None}


async def test_an_item_is_the_one_argument_or_is_made_into_several(stored_app: App) -> None:
    @stored_app.task
    async def one(line: str) -> str:
        return line

    @stored_app.task
    async def two(line: str, length: int) -> None: ...

    await pipe(["a", "b"], one)
    await pipe(["c"], two, arguments=lambda line: {"line": line, "length": len(line)})
    assert [task.args for task in await stored(stored_app)] == [b'{"line":"a"}', b'{"line":"b"}', b'{"line":"c","length":1}']
    with pytest.raises(InvalidValue, match=r"two takes 2 arguments, so each item must be a mapping .* got 'd'\. Pass arguments="):
        await pipe(["d"], two)


# --- pressure and trouble ---------------------------------------------------------------------------------------


async def test_the_source_is_not_read_far_ahead(stored_app: App, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, pushing, go_on = 0, asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[dict[str, Any]]:
        nonlocal taken
        while True:
            taken += 1
            yield {"number": taken, "text": ""}

    async def slow(tasks: Any) -> Any:
        pushing.set()
        await go_on.wait()

    await stored_app.open()
    monkeypatch.setattr(stored_app.backend, "push", slow)
    piping = asyncio.create_task(pipe(endless(), work, batch=10))
    await pushing.wait()
    for _ in range(50):
        await asyncio.sleep(0)
    assert taken <= 21
    piping.cancel()
    await asyncio.wait([piping])
    assert piping.cancelled()


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("stored_first", [True, False], ids=["answer lost", "nothing stored"])
async def test_an_outage_of_the_store_is_waited_for(
    stored_app: App, work: Any, monkeypatch: pytest.MonkeyPatch, stored_first: bool, with_ids: bool
) -> None:
    await stored_app.open()
    push, calls = stored_app.backend.push, 0

    async def broken(tasks: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 3:
            if stored_first and calls % 3 == 1:
                await push(tasks)
            raise StoreUnavailable("gone")
        return await push(tasks)

    monkeypatch.setattr(stored_app.backend, "push", broken)
    assert await pipe(coming(ROWS), work, id_of=number_of if with_ids else None, batch=2) == 5
    assert [task.args for task in await stored(stored_app)] == [work.new(**row).args for row in ROWS]


async def test_an_error_of_the_source_ends_the_pipe_with_it_and_not_the_worker(stored_app: App, work: Any) -> None:
    async with working(stored_app):
        with pytest.raises(OSError, match="cut"):
            await pipe(coming(ROWS, OSError("cut")), work, id_of=number_of)
        assert len(await stored(stored_app)) == 5
        assert await (await work.push(9, "after")).result(timeout=20) == "after"


async def test_an_item_that_does_not_fit_ends_the_pipe_and_what_came_before_is_stored(stored_app: App, work: Any) -> None:
    with pytest.raises(InvalidValue, match="number must be int"):
        await pipe(coming([*ROWS[:2], {"number": "x", "text": ""}, *ROWS[2:]]), work)
    assert len(await stored(stored_app)) == 2


@pytest.mark.parametrize("arguments", [lambda _: None, lambda _: {1: "one"}, lambda _: [("number", 1)]])
async def test_arguments_that_are_no_mapping_of_names_are_refused(stored_app: App, work: Any, arguments: Any) -> None:
    with pytest.raises(InvalidValue, match="The arguments of work must be a mapping of their names to values"):
        await pipe(coming(ROWS), work, arguments=arguments)
    with pytest.raises(InvalidValue, match="The arguments of work must be a mapping of their names to values"):
        await pipe([{1: "one"}], work)
    assert await stored(stored_app) == []


async def test_a_source_is_closed_when_its_pipe_ends(stored_app: App, work: Any) -> None:
    closed = False

    async def source() -> AsyncIterator[Any]:
        nonlocal closed
        try:
            yield {"number": "x"}
            await asyncio.Event().wait()
        finally:
            closed = True

    with pytest.raises(InvalidValue):
        await pipe(source(), work)
    assert closed


@pytest.mark.parametrize("id", [None, "", " ", True, 1.5, b"x"])
async def test_an_id_is_text_or_a_number(stored_app: App, work: Any, id: Any) -> None:
    with pytest.raises(InvalidValue, match="id_of must give the text or the number that the source work knows an item by"):
        await pipe(ROWS, work, id_of=lambda row: id)
    assert not await stored(stored_app)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch": 0}, "batch must be a number of items, one or more, got 0"),
        ({"name": ""}, "The name of a source must not be blank"),
        ({"key": "a"}, "A pipe cannot set key"),
        ({"id": "a"}, "A pipe cannot set id"),
        ({"colour": "red"}, r"using\(\) has no option colour"),
    ],
)
async def test_settings_that_cannot_be_are_refused_before_anything_is_read(options: dict[str, Any], sentence: str) -> None:
    app, read = App("memory://"), []

    @app.task
    async def work(n: int) -> None: ...

    def source() -> Any:
        read.append(1)
        yield 1

    with pytest.raises(InvalidValue, match=sentence):
        await pipe(source(), work, **options)
    assert not read


# --- ticks ---------------------------------------------------------------------------------------------------------


async def test_the_ticks_of_a_cron_are_piped_once_however_many_pipes_there_are(stored_app: App) -> None:
    clock = HandWoundClock(datetime(2026, 1, 1, 5, 59, tzinfo=UTC))

    @stored_app.task
    async def report() -> None: ...

    pipes = [asyncio.create_task(pipe(Cron("0 6 * * *").ticks(clock), report, name="mornings")) for _ in range(2)]
    for hours in (1, 24):
        for _ in range(20):
            await asyncio.sleep(0)
        clock.advance(hours * 3600)
        await eventually(lambda hours=hours: _count(stored_app, 1 if hours == 1 else 2))  # type: ignore[misc]
    for one in pipes:
        one.cancel()
    await asyncio.wait(pipes)
    tasks = await stored(stored_app)
    assert [tick_in(task.metadata) for task in tasks] == [Tick(datetime(2026, 1, day, 6, tzinfo=UTC), "mornings") for day in (1, 2)]
    assert tasks[0].key == "mornings:2026-01-01T06:00:00+00:00"


async def _count(app: App, number: int) -> bool:
    return len(await stored(app)) == number
