"""Idempotency keys: one task a key and queue, for as long as the task is stored."""

import asyncio

import pytest

from queue_core.conformance.helpers import ME, counts_of, fetch, in_state, listed, new_task, push_one
from queue_core.expose import Connected
from queue_core.status import Status


async def test_the_second_push_of_a_key_returns_the_first_task(connected: Connected) -> None:
    first = await push_one(connected, key="k", args=b"1")
    [second] = await connected.backend.push([new_task(key="k", args=b"2")])
    assert not second.created
    assert second.task == first
    assert [task.id for task in await listed(connected)] == [first.id]


async def test_two_of_one_key_in_one_push_are_one_task(connected: Connected) -> None:
    first, other, second = await connected.backend.push([new_task(key="k"), new_task(), new_task(key="k")])
    assert [first.created, other.created, second.created] == [True, True, False]
    assert second.task == first.task
    assert len(await listed(connected)) == 2


async def test_queues_do_not_share_keys(connected: Connected) -> None:
    pushed = await connected.backend.push([new_task(key="k", queue="a"), new_task(key="k", queue="b")])
    assert all(push.created for push in pushed)


@pytest.mark.parametrize("status", Status)
async def test_a_key_holds_in_every_state(connected: Connected, status: Status) -> None:
    id = await in_state(connected, status, key="k")
    [again] = await connected.backend.push([new_task(key="k")])
    assert (again.created, again.task.id, again.task.status) == (False, id, status)
    assert again.task == await fetch(connected, id)


async def test_a_key_is_free_again_when_its_task_was_deleted(connected: Connected) -> None:
    id = await in_state(connected, Status.DONE, key="k")
    await connected.expose.delete([id], actor=ME)
    [again] = await connected.backend.push([new_task(key="k")])
    assert again.created


async def test_a_known_key_with_a_known_id_is_no_error(connected: Connected) -> None:
    first = await push_one(connected, key="k")
    [again] = await connected.backend.push([new_task(key="k", id=first.id)])
    assert not again.created


async def test_of_many_who_push_one_key_at_once_one_creates_it(connected: Connected, another: Connected) -> None:
    stores = [connected, another] * 10
    answers = await asyncio.gather(*[store.backend.push([new_task(key="k")]) for store in stores])
    assert sum(push.created for [push] in answers) == 1
    assert len({push.task.id for [push] in answers}) == 1


async def test_a_key_that_was_there_is_not_counted_as_pushed(connected: Connected) -> None:
    await push_one(connected, key="k")
    await push_one(connected, key="k")
    assert (await counts_of(connected)).total == 1
