"""pause and resume: nobody claims from a paused queue; what runs goes on."""

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import (
    ask,
    claim,
    claimed,
    fetch,
    finish,
    new_task,
    pause,
    push_one,
    queue_info,
    registered,
    resume,
    running,
    status_of,
)
from queue_core.errors import InvalidValue
from queue_core.expose import Action, Actor, Connected, Pause
from queue_core.status import Status
from queue_core.task import DEFAULT_QUEUE


async def test_nothing_is_claimed_from_a_paused_queue(connected: Connected) -> None:
    task = await push_one(connected)
    boot = await registered(connected)
    await pause(connected)
    assert await claim(connected, boot) == []
    assert await status_of(connected, task.id) is Status.PENDING


async def test_other_queues_go_on(connected: Connected) -> None:
    await connected.backend.push([new_task(queue="a"), new_task(queue="b")])
    boot = await registered(connected, queues=("a", "b"))
    await pause(connected, "a")
    assert [task.queue for task in await claim(connected, boot, "a", "b")] == ["b"]


async def test_the_pause_says_who_since_when_and_why(connected: Connected, clock: HandWoundClock) -> None:
    await push_one(connected)
    said = Pause(by="olga", since=clock.now(), reason="because")
    assert (await pause(connected)).pause == said
    assert [queue.pause for queue in await connected.expose.list_queues()] == [said]


async def test_what_is_queued_goes_back_and_its_lease_is_gone(connected: Connected) -> None:
    claim = await claimed(connected)
    await pause(connected)
    task = await fetch(connected, claim.id)
    assert (task.status, task.attempts, task.crashes) == (Status.PENDING, 0, 0)
    assert await connected.backend.start([claim.lease]) == [False]
    assert await connected.backend.leases(claim.lease.boot) == []


async def test_what_runs_goes_on(connected: Connected) -> None:
    runs = await running(connected)
    await pause(connected)
    assert await status_of(connected, runs.id) is Status.RUNNING
    assert await finish(connected, runs)


async def test_a_paused_queue_takes_tasks(connected: Connected) -> None:
    await push_one(connected)
    await pause(connected)
    await push_one(connected)
    info = await queue_info(connected)
    assert info.counts.pending == 2


async def test_pausing_twice_keeps_the_first_pause(connected: Connected, clock: HandWoundClock) -> None:
    await push_one(connected)
    first = await pause(connected)
    clock.advance(5)
    second = await connected.expose.pause(DEFAULT_QUEUE, actor=Actor(name="otto"))
    assert second.pause == first.pause


async def test_a_resumed_queue_is_claimed_from_again(connected: Connected) -> None:
    await push_one(connected)
    boot = await registered(connected)
    await pause(connected)
    assert (await resume(connected)).pause is None
    assert len(await claim(connected, boot)) == 1


async def test_resuming_an_active_queue_changes_nothing(connected: Connected) -> None:
    await push_one(connected)
    assert (await resume(connected)).pause is None


async def test_a_queue_that_nobody_named_cannot_be_paused_or_resumed(connected: Connected) -> None:
    for act in (pause, resume):
        with pytest.raises(InvalidValue, match="nobody"):
            await act(connected, "nobody")
    assert await connected.expose.list_queues() == []


async def test_an_empty_queue_can_be_paused(connected: Connected) -> None:
    boot = await registered(connected)
    await pause(connected)
    await push_one(connected)
    assert await claim(connected, boot) == []


async def test_a_paused_queue_holds_in_every_connection(connected: Connected, another: Connected) -> None:
    await push_one(connected)
    boot = await registered(another)
    await pause(connected)
    assert await claim(another, boot) == []


async def test_work_of_a_paused_queue_is_not_announced_as_due(connected: Connected) -> None:
    boot = await registered(connected)
    await push_one(connected, run_after=5)
    await pause(connected)
    assert (await ask(connected, boot)).next_due is None


async def test_pause_and_resume_are_recorded(connected: Connected) -> None:
    await push_one(connected)
    await pause(connected)
    await resume(connected)
    entries = await connected.expose.list_audit()
    assert [(entry.action, entry.queue, entry.actor) for entry in entries] == [(Action.RESUME, "default", "olga"), (Action.PAUSE, "default", "olga")]
