"""The audit: every action of a person, who, what, when and why."""

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import ME, done, in_state, new_task, pause, push_one, resume
from queue_core.expose import Action, Actor, Connected
from queue_core.ids import TaskId
from queue_core.status import Status

OF_PARTS = {Action.UPDATE, Action.PAUSE_SCHEDULE, Action.RESUME_SCHEDULE, Action.RUN_SCHEDULE, Action.DELETE_SCHEDULE}
"""What a store may lack; test_update and test_schedules look for the entries."""


async def test_an_action_is_recorded_with_all_there_is_to_know(connected: Connected, clock: HandWoundClock) -> None:
    one, two = await push_one(connected, queue="mail"), await push_one(connected, queue="mail")
    clock.advance(1)
    await connected.expose.kill([one.id, two.id, TaskId("nobody")], actor=Actor(name="olga", reason="no longer wanted"))
    [entry] = await connected.expose.list_audit()
    assert (entry.at, entry.actor, entry.reason) == (clock.now(), "olga", "no longer wanted")
    assert (entry.action, entry.queue, entry.count) == (Action.KILL, "mail", 2)
    assert set(entry.task_ids) == {one.id, two.id}


async def test_every_action_is_recorded(connected: Connected, clock: HandWoundClock) -> None:
    expose = connected.expose
    await expose.push([new_task()], actor=ME)
    await expose.run_now([(await push_one(connected, run_after=9)).id], actor=ME)
    await expose.reschedule([(await push_one(connected, run_after=9)).id], clock.now(), actor=ME)
    await expose.kill([(await push_one(connected, queue="k")).id], actor=ME)
    await expose.retry([await in_state(connected, Status.KILLED, queue="r")], actor=ME)
    await expose.delete([(await done(connected, queue="d")).id], actor=ME)
    await pause(connected, "k")
    await resume(connected, "k")
    assert {entry.action for entry in await expose.list_audit()} == set(Action) - {Action.VIEW, *OF_PARTS}


async def test_what_the_program_itself_does_is_not_an_action(connected: Connected) -> None:
    await done(connected)
    await in_state(connected, Status.KILLED)
    assert await connected.expose.list_audit() == []


async def test_a_push_by_a_person_stores_and_is_recorded(connected: Connected) -> None:
    [pushed] = await connected.expose.push([new_task(queue="mail")], actor=ME)
    assert pushed.created
    assert await connected.expose.fetch(pushed.task.id) == pushed.task
    [entry] = await connected.expose.list_audit(task=pushed.task.id)
    assert (entry.action, entry.queue, entry.task_ids, entry.count) == (Action.PUSH, "mail", (pushed.task.id,), 1)


async def test_entries_are_listed_newest_first_and_bounded(connected: Connected) -> None:
    for number in range(5):
        await connected.expose.push([new_task()], actor=Actor(name=f"person {number}"))
    assert [entry.actor for entry in await connected.expose.list_audit(limit=3)] == ["person 4", "person 3", "person 2"]
    ids = [entry.id for entry in await connected.expose.list_audit()]
    assert ids == sorted(set(ids), reverse=True)


async def test_the_actions_on_one_task_can_be_listed(connected: Connected) -> None:
    one, other = await push_one(connected), await push_one(connected)
    await connected.expose.kill([one.id, other.id], actor=ME)
    await connected.expose.retry([one.id], actor=ME)
    await connected.expose.delete([other.id], actor=ME)
    assert [entry.action for entry in await connected.expose.list_audit(task=one.id)] == [Action.RETRY, Action.KILL]
    assert [entry.action for entry in await connected.expose.list_audit(task=other.id)] == [Action.DELETE, Action.KILL]
    assert await connected.expose.list_audit(task=TaskId("nobody")) == []


async def test_a_large_action_is_counted_whole_and_named_in_part(connected: Connected) -> None:
    pushed = await connected.backend.push([new_task() for _ in range(150)])
    ids = [push.task.id for push in pushed]
    report = await connected.expose.kill(ids, actor=ME)
    assert report.changed == tuple(ids)
    [entry] = await connected.expose.list_audit()
    assert (entry.count, entry.task_ids) == (150, tuple(ids[:100]))
