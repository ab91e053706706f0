"""Schedules: declared by apps, kept whole, fired once for each tick however many ask, paused, resumed, run and deleted by people."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import ME, PATIENCE, listed, new_task, settle_down, watching
from queue_core.errors import InvalidValue
from queue_core.expose import Action, Actor, Connected, Pause, ScheduleDetail
from queue_core.schedule import Cron, DueSchedule, Every, Schedule, Tick, plan, tick_in

pytestmark = pytest.mark.needs("schedules")

EVERY_TEN = Every(minutes=10)
TEN = timedelta(minutes=10)


def schedule(name: str = "nightly", when: Any = EVERY_TEN, missed: Any = "latest", **task: Any) -> Schedule:
    return Schedule(name=name, when=when, task=new_task(**{"args": b'{"n": 1}', **task}), missed=missed)


async def declare(connected: Connected, *schedules: Schedule) -> None:
    await connected.backend.declare_schedules(schedules or [schedule()])


async def fetched(connected: Connected, name: str = "nightly") -> ScheduleDetail:
    found = await connected.expose.fetch_schedule(name)
    assert found is not None, f"{name} is not stored"
    return found


async def the_due(connected: Connected) -> DueSchedule:
    [due] = (await connected.backend.due_schedules()).due
    assert isinstance(due, DueSchedule)
    return due


async def fire(connected: Connected, due: DueSchedule, now: datetime) -> bool:
    """As a worker does it."""
    kept = due.entry.schedule()
    planned = plan(kept.when, kept.missed, due=due.due, now=now)
    fired = await connected.backend.fire(due, [(tick, kept.at(tick)) for tick in planned.ticks], planned.next)
    assert isinstance(fired, bool)
    return fired


# --- declaring ---------------------------------------------------------------------------------------------------


async def test_a_declared_schedule_is_told_whole(connected: Connected, clock: HandWoundClock) -> None:
    cron = Cron("0 6 * * MON-FRI", "Europe/Berlin")
    await declare(connected, schedule("report", cron, "skip", queue="reports", priority=3, tags=("a",), metadata={"who": "olga"}))
    found = await fetched(connected, "report")
    assert (found.english, found.expression, found.timezone) == ("At 06:00 on weekdays, Europe/Berlin", "0 6 * * MON-FRI", "Europe/Berlin")
    assert (found.task, found.queue, found.missed, found.codec) == ("work", "reports", "skip", "json")
    assert found.args == found.args_head == b'{"n": 1}'
    assert found.options == {"priority": 3, "tags": ["a"], "metadata": {"who": "olga"}}
    assert (found.pause, found.last_tick, found.last_task, found.ticks) == (None, None, None, ())
    assert found.declared_at == clock.now()
    assert [moment.isoformat() for moment in found.next_ticks[:2]] == ["2026-01-02T05:00:00+00:00", "2026-01-05T05:00:00+00:00"]
    assert len(found.next_ticks) == 5


async def test_schedules_are_listed_by_name(connected: Connected) -> None:
    await declare(connected, schedule("b"), schedule("a"), schedule("c", Cron("@daily")))
    assert [found.name for found in await connected.expose.list_schedules()] == ["a", "b", "c"]
    assert [found.name for found in await connected.expose.list_schedules(limit=1)] == ["a"]
    assert await connected.expose.fetch_schedule("d") is None


async def test_the_queue_of_a_schedule_exists_before_its_first_task(connected: Connected) -> None:
    await declare(connected, schedule(queue="reports"))
    assert [queue.name for queue in await connected.expose.list_queues()] == ["reports"]


async def test_declaring_the_same_again_changes_nothing(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected)
    before = await fetched(connected)
    clock.advance(60)
    await declare(connected)
    assert await fetched(connected) == before


async def test_changed_ticks_are_due_from_now_on_and_a_pause_survives(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected)
    await connected.expose.pause_schedule("nightly", actor=ME)
    await declare(connected, schedule(when=Every(hours=1)))
    assert (await fetched(connected)).pause == Pause(by="olga", since=clock.now(), reason="because")
    await connected.expose.resume_schedule("nightly", actor=ME)
    assert (await fetched(connected)).next_ticks[0] == clock.now() + timedelta(hours=1)


async def test_changed_arguments_leave_a_tick_that_is_due(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected)
    clock.advance(600)
    await declare(connected, schedule(args=b'{"n": 2}'))
    due = await the_due(connected)
    assert due.due == clock.now()
    assert await fire(connected, due, clock.now())
    [task] = await listed(connected)
    assert task.args_head == b'{"n": 2}'


async def test_what_nobody_declares_any_more_stays(connected: Connected, another: Connected) -> None:
    await declare(connected, schedule("old"))
    await declare(another, schedule("new"))
    assert [found.name for found in await connected.expose.list_schedules()] == ["new", "old"]


async def test_any_codecs_bytes_are_kept(connected: Connected, clock: HandWoundClock) -> None:
    payload = bytes(range(256))
    await declare(connected, schedule(args=payload, codec="msgpack"))
    clock.advance(600)
    assert await fire(connected, await the_due(connected), clock.now())
    [task] = await listed(connected)
    stored = await connected.expose.fetch(task.id)
    assert stored is not None
    assert (stored.args, stored.codec) == (payload, "msgpack")


# --- firing ------------------------------------------------------------------------------------------------------


async def test_a_schedule_is_due_at_its_tick_and_not_before(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, schedule(), schedule("later", Every(hours=1)))
    clock.advance(599)
    found = await connected.backend.due_schedules()
    assert (found.due, found.now, found.next_in) == ([], clock.now(), 1.0)
    clock.advance(1)
    found = await connected.backend.due_schedules()
    assert [(due.entry.name, due.due) for due in found.due] == [("nightly", clock.now())]
    assert found.next_in == 3_000.0


async def test_nothing_is_due_where_nothing_is_declared(connected: Connected) -> None:
    found = await connected.backend.due_schedules()
    assert (found.due, found.next_in) == ([], None)


async def test_the_longest_due_come_first_and_no_more_than_asked(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, schedule("a", Every(hours=1)), schedule("b"), schedule("c"))
    clock.advance(3_600)
    assert [due.entry.name for due in (await connected.backend.due_schedules(limit=2)).due] == ["b", "c"]


async def test_a_fired_tick_is_a_task_that_tells_of_it(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, schedule(priority=7, metadata={"who": "olga"}))
    clock.advance(600)
    assert await fire(connected, await the_due(connected), clock.now())
    [summary] = await listed(connected)
    task = await connected.expose.fetch(summary.id)
    assert task is not None
    assert (task.name, task.priority, task.run_at, task.key) == ("work", 7, clock.now(), None)
    assert task.metadata["who"] == "olga"
    assert tick_in(task.metadata) == Tick(clock.now(), "nightly")
    found = await fetched(connected)
    assert (found.last_tick, found.last_task) == (clock.now(), task.id)
    assert [(tick.at, tick.task, tick.fired_at) for tick in found.ticks] == [(clock.now(), task.id, clock.now())]
    assert found.next_ticks[0] == clock.now() + TEN


async def test_one_of_many_who_fire_the_same_tick_is_first_and_one_task_is_pushed(
    connected: Connected, another: Connected, clock: HandWoundClock
) -> None:
    await declare(connected)
    for _ in range(5):
        clock.advance(600)
        due = await the_due(connected)
        fired = await asyncio.gather(*(fire(store, due, clock.now()) for store in [connected, another] * 8))
        assert sorted(fired) == [False] * 15 + [True]
    assert len(await listed(connected)) == 5


async def test_a_clock_that_is_set_back_repeats_no_tick(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected)
    clock.advance(600)
    old = await the_due(connected)
    assert await fire(connected, old, clock.now())
    clock.advance(-900)
    assert (await connected.backend.due_schedules()).due == []
    await declare(connected, schedule(when=Every(minutes=5)))
    await connected.expose.pause_schedule("nightly", actor=ME)
    await connected.expose.resume_schedule("nightly", actor=ME)
    clock.advance(900)
    assert (await connected.backend.due_schedules()).due == []
    assert not await fire(connected, old, clock.now())
    assert len(await listed(connected)) == 1


async def test_a_tick_that_is_recorded_gets_no_second_task(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected)
    clock.advance(600)
    due, tick = await the_due(connected), clock.now()
    task = due.entry.schedule().at
    assert await connected.backend.fire(due, [(tick, task(tick))], tick + TEN)
    clock.advance(600)
    assert await connected.backend.fire(await the_due(connected), [(tick, task(tick)), (tick + TEN, task(tick + TEN))], tick + 2 * TEN)
    assert [found.at for found in (await fetched(connected)).ticks] == [tick + TEN, tick]
    assert len(await listed(connected)) == 2


@pytest.mark.parametrize("change", ["declared", "paused", "deleted"])
async def test_what_has_changed_since_somebody_looked_is_not_fired(connected: Connected, clock: HandWoundClock, change: str) -> None:
    await declare(connected)
    clock.advance(600)
    due = await the_due(connected)
    match change:
        case "declared":
            await declare(connected, schedule(args=b"{}"))
        case "paused":
            await connected.expose.pause_schedule("nightly", actor=ME)
        case "deleted":
            await connected.expose.delete_schedule("nightly", actor=ME)
    assert not await fire(connected, due, clock.now())
    assert await listed(connected) == []


async def test_all_missed_ticks_are_fired_at_once(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, schedule(missed="all"))
    clock.advance(3_600)
    assert await fire(connected, await the_due(connected), clock.now())
    found = await fetched(connected)
    assert [tick.at for tick in found.ticks] == [clock.now() - number * TEN for number in range(6)]
    assert found.last_task == found.ticks[0].task
    assert len(await listed(connected)) == 6


async def test_skipped_ticks_push_nothing_and_are_passed(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, schedule(missed="skip"))
    clock.advance(659)
    assert await fire(connected, await the_due(connected), clock.now())
    assert await listed(connected) == []
    found = await fetched(connected)
    assert (found.last_tick, found.next_ticks[0]) == (None, clock.now() - timedelta(seconds=59) + TEN)


async def test_after_its_last_tick_a_schedule_is_never_due(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, schedule(when=Cron("0 0 13 1 1 * 2026")))
    clock.advance(3_600)
    assert await fire(connected, await the_due(connected), clock.now())
    clock.advance(400 * 86_400)
    found = await connected.backend.due_schedules()
    assert (found.due, found.next_in, (await fetched(connected)).next_ticks) == ([], None, ())


async def test_the_newest_hundred_ticks_are_kept(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, schedule(missed="all"), schedule("other"))
    for rounds in (60, 60):
        clock.advance(rounds * 600)
        for due in (await connected.backend.due_schedules()).due:
            assert await fire(connected, due, clock.now())
    assert len((await fetched(connected)).ticks) == 100
    assert len((await fetched(connected, "other")).ticks) == 2


# --- acting ------------------------------------------------------------------------------------------------------


async def test_a_paused_schedule_is_not_due_and_says_who_paused_it(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected)
    said = Pause(by="olga", since=clock.now(), reason="because")
    paused = await connected.expose.pause_schedule("nightly", actor=ME)
    assert (paused.pause, paused.next_ticks) == (said, ())
    clock.advance(600)
    assert (await connected.expose.pause_schedule("nightly", actor=Actor(name="otto"))).pause == said
    found = await connected.backend.due_schedules()
    assert (found.due, found.next_in) == ([], None)


@pytest.mark.parametrize("missed", ["latest", "all", "skip"])
async def test_a_resumed_schedule_leaves_out_what_came_meanwhile(connected: Connected, clock: HandWoundClock, missed: str) -> None:
    await declare(connected, schedule(missed=missed))
    await connected.expose.pause_schedule("nightly", actor=ME)
    clock.advance(3_630)
    resumed = await connected.expose.resume_schedule("nightly", actor=ME)
    assert (resumed.pause, resumed.next_ticks[0]) == (None, clock.now() + timedelta(seconds=570))
    assert (await connected.backend.due_schedules()).due == []


async def test_resuming_an_active_schedule_changes_nothing(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected)
    clock.advance(650)
    await connected.expose.resume_schedule("nightly", actor=ME)
    assert (await the_due(connected)).due == clock.now() - timedelta(seconds=50)


async def test_a_schedule_is_run_now_once_also_while_it_is_paused(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected)
    await connected.expose.pause_schedule("nightly", actor=ME)
    clock.advance(5)
    pushed = await connected.expose.run_schedule("nightly", actor=ME)
    assert tick_in(pushed.task.metadata) == Tick(clock.now(), "nightly")
    assert [task.id for task in await listed(connected)] == [pushed.task.id]
    found = await fetched(connected)
    assert (found.last_tick, found.ticks) == (None, ()), "it was no tick"


async def test_a_deleted_schedule_is_forgotten_and_its_tasks_stay(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected)
    clock.advance(600)
    assert await fire(connected, await the_due(connected), clock.now())
    await connected.expose.delete_schedule("nightly", actor=ME)
    assert await connected.expose.list_schedules() == []
    assert len(await listed(connected)) == 1
    await declare(connected)
    assert (await fetched(connected)).ticks == ()


async def test_every_action_on_a_schedule_is_in_the_audit(connected: Connected) -> None:
    await declare(connected)
    await connected.expose.pause_schedule("nightly", actor=ME)
    await connected.expose.resume_schedule("nightly", actor=ME)
    pushed = await connected.expose.run_schedule("nightly", actor=ME)
    await connected.expose.delete_schedule("nightly", actor=ME)
    audit = await connected.expose.list_audit()
    assert [entry.action for entry in audit] == [Action.DELETE_SCHEDULE, Action.RUN_SCHEDULE, Action.RESUME_SCHEDULE, Action.PAUSE_SCHEDULE]
    assert {(entry.schedule, entry.actor, entry.reason) for entry in audit} == {("nightly", "olga", "because")}
    [ran] = await connected.expose.list_audit(task=pushed.task.id)
    assert (ran.schedule, ran.task_ids, ran.count, ran.queue) == ("nightly", (pushed.task.id,), 1, "default")


@pytest.mark.parametrize("verb", ["pause_schedule", "resume_schedule", "run_schedule", "delete_schedule"])
async def test_an_unknown_schedule_is_a_sentence_and_no_action(connected: Connected, verb: str) -> None:
    with pytest.raises(InvalidValue, match="There is no schedule 'nobody'"):
        await getattr(connected.expose, verb)("nobody", actor=ME)
    assert await connected.expose.list_audit() == []


# --- learning of changes -----------------------------------------------------------------------------------------


async def test_every_change_is_announced(connected: Connected, another: Connected, clock: HandWoundClock) -> None:
    async with watching(connected, another) as seen:
        await declare(connected)
        await seen.wait_for("schedules")
        clock.advance(600)
        for change in (
            lambda: connected.expose.pause_schedule("nightly", actor=ME),
            lambda: connected.expose.resume_schedule("nightly", actor=ME),
            lambda: connected.expose.delete_schedule("nightly", actor=ME),
        ):
            seen.topics.clear()
            await change()
            await seen.wait_for("schedules")


async def test_who_fires_schedules_is_woken_by_changes_and_by_time(connected: Connected, another: Connected, clock: HandWoundClock) -> None:
    boot_keeps_listening = connected.backend.wakeups((await _worker(connected)), ["default"])
    async with boot_keeps_listening, connected.backend.schedule_wakeups() as wakeups:
        await settle_down(wakeups)
        await declare(another)
        assert await wakeups.wait(PATIENCE)
        await settle_down(wakeups)
        clock.advance(600)
        assert await wakeups.wait(PATIENCE)


async def test_pushes_do_not_wake_who_fires_schedules(connected: Connected) -> None:
    async with connected.backend.schedule_wakeups() as wakeups:
        await settle_down(wakeups)
        await connected.backend.push([new_task()])
        assert not await wakeups.wait(0.05)


async def _worker(connected: Connected) -> Any:
    from queue_core.conformance.helpers import registered

    return await registered(connected)
