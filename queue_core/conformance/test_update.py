"""Changing tasks that wait."""

from datetime import timedelta
from typing import Any

import pytest

from queue_core.backoff import Retry
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import ME, claim, failed, fetch, in_state, new_task, push_one, registered, settle_down, watching
from queue_core.errors import IllegalTransition, InvalidValue, UnknownTask
from queue_core.expose import RESCHEDULABLE, Action, Connected
from queue_core.ids import TaskId
from queue_core.status import Status
from queue_core.task import Task, TaskChange

pytestmark = pytest.mark.needs("updates")


async def change(connected: Connected, task: Task, **changes: Any) -> Task:
    report = await connected.expose.update([task.id], TaskChange(**changes), actor=ME)
    assert report.raise_if_skipped().changed == (task.id,)
    return await fetch(connected, task.id)


EVERYTHING: dict[str, Any] = {
    "args": b"[2]",
    "codec": "msgpack",
    "priority": -7,
    "max_attempts": 9,
    "timeout": 2.5,
    "retry": Retry(min=3, max=4),
    "tags": ("ü", "b"),
    "metadata": {"a": [1, None]},
}


async def test_everything_that_is_given_changes(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected)
    times = {"run_at": clock.now() + timedelta(hours=1), "expires_at": clock.now() + timedelta(hours=2)}
    stored = await change(connected, task, **EVERYTHING, **times)
    assert {name: getattr(stored, name) for name in (*EVERYTHING, *times)} == EVERYTHING | times
    assert stored.args_head == b"[2]"


@pytest.mark.parametrize("name", [name for name in EVERYTHING if name not in {"args", "codec"}])
async def test_what_is_left_out_stays(connected: Connected, clock: HandWoundClock, name: str) -> None:
    before = await push_one(connected, **{**EVERYTHING, name: {"timeout": 1, "retry": Retry(), "tags": ("x",)}.get(name, new_value(name))})
    after = await change(connected, before, **{name: EVERYTHING[name]})
    assert getattr(before, name) != getattr(after, name)
    assert {each: getattr(after, each) for each in EVERYTHING} == EVERYTHING


def new_value(name: str) -> Any:
    return {"priority": 1, "max_attempts": 2, "metadata": {}}.get(name)


async def test_none_takes_a_limit_away(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected, timeout=5, retry=Retry(), expires_at=clock.now() + timedelta(hours=1))
    stored = await change(connected, task, timeout=None, retry=None, expires_at=None)
    assert (stored.timeout, stored.retry, stored.expires_at) == (None, None, None)


async def test_tags_and_metadata_can_be_emptied(connected: Connected) -> None:
    task = await push_one(connected, tags=("a",), metadata={"a": 1})
    stored = await change(connected, task, tags=(), metadata={})
    assert (stored.tags, stored.metadata) == ((), {})


async def test_a_changed_priority_changes_the_order(connected: Connected) -> None:
    first, second = await push_one(connected), await push_one(connected)
    await change(connected, second, priority=1)
    assert [found.id for found in await claim(connected, await registered(connected))] == [second.id, first.id]


async def test_a_changed_time_makes_a_task_wait_or_be_due(connected: Connected, clock: HandWoundClock) -> None:
    task, boot = await push_one(connected), await registered(connected)
    await change(connected, task, run_at=clock.now() + timedelta(seconds=60))
    assert await claim(connected, boot) == []
    async with connected.backend.wakeups(boot, [task.queue]) as wakeups:
        await settle_down(wakeups)
        await change(connected, task, run_at=clock.now())
        assert await wakeups.wait(20)
    assert len(await claim(connected, boot)) == 1


async def test_a_change_of_something_else_does_not_move_a_task(connected: Connected, clock: HandWoundClock) -> None:
    due, later = await push_one(connected), await push_one(connected, run_after=60)
    await change(connected, due, priority=3)
    await change(connected, later, priority=3)
    assert [found.id for found in await claim(connected, await registered(connected))] == [due.id]


async def test_new_arguments_are_what_the_worker_gets(connected: Connected) -> None:
    task = await push_one(connected)
    await change(connected, task, args=b"new", codec="msgpack")
    [found] = await claim(connected, await registered(connected))
    assert (found.args, found.codec) == (b"new", "msgpack")


async def test_an_attempt_is_always_left(connected: Connected) -> None:
    task = await failed(connected, max_attempts=5)
    assert (await change(connected, task, max_attempts=1)).max_attempts == 2


@pytest.mark.parametrize("status", Status)
async def test_only_waiting_tasks_change(connected: Connected, status: Status) -> None:
    id = await in_state(connected, status)
    before = await fetch(connected, id)
    report = await connected.expose.update([id], TaskChange(priority=8), actor=ME)
    assert (report.changed == (id,)) == (status in RESCHEDULABLE)
    assert (await fetch(connected, id)).priority == (8 if status in RESCHEDULABLE else before.priority)
    if status not in RESCHEDULABLE:
        with pytest.raises(IllegalTransition, match=f"is {status.value}; only Pending or Failed tasks can be changed"):
            report.raise_if_skipped()


async def test_an_unknown_task_is_said_to_be_unknown(connected: Connected) -> None:
    report = await connected.expose.update([TaskId("nobody")], TaskChange(priority=8), actor=ME)
    with pytest.raises(UnknownTask):
        report.raise_if_skipped()


async def test_a_change_is_recorded_and_announced(connected: Connected) -> None:
    task = await push_one(connected)
    async with watching(connected) as seen:
        await change(connected, task, priority=1)
        await seen.wait_for("queue:default", "audit")
    [entry] = await connected.expose.list_audit(task=task.id)
    assert (entry.action, entry.actor, entry.count) == (Action.UPDATE, ME.name, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"args": b"1"},
        {"codec": "json"},
        {"priority": 99_999},
        {"priority": None},
        {"max_attempts": 0},
        {"timeout": 0},
        {"retry": "often"},
        {"run_at": None},
        {"tags": ("",)},
        {"metadata": 7},
    ],
    ids=str,
)
def test_a_change_that_breaks_a_rule_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        TaskChange(**changes)


async def test_metadata_that_no_store_can_hold_changes_nothing(connected: Connected) -> None:
    [pushed] = await connected.backend.push([new_task(metadata={"a": 1})])
    with pytest.raises(InvalidValue):
        await change(connected, pushed.task, metadata={"a": object()}, priority=4)
    assert await fetch(connected, pushed.task.id) == pushed.task
