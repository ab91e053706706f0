"""For how long a key belongs to its task, and debounced pushes: the pusher's rules, whoever pushed the task that has the key."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import (
    ME,
    claim,
    claimed,
    counts_of,
    fetch,
    in_state,
    listed,
    new_task,
    registered,
    running,
    watching,
)
from queue_core.expose import Connected
from queue_core.status import Status
from queue_core.task import Pushed

pytestmark = pytest.mark.needs("key_rules")

LIVE = [status for status in Status if not status.is_final]


async def push(connected: Connected, **task: Any) -> Pushed:
    pushed: list[Pushed] = await connected.backend.push([new_task(**{"key": "k", **task})])
    return pushed[0]


# --- live --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", LIVE)
async def test_a_live_task_keeps_its_key(connected: Connected, status: Status) -> None:
    id = await in_state(connected, status, key="k")
    again = await push(connected, unique="live")
    assert (again.created, again.task.id, again.task.status) == (False, id, status)


@pytest.mark.parametrize("status", [Status.DONE, Status.KILLED])
async def test_a_task_that_ended_gives_its_key_to_a_push_that_is_unique_while_live(connected: Connected, status: Status) -> None:
    ended = await in_state(connected, status, key="k")
    again = await push(connected, unique="live")
    assert again.created
    assert (await fetch(connected, again.task.id)).key == "k"
    assert (await fetch(connected, ended)).key is None
    assert (await push(connected)).task.id == again.task.id


async def test_the_rule_of_the_later_push_decides(connected: Connected) -> None:
    ended = await in_state(connected, Status.DONE, key="k", unique="live")
    assert (await push(connected)).task.id == ended
    assert (await push(connected, unique="ever")).task.id == ended
    assert (await push(connected, unique="live")).created


async def test_a_retried_task_without_its_key_runs_beside_the_one_that_has_it(connected: Connected) -> None:
    ended = await in_state(connected, Status.DONE, key="k")
    later = await push(connected, unique="live")
    await connected.expose.retry([ended], actor=ME)
    assert (await push(connected, unique="live")).task.id == later.task.id


async def test_two_of_one_key_in_one_push_are_one_task_under_every_rule(connected: Connected) -> None:
    rules: list[dict[str, Any]] = [{"unique": "live"}, {"unique": 60}, {"debounce": 60}]
    for rule in rules:
        first, second = await connected.backend.push([new_task(key=str(rule), **rule), new_task(key=str(rule), **rule)])
        assert (first.created, second.created) == (True, False)
        assert first.task.id == second.task.id


# --- for a time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
async def test_a_key_is_free_when_its_time_is_over_whatever_became_of_the_task(connected: Connected, clock: HandWoundClock, status: Status) -> None:
    first = await in_state(connected, status, key="k")
    clock.advance(59.9)
    assert (await push(connected, unique=60)).task.id == first
    clock.advance(0.1)
    second = await push(connected, unique=60)
    assert second.created
    assert (await fetch(connected, first)).status is status
    assert (await push(connected, unique=60)).task.id == second.task.id


async def test_of_many_pushes_a_throttle_lets_one_through_in_each_time(connected: Connected, clock: HandWoundClock) -> None:
    created = 0
    for _ in range(30):
        created += (await push(connected, unique=10)).created
        clock.advance(1)
    assert created == 3


# --- debounce ------------------------------------------------------------------------------------------------


async def test_a_debounced_task_waits_and_takes_the_latest_arguments(connected: Connected, clock: HandWoundClock) -> None:
    first = await push(connected, debounce=5, args=b"1")
    assert first.created
    assert first.task.run_at == clock.now() + timedelta(seconds=5)
    clock.advance(4)
    second = await push(connected, debounce=5, args=b"22", codec="msgpack", name="other")
    assert (second.created, second.task.id) == (False, first.task.id)
    stored = await fetch(connected, first.task.id)
    assert stored == second.task
    assert (stored.args, stored.args_head, stored.codec, stored.name) == (b"22", b"22", "msgpack", "other")
    assert stored.run_at == clock.now() + timedelta(seconds=5)
    boot = await registered(connected)
    clock.advance(4.9)
    assert await claim(connected, boot) == []
    clock.advance(0.1)
    assert [found.args for found in await claim(connected, boot)] == [b"22"]


async def test_a_debounce_is_over_at_its_limit(connected: Connected, clock: HandWoundClock) -> None:
    first = await push(connected, debounce=5, debounce_max=12)
    due = []
    for _ in range(4):
        clock.advance(4)
        due.append((await push(connected, debounce=5, debounce_max=12)).task.run_at - first.task.created_at)
    assert due == [timedelta(seconds=seconds) for seconds in (9, 12, 12, 12)]
    assert len(await claim(connected, await registered(connected))) == 1


async def test_a_push_after_the_start_is_a_task_of_its_own(connected: Connected, clock: HandWoundClock) -> None:
    for begun in (claimed, running):
        taken = await begun(connected, key=begun.__name__, args=b"1")
        later = await push(connected, key=begun.__name__, debounce=5, args=b"2")
        assert later.created
        assert later.task.run_at == clock.now() + timedelta(seconds=5)
        assert (await fetch(connected, taken.id)).args == b"1"


@pytest.mark.parametrize("status", [Status.FAILED, Status.DONE, Status.KILLED])
async def test_a_push_after_an_attempt_is_a_task_of_its_own(connected: Connected, status: Status) -> None:
    earlier = await in_state(connected, status, key="k")
    later = await push(connected, debounce=5)
    assert later.created
    assert (await fetch(connected, earlier)).key is None


async def test_a_debounced_push_says_that_its_task_changed(connected: Connected) -> None:
    await push(connected, debounce=5)
    async with watching(connected) as seen:
        await push(connected, debounce=5)
        await seen.wait_for("queue:default")


async def test_a_replaced_task_is_counted_once(connected: Connected) -> None:
    for _ in range(3):
        await push(connected, debounce=5)
    assert (await counts_of(connected)).total == 1


# --- together ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [{"unique": "live"}, {"unique": 3600}, {"debounce": 60}], ids=str)
async def test_of_many_who_push_at_once_one_takes_over_the_key(connected: Connected, another: Connected, clock: HandWoundClock, rule: Any) -> None:
    ended = await in_state(connected, Status.DONE, key="k")
    clock.advance(3600)
    answers = await asyncio.gather(*[store.backend.push([new_task(key="k", **rule), new_task()]) for store in [connected, another] * 10])
    assert sum(push.created for push, _ in answers) == 1
    assert len({push.task.id for push, _ in answers} - {ended}) == 1


async def test_pushes_with_and_without_rules_share_a_call(connected: Connected) -> None:
    done = await in_state(connected, Status.DONE, key="b")
    tasks = [new_task(), new_task(key="a"), new_task(key="b", unique="live"), new_task(key="a", unique="live"), new_task(run_after=9)]
    pushed = await connected.backend.push(tasks)
    assert [push.created for push in pushed] == [True, True, True, False, True]
    assert {task.id for task in await listed(connected)} == {done, *(push.task.id for push in pushed)}
