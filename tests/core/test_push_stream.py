"""Pushing what comes by and by."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from queue_core import App, InvalidValue, NewTask, TaskDefinition
from queue_core.definition import STREAM_BATCH


@pytest.fixture
def square(stored_app: App) -> TaskDefinition[[int], int]:
    @stored_app.task
    async def square(n: int) -> int:
        return n * n

    return square


async def stored(app: App) -> int:
    return sum(counts.total for counts in (await app.expose.counts()).values())


async def read(stream: AsyncIterator[Any], into: list[Any]) -> None:
    async for each in stream:
        into.append(each)  # noqa: PERF401 - what was read before an error counts


async def test_a_long_stream_is_stored_in_its_order(stored_app: App, square: TaskDefinition[[int], int]) -> None:
    async def numbers() -> AsyncIterator[Mapping[str, Any]]:
        for n in range(3 * STREAM_BATCH + 7):
            yield {"n": n}

    handles = [handle async for handle in square.push_stream(numbers())]
    assert [handle.task.args for handle in handles] == [b'{"n":%d}' % n for n in range(len(handles))]
    assert await stored(stored_app) == len(handles) == 3 * STREAM_BATCH + 7


async def test_a_plain_iterable_is_a_stream_too(stored_app: App, square: TaskDefinition[[int], int]) -> None:
    handles = [handle async for handle in square.using(priority=3).push_stream({"n": n} for n in range(5))]
    assert [handle.task.priority for handle in handles] == [3] * 5
    assert [handle async for handle in square.push_stream([])] == []


async def test_no_more_than_two_batches_are_ever_taken_from_the_source(stored_app: App, square: TaskDefinition[[int], int]) -> None:
    taken = 0

    def endless() -> Any:
        nonlocal taken
        while taken < 20 * STREAM_BATCH:
            taken += 1
            yield {"n": taken}

    seen = 0
    async with aclosing(square.push_stream(endless())) as handles:
        async for _ in handles:
            seen += 1
            assert taken <= (seen // STREAM_BATCH + 3) * STREAM_BATCH
            if seen == 2 * STREAM_BATCH + 1:
                break
    assert await stored(stored_app) == 3 * STREAM_BATCH


async def test_a_slow_stream_is_not_waited_for(stored_app: App, square: TaskDefinition[[int], int]) -> None:
    answered = asyncio.Event()

    async def patient() -> AsyncIterator[Mapping[str, Any]]:
        yield {"n": 1}
        await answered.wait()
        yield {"n": 2}

    handles = aiter(square.push_stream(patient()))
    assert (await asyncio.wait_for(anext(handles), 10)).created
    answered.set()
    assert (await asyncio.wait_for(anext(handles), 10)).created


async def test_what_came_before_an_error_is_stored(stored_app: App, square: TaskDefinition[[int], int]) -> None:
    async def broken() -> AsyncIterator[Mapping[str, Any]]:
        yield {"n": 1}
        yield {"n": 2}
        raise ConnectionResetError("the source is gone")

    seen: list[Any] = []
    with pytest.raises(ConnectionResetError, match="the source is gone"):
        await read(square.push_stream(broken()), seen)
    with pytest.raises(InvalidValue, match="n must be int"):
        await read(square.push_stream([{"n": 3}, {"n": "many"}, {"n": 4}]), seen)
    assert len(seen) == await stored(stored_app) == 3


async def test_leaving_a_stream_closes_its_source(stored_app: App, square: TaskDefinition[[int], int]) -> None:
    closed = asyncio.Event()

    async def source() -> AsyncIterator[Mapping[str, Any]]:
        try:
            yield {"n": 1}
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with aclosing(square.push_stream(source())) as handles:
        await anext(handles)
    assert closed.is_set()


async def test_a_source_that_is_cancelled_ends_its_stream(square: TaskDefinition[[int], int]) -> None:
    async def source() -> AsyncIterator[Mapping[str, Any]]:
        yield {"n": 1}
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await read(square.push_stream(source()), [])


async def test_tasks_of_several_definitions_are_stored_as_one(stored_app: App, square: TaskDefinition[[int], int]) -> None:
    @stored_app.task(queue="words")
    async def shout(text: str) -> str:
        return text.upper()

    pushed = await stored_app.push([square.new(2), shout.using(priority=5).new(text="hey")])
    assert [(each.task.name, each.task.queue, each.task.priority) for each in pushed] == [("square", "default", 0), ("shout", "words", 5)]
    with pytest.raises(InvalidValue, match="n must be int"):
        square.new("two")  # type: ignore[arg-type]

    async def tasks() -> AsyncIterator[NewTask]:
        yield square.new(3)
        yield shout.new("ho")

    assert [each.task.name async for each in stored_app.push_stream(tasks())] == ["square", "shout"]
    assert await stored(stored_app) == 4


async def test_an_async_iterable_is_sent_from_push_many_to_push_stream(square: TaskDefinition[[int], int]) -> None:
    async def numbers() -> AsyncIterator[Mapping[str, Any]]:
        yield {"n": 1}

    with pytest.raises(InvalidValue, match="Use push_stream"):
        await square.push_many(numbers())  # type: ignore[arg-type]
