"""wait_for: each task once, as it ends."""

import asyncio

import pytest

from queue_core.conformance.helpers import FAILED, ME, done, finish, killed, push_one, registered, running, soon, take
from queue_core.errors import ResultTimeout, UnknownTask
from queue_core.expose import Connected
from queue_core.ids import TaskId
from queue_core.outcome import Succeeded
from queue_core.status import Status


async def test_what_has_ended_is_yielded_at_once(connected: Connected) -> None:
    good, bad = await done(connected), await killed(connected)
    tasks = {task.id: task async for task in connected.backend.wait_for([good.id, bad.id], timeout=20)}
    assert tasks == {good.id: good, bad.id: bad}


async def test_a_task_is_yielded_when_it_ends(connected: Connected, another: Connected) -> None:
    claim = await running(connected)
    waiting = asyncio.ensure_future(anext(connected.backend.wait_for([claim.id], timeout=20)))
    elsewhere = asyncio.ensure_future(anext(another.backend.wait_for([claim.id], timeout=20)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await finish(connected, claim, Succeeded(b"5"))
    for future in (waiting, elsewhere):
        task = await future
        assert (task.status, task.result) == (Status.DONE, b"5")


async def test_tasks_come_in_the_order_in_which_they_end(connected: Connected) -> None:
    first, second = await running(connected), await running(connected)
    wait = connected.backend.wait_for([first.id, second.id], timeout=20)
    await finish(connected, second)
    assert (await soon(wait)).id == second.id
    await finish(connected, first)
    assert (await soon(wait)).id == first.id
    with pytest.raises(StopAsyncIteration):
        await soon(wait)


async def test_a_failure_that_will_be_retried_is_no_end(connected: Connected) -> None:
    claim = await running(connected)
    wait = connected.backend.wait_for([claim.id], timeout=20)
    waiting = asyncio.ensure_future(anext(wait))
    await finish(connected, claim, FAILED)
    await finish(connected, await take(connected, claim.id, await registered(connected)))
    assert (await waiting).status is Status.DONE


async def test_a_kill_is_an_end(connected: Connected) -> None:
    task = await push_one(connected)
    waiting = asyncio.ensure_future(anext(connected.backend.wait_for([task.id], timeout=20)))
    await asyncio.sleep(0)
    await connected.expose.kill([task.id], actor=ME)
    assert (await waiting).status is Status.KILLED


async def test_an_id_given_twice_is_yielded_once(connected: Connected) -> None:
    task = await done(connected)
    assert [found.id async for found in connected.backend.wait_for([task.id, task.id], timeout=20)] == [task.id]


async def test_waiting_for_nothing_ends_at_once(connected: Connected) -> None:
    assert [task async for task in connected.backend.wait_for([])] == []


async def test_an_unknown_id_is_an_error(connected: Connected) -> None:
    task = await done(connected)
    with pytest.raises(UnknownTask, match="nobody") as caught:
        await soon(connected.backend.wait_for([task.id, TaskId("nobody")], timeout=20))
    assert caught.value.ids == ("nobody",)


async def test_patience_ends(connected: Connected) -> None:
    ended, waits = await done(connected), await push_one(connected)
    wait = connected.backend.wait_for([ended.id, waits.id], timeout=0.05)
    assert (await soon(wait)).id == ended.id
    with pytest.raises(ResultTimeout):
        await soon(wait)


async def test_without_any_patience_what_has_ended_is_still_yielded(connected: Connected) -> None:
    ended, waits = await done(connected), await push_one(connected)
    wait = connected.backend.wait_for([waits.id, ended.id], timeout=0)
    assert (await soon(wait)).id == ended.id
    with pytest.raises(ResultTimeout):
        await soon(wait)


async def test_many_can_be_awaited(connected: Connected) -> None:
    tasks = [await done(connected) for _ in range(20)]
    found = {task.id async for task in connected.backend.wait_for([task.id for task in tasks], timeout=20)}
    assert found == {task.id for task in tasks}
