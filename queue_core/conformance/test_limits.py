"""Limits of queues and of the groups in them: over all workers together, at any time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import (
    BOOM,
    ME,
    PATIENCE,
    TTL,
    ask,
    beat,
    claim,
    fetch,
    finish,
    lose_workers,
    new_task,
    pause,
    push_one,
    queue_info,
    registered,
    resume,
    settle_down,
    status_of,
    watching,
)
from queue_core.expose import Connected, Room
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.limits import Limits, Rate
from queue_core.outcome import Deferred, Errored
from queue_core.status import Status
from queue_core.task import DEFAULT_QUEUE, Claim, Task, TaskChange

pytestmark = pytest.mark.needs("limits")


async def declare(connected: Connected, queue: str = DEFAULT_QUEUE, **limits: Any) -> None:
    await connected.backend.declare(QueueName(queue), Limits(**limits))


async def push_group(connected: Connected, group: str | None, n: int = 3, **task: Any) -> list[Task]:
    pushed = await connected.backend.push([new_task(group=group, **task) for _ in range(n)])
    return [push.task for push in pushed]


async def taken(connected: Connected, boot: BootId, *queues: str, limit: int = 10) -> list[Claim]:
    return await claim(connected, boot, *queues, limit=limit, start=limit)


def ids(tasks: Any) -> list[str]:
    return [task.id for task in tasks]


# --- what is stored --------------------------------------------------------------------------------------------


async def test_the_group_of_a_task_is_stored(connected: Connected) -> None:
    task = await push_one(connected, group="customer-42")
    assert task.group == "customer-42"
    assert await fetch(connected, task.id) == task
    assert (await fetch(connected, (await push_one(connected)).id)).group is None


async def test_limits_are_shown_and_replaced(connected: Connected, another: Connected) -> None:
    await declare(connected, "mail", concurrency=3, rate=Rate(10, per=60), group_rate=Rate(2, per=0.5), ordered=True)
    everything = Limits(concurrency=3, rate=Rate(10, per=60), group_rate=Rate(2, per=0.5), ordered=True)
    assert (await queue_info(another, "mail")).limits == everything
    await declare(connected, "mail", group_concurrency=7)
    assert (await queue_info(another, "mail")).limits == Limits(group_concurrency=7)
    await declare(connected, "mail")
    assert (await queue_info(another, "mail")).limits == Limits()


async def test_a_change_of_limits_is_announced_and_the_same_again_is_not(connected: Connected) -> None:
    async with watching(connected) as seen:
        await declare(connected, concurrency=3)
        await seen.wait_for("queues")
        seen.topics.clear()
        await declare(connected, concurrency=3)
        await push_one(connected, queue="marker")
        await seen.wait_for("queue:marker")
        assert "queue:default" not in seen.topics


async def test_due_tasks_of_groups_are_the_oldest_due_too(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, group_concurrency=1)
    [first, *_] = await push_group(connected, "a")
    clock.advance(5)
    assert (await queue_info(connected)).oldest_due == first.run_at
    await taken(connected, await registered(connected), limit=1)
    assert (await queue_info(connected)).oldest_due == first.run_at


# --- groups without limits ---------------------------------------------------------------------------------------


async def test_a_group_without_limits_is_claimed_like_others(connected: Connected) -> None:
    first = await push_one(connected, group="a")
    second = await push_one(connected)
    third = await push_one(connected, group="b", priority=1)
    boot = await registered(connected)
    assert ids(await claim(connected, boot)) == [third.id, first.id, second.id]


async def test_a_group_that_waits_for_later_is_claimed_in_time(connected: Connected, clock: HandWoundClock) -> None:
    [task] = await push_group(connected, "a", 1, run_after=60)
    boot = await registered(connected)
    assert (await ask(connected, boot)).next_due == 60
    clock.advance(60)
    assert ids(await claim(connected, boot)) == [task.id]


async def test_thousands_of_a_group_without_limits_all_come(connected: Connected) -> None:
    await push_group(connected, "a", 2_500)
    boot = await registered(connected)
    found: set[str] = set()
    while claims := await claim(connected, boot, limit=400):
        found |= set(ids(claims))
    assert len(found) == 2_500


# --- so many at once ---------------------------------------------------------------------------------------------


async def test_no_more_of_a_group_are_held_than_its_limit(connected: Connected) -> None:
    await declare(connected, group_concurrency=2)
    a = await push_group(connected, "a")
    b = await push_group(connected, "b")
    boot = await registered(connected)
    first = await taken(connected, boot)
    assert ids(first) == [a[0].id, a[1].id, b[0].id, b[1].id]
    assert await taken(connected, await registered(connected)) == []
    assert await finish(connected, first[0])
    assert ids(await taken(connected, boot)) == [a[2].id]


async def test_tasks_without_a_group_do_not_heed_the_limits_of_groups(connected: Connected) -> None:
    await declare(connected, group_concurrency=1, group_rate=Rate(1, per=60), ordered=True)
    await push_group(connected, None, 5)
    assert len(await taken(connected, await registered(connected))) == 5


@pytest.mark.parametrize("outcome", [Errored(BOOM, retry_in=0), Errored(BOOM, retry_in=60), Deferred(0), Deferred(60)], ids=str)
async def test_whatever_ends_an_attempt_lets_the_next_in(connected: Connected, outcome: Any) -> None:
    await declare(connected, group_concurrency=1)
    tasks = await push_group(connected, "a", 2)
    boot = await registered(connected)
    [held] = await taken(connected, boot)
    await finish(connected, held, outcome)
    [again] = await taken(connected, boot)
    waits = getattr(outcome, "retry_in", 0) or getattr(outcome, "delay", 0)
    assert again.id == tasks[1 if waits else 0].id
    assert await taken(connected, boot) == []


async def test_a_released_task_makes_room(connected: Connected) -> None:
    await declare(connected, group_concurrency=1)
    await push_group(connected, "a", 2)
    [held] = await claim(connected, await registered(connected))
    await connected.backend.release([held.lease])
    assert len(await taken(connected, await registered(connected))) == 1


@pytest.mark.parametrize("start", [0, 1])
async def test_a_killed_task_makes_room(connected: Connected, start: int) -> None:
    await declare(connected, group_concurrency=1)
    tasks = await push_group(connected, "a", 3)
    boot = await registered(connected)
    [held] = await claim(connected, boot, start=start)
    await connected.expose.kill([held.id, tasks[1].id], actor=ME)
    if start:
        assert await taken(connected, boot) == []
        await finish(connected, held)
    assert ids(await taken(connected, boot)) == [tasks[2].id]


async def test_the_place_of_a_lost_worker_is_free_once_it_is_rescued(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, group_concurrency=1)
    tasks = await push_group(connected, "a", 2)
    await taken(connected, await registered(connected))
    rescuer = await registered(connected)
    assert await taken(connected, rescuer) == []
    clock.advance(TTL - 1)
    await asyncio.to_thread(connected.backend.heartbeat, beat(rescuer))
    clock.advance(2)
    assert (await connected.backend.rescue()).pending == 1
    assert ids(await taken(connected, rescuer)) == [tasks[0].id]
    assert await taken(connected, rescuer) == []


async def test_the_place_of_a_worker_that_ended_is_free(connected: Connected) -> None:
    await declare(connected, group_concurrency=1)
    await push_group(connected, "a", 2)
    boot = await registered(connected)
    await taken(connected, boot)
    await connected.backend.deregister(boot)
    assert len(await taken(connected, await registered(connected))) == 1


async def test_a_task_that_expires_gives_its_place_away(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, group_concurrency=1)
    soon = clock.now() + timedelta(seconds=5)
    tasks = [await push_one(connected, group="a", expires_at=moment) for moment in [None, soon, soon, None]]
    boot = await registered(connected)
    [held] = await taken(connected, boot)
    clock.advance(5)
    await finish(connected, held)
    await connected.backend.expire()
    assert ids(await taken(connected, boot)) == [tasks[3].id]
    assert await status_of(connected, tasks[1].id) is await status_of(connected, tasks[2].id) is Status.KILLED


async def test_the_order_within_a_group_is_that_of_claims(connected: Connected) -> None:
    await declare(connected, group_concurrency=1)
    low, high = await push_one(connected, group="a"), await push_one(connected, group="a", priority=1)
    other = await push_one(connected)
    boot = await registered(connected)
    assert ids(await taken(connected, boot, limit=1)) == [high.id]
    urgent = await push_one(connected, group="a", priority=2)
    assert ids(await taken(connected, boot, limit=1)) == [other.id]
    await connected.expose.kill([high.id], actor=ME)
    assert await status_of(connected, low.id) is await status_of(connected, urgent.id) is Status.PENDING


async def test_what_comes_later_and_matters_more_goes_before_what_was_not_taken_yet(connected: Connected) -> None:
    await declare(connected, group_concurrency=1)
    await push_one(connected, group="a")
    boot = await registered(connected)
    assert await claim(connected, boot, limit=0) == []
    urgent = await push_one(connected, group="a", priority=2)
    assert ids(await taken(connected, boot)) == [urgent.id]


async def test_acts_keep_to_the_limit(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, group_concurrency=1)
    boot = await registered(connected)
    [done] = await push_group(connected, "a", 1)
    [held] = await taken(connected, boot)
    await finish(connected, held)
    tasks = await push_group(connected, "a", 2, run_after=60)
    await push_group(connected, "a", 1)
    [held] = await taken(connected, boot)
    await connected.expose.retry([done.id], actor=ME)
    await connected.expose.run_now([tasks[0].id], actor=ME)
    await connected.expose.reschedule([tasks[1].id], clock.now(), actor=ME)
    assert await taken(connected, boot) == []
    seen = set()
    while True:
        await finish(connected, held)
        claims = await taken(connected, boot)
        assert len(claims) <= 1
        if not claims:
            break
        [held] = claims
        seen.add(held.id)
    assert seen == {done.id, *ids(tasks)}


@pytest.mark.needs("updates")
async def test_a_task_that_was_changed_keeps_to_the_limit(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, group_concurrency=1)
    boot = await registered(connected)
    later, _ = await push_group(connected, "a", 1, run_after=60), await push_group(connected, "a", 1)
    [held] = await taken(connected, boot)
    await connected.expose.update([later[0].id], TaskChange(run_at=clock.now()), actor=ME)
    assert await taken(connected, boot) == []
    await finish(connected, held)
    assert ids(await taken(connected, boot)) == ids(later)


@pytest.mark.needs("key_rules")
async def test_a_debounced_task_of_a_group_keeps_to_the_limit(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, group_concurrency=1)
    boot = await registered(connected)
    await push_group(connected, "a", 1)
    [held] = await taken(connected, boot)
    for _ in range(3):
        await push_one(connected, group="a", key="k", debounce=5, debounce_max=6)
        clock.advance(2)
    clock.advance(60)
    await asyncio.to_thread(connected.backend.heartbeat, beat(boot))
    boot = await registered(connected)
    assert await taken(connected, boot) == []
    assert held.id


async def test_a_pause_gives_back_and_the_limit_holds_after_it(connected: Connected) -> None:
    await declare(connected, group_concurrency=2)
    await push_group(connected, "a", 4)
    boot = await registered(connected)
    assert len(await claim(connected, boot)) == 2
    await pause(connected)
    assert await taken(connected, boot) == []
    await resume(connected)
    assert len(await taken(connected, boot)) == 2
    assert await taken(connected, boot) == []


async def test_limits_that_change_hold_from_the_next_claim_on(connected: Connected) -> None:
    tasks = await push_group(connected, "a", 6)
    boot = await registered(connected)
    first = await taken(connected, boot, limit=3)
    await declare(connected, group_concurrency=2)
    assert await taken(connected, boot) == []
    await finish(connected, first[0])
    assert await taken(connected, boot) == []
    await finish(connected, first[1])
    assert ids(await taken(connected, boot)) == [tasks[3].id]
    await declare(connected, group_concurrency=4)
    assert ids(await taken(connected, boot)) == [tasks[4].id, tasks[5].id]


async def test_an_end_wakes_the_workers_for_what_waits_behind_it(connected: Connected) -> None:
    await declare(connected, group_concurrency=1)
    await push_group(connected, "a", 2)
    [held] = await taken(connected, await registered(connected))
    idle = await registered(connected)
    async with connected.backend.wakeups(idle, [DEFAULT_QUEUE]) as wakeups:
        assert await taken(connected, idle) == []
        await settle_down(wakeups)
        await finish(connected, held)
        assert await wakeups.wait(PATIENCE)
    assert len(await taken(connected, idle)) == 1


# --- the whole queue -----------------------------------------------------------------------------------------------


async def test_no_more_of_a_queue_are_held_than_its_limit(connected: Connected) -> None:
    await declare(connected, concurrency=3)
    await push_group(connected, None, 5)
    await push_group(connected, "a", 5, queue="other")
    one, two = await registered(connected), await registered(connected, queues=(DEFAULT_QUEUE, "other"))
    first = await taken(connected, one, limit=2)
    assert len(first) == 2
    both: list[Claim] = []
    while claims := await taken(connected, two, DEFAULT_QUEUE, "other"):
        both += claims
    assert [claim.queue for claim in both].count(DEFAULT_QUEUE) == 1
    assert len(both) == 6
    await finish(connected, first[0])
    assert len(await taken(connected, one)) == 1


async def test_a_claim_that_a_limit_cut_short_says_to_look_again_at_once(connected: Connected) -> None:
    await declare(connected, concurrency=1)
    await push_group(connected, None, 2)
    await push_group(connected, None, 2, queue="other")
    boot = await registered(connected, queues=(DEFAULT_QUEUE, "other"))
    claims = await ask(connected, boot, DEFAULT_QUEUE, "other", limit=10, start=10)
    assert len(claims.tasks) == 3 or claims.next_due == 0


async def test_the_limits_of_the_queue_and_of_its_groups_hold_together(connected: Connected) -> None:
    await declare(connected, concurrency=3, group_concurrency=2)
    await push_group(connected, "a", 3)
    await push_group(connected, "b", 3)
    held: list[Claim] = []
    boot = await registered(connected)
    while claims := await taken(connected, boot):
        held += claims
    assert len(held) == 3


# --- so many in a time ----------------------------------------------------------------------------------------------


async def until_nothing_is_due(connected: Connected, boot: BootId) -> list[Claim]:
    found: list[Claim] = []
    while claims := await taken(connected, boot):
        found += claims
    return found


async def test_a_rate_lets_so_many_of_a_queue_start_in_any_time(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, rate=Rate(3, per=10))
    await push_group(connected, None, 9)
    boot = await registered(connected, lease_ttl=999)
    assert len(await taken(connected, boot, limit=2)) == 2
    clock.advance(9)
    assert len(await until_nothing_is_due(connected, boot)) == 1
    assert (await ask(connected, boot)).next_due == 1
    clock.advance(1)
    assert len(await until_nothing_is_due(connected, boot)) == 2
    assert (await ask(connected, boot)).next_due == 9
    clock.advance(8.9)
    assert await until_nothing_is_due(connected, boot) == []
    clock.advance(0.1)
    assert len(await until_nothing_is_due(connected, boot)) == 1


async def test_a_rate_lets_so_many_of_each_group_start_in_any_time(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, group_rate=Rate(2, per=10))
    await push_group(connected, "a", 5)
    await push_group(connected, "b", 1)
    boot = await registered(connected, lease_ttl=999)
    first = await until_nothing_is_due(connected, boot)
    assert len(first) == 3
    for held in first:
        await finish(connected, held)
    assert await until_nothing_is_due(connected, boot) == []
    assert (await ask(connected, boot)).next_due == 10
    clock.advance(10)
    assert len(await until_nothing_is_due(connected, boot)) == 2
    await push_group(connected, "b", 3)
    assert len(await until_nothing_is_due(connected, boot)) == 2


@pytest.mark.parametrize("limits", [{"rate": Rate(1, per=10)}, {"group_rate": Rate(1, per=10)}], ids=str)
async def test_a_claim_that_used_up_a_rate_says_when_the_next_may_start(connected: Connected, limits: Any) -> None:
    await declare(connected, **limits)
    await push_group(connected, "a", 2)
    boot = await registered(connected)
    claims = await ask(connected, boot, start=10)
    assert len(claims.tasks) == 1
    if claims.next_due == 0:
        claims = await ask(connected, boot)
    assert (claims.tasks, claims.next_due) == ([], 10) or claims.next_due == 10


async def test_attempts_that_are_made_again_count_as_starts(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, group_rate=Rate(2, per=10))
    await push_group(connected, "a", 1)
    boot = await registered(connected, lease_ttl=999)
    for _ in range(2):
        [held] = await taken(connected, boot)
        await finish(connected, held, Errored(BOOM, retry_in=0))
    assert await taken(connected, boot) == []
    clock.advance(10)
    assert len(await taken(connected, boot)) == 1


# --- in order -------------------------------------------------------------------------------------------------------


async def test_an_ordered_group_runs_in_the_order_of_pushing(connected: Connected) -> None:
    await declare(connected, ordered=True)
    tasks = [await push_one(connected, group="a", priority=priority) for priority in (0, 5, -5, 9)]
    boot = await registered(connected)
    seen = []
    while claims := await taken(connected, boot):
        [held] = claims
        seen.append(held.id)
        await finish(connected, held)
    assert seen == ids(tasks)


@pytest.mark.parametrize("outcome", [Errored(BOOM, retry_in=60), Deferred(60)], ids=str)
async def test_a_task_that_will_be_attempted_again_holds_back_those_behind_it(connected: Connected, clock: HandWoundClock, outcome: Any) -> None:
    await declare(connected, ordered=True)
    first, _ = await push_group(connected, "a", 2)
    boot = await registered(connected, lease_ttl=999)
    [held] = await taken(connected, boot)
    await finish(connected, held, outcome)
    assert await taken(connected, boot) == []
    assert (await ask(connected, boot)).next_due == 60
    clock.advance(60)
    assert ids(await taken(connected, boot)) == [first.id]


async def test_a_scheduled_task_holds_back_those_behind_it_and_a_killed_one_does_not(connected: Connected) -> None:
    await declare(connected, ordered=True)
    first = await push_one(connected, group="a", run_after=60)
    second = await push_one(connected, group="a")
    boot = await registered(connected)
    assert await taken(connected, boot) == []
    await connected.expose.kill([first.id], actor=ME)
    assert ids(await taken(connected, boot)) == [second.id]


async def test_a_task_that_was_retried_is_in_its_old_place(connected: Connected) -> None:
    await declare(connected, ordered=True)
    first, second, third = await push_group(connected, "a", 3)
    boot = await registered(connected)
    await connected.expose.kill([first.id], actor=ME)
    [held] = await taken(connected, boot)
    assert held.id == second.id
    await connected.expose.retry([first.id], actor=ME)
    assert await taken(connected, boot) == []
    await finish(connected, held)
    [held] = await taken(connected, boot)
    assert held.id == first.id
    await finish(connected, held)
    assert ids(await taken(connected, boot)) == [third.id]


# --- many at once ----------------------------------------------------------------------------------------------------


async def test_many_workers_never_hold_more_than_the_limits(connected: Connected, another: Connected) -> None:
    await declare(connected, concurrency=5, group_concurrency=2)
    groups = [f"g{number % 4}" for number in range(60)]
    await connected.backend.push([new_task(group=group, name=group) for group in groups])
    holding: dict[str, int] = {}
    most = [0, 0]

    async def work(store: Connected) -> int:
        boot, n, empty = await registered(store), 0, 0
        while empty < 400:
            claims = await taken(store, boot, limit=3)
            for held in claims:
                holding[held.name] = holding.get(held.name, 0) + 1
            most[0] = max(most[0], sum(holding.values()))
            most[1] = max([most[1], *holding.values()])
            for held in claims:
                holding[held.name] -= 1
                assert await finish(store, held)
            n += len(claims)
            empty = 0 if claims else empty + 1
            if n and not claims and sum(done_of.values()) + n >= 60 and not any(holding.values()):
                break
            await asyncio.sleep(0)
        return n

    done_of: dict[str, int] = {}
    counts = await asyncio.gather(*[work(store) for store in [connected, another] * 3])
    assert sum(counts) == 60
    assert most[0] <= 5 and most[1] <= 2


async def test_a_lost_worker_of_an_ordered_group_does_not_let_the_next_overtake(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, ordered=True)
    first, _ = await push_group(connected, "a", 2)
    await taken(connected, await registered(connected))
    await lose_workers(connected, clock)
    assert ids(await taken(connected, await registered(connected))) == [first.id]


# --- many groups, clocks, hands ------------------------------------------------------------------------------------------

MANY = 2_500
"""More groups than one claim looks at."""


async def test_what_comes_back_keeps_to_its_rate_however_many_groups_changed_before_it(connected: Connected) -> None:
    await declare(connected, group_rate=Rate(1, per=1_000))
    await push_group(connected, "a", 1)
    boot = await registered(connected)
    [held] = await taken(connected, boot)
    await connected.backend.push([new_task(group=f"b{number}") for number in range(MANY)])
    await finish(connected, held, Errored(BOOM, retry_in=0))
    seen: list[Claim] = []
    while claims := await taken(connected, boot, limit=900):
        seen += claims
    assert len(seen) == MANY
    assert held.id not in ids(seen)


async def test_limits_that_change_hold_for_every_group_from_the_next_claim_on(connected: Connected) -> None:
    groups = [f"g{MANY - number:04}" for number in range(MANY) for _ in range(2)]
    await connected.backend.push([new_task(group=group, name=group) for group in groups])
    boot = await registered(connected)
    for _ in range(8):
        assert await claim(connected, boot, limit=0) == []
    await declare(connected, group_concurrency=1)
    held = [each.name for _ in range(4) for each in await taken(connected, boot, limit=900)]
    assert 0 < len(held) == len(set(held))


async def test_a_clock_that_steps_back_stops_no_group(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, group_concurrency=1)
    boot = await registered(connected, lease_ttl=99_999)
    first, second = await push_group(connected, "a", 2)
    clock.advance(3_600)
    [held] = await taken(connected, boot)
    assert held.id == first.id
    await finish(connected, held)
    clock.advance(-3_600)
    assert ids(await taken(connected, boot)) == [second.id]


@pytest.mark.parametrize("limits", [{"rate": Rate(2, per=10)}, {"group_rate": Rate(2, per=10)}], ids=str)
async def test_a_clock_that_steps_back_stops_a_rate_no_longer_than_its_time(connected: Connected, clock: HandWoundClock, limits: Any) -> None:
    await declare(connected, **limits)
    boot = await registered(connected, lease_ttl=99_999)
    await push_group(connected, "a", 5)
    clock.advance(3_600)
    assert len(await until_nothing_is_due(connected, boot)) == 2
    clock.advance(-3_600)
    assert await until_nothing_is_due(connected, boot) == []
    assert (await ask(connected, boot)).next_due == 10
    clock.advance(10)
    assert len(await until_nothing_is_due(connected, boot)) == 2


async def test_a_queue_with_little_room_does_not_cut_the_claims_from_others_short(connected: Connected) -> None:
    await declare(connected, "narrow", concurrency=1)
    await push_group(connected, None, 5)
    await push_group(connected, None, 3, queue="narrow", priority=-1)
    boot = await registered(connected, queues=(DEFAULT_QUEUE, "narrow"))
    claims = await ask(connected, boot, DEFAULT_QUEUE, "narrow", limit=10, start=10)
    assert [each.queue for each in claims.tasks] == [DEFAULT_QUEUE] * 5 + ["narrow"]
    assert await taken(connected, boot, DEFAULT_QUEUE, "narrow") == []


async def test_a_task_that_nobody_knows_takes_no_place_in_its_queue(connected: Connected) -> None:
    await declare(connected, concurrency=1, rate=Rate(1, per=60))
    await push_one(connected, "unknown")
    known = await push_one(connected, "known")
    boot = await registered(connected)
    assert ids((await ask(connected, boot, names=["known"])).tasks) == [known.id]


async def test_the_kill_of_a_queued_task_wakes_the_workers_for_what_its_queue_has_room_for(connected: Connected) -> None:
    await declare(connected, concurrency=1)
    await push_group(connected, None, 2)
    [held] = await claim(connected, await registered(connected))
    idle = await registered(connected)
    async with connected.backend.wakeups(idle, [DEFAULT_QUEUE]) as wakeups:
        assert await taken(connected, idle) == []
        await settle_down(wakeups)
        await connected.expose.kill([held.id], actor=ME)
        assert await wakeups.wait(PATIENCE)
    assert len(await taken(connected, idle)) == 1


async def test_a_limit_that_is_removed_holds_nothing_back(connected: Connected) -> None:
    await declare(connected, group_concurrency=1, group_rate=Rate(1, per=1_000), ordered=True, concurrency=2, rate=Rate(2, per=1_000))
    await push_group(connected, "a", 5)
    boot = await registered(connected)
    assert len(await until_nothing_is_due(connected, boot)) == 1
    await declare(connected)
    assert len(await until_nothing_is_due(connected, boot)) == 4


async def test_a_group_with_much_room_fills_it(connected: Connected) -> None:
    await declare(connected, group_concurrency=1_200)
    await push_group(connected, "a", 1_300)
    boot = await registered(connected)
    assert len(await taken(connected, boot, limit=400)) == 400
    urgent = await push_one(connected, group="a", priority=1)
    assert ids(await taken(connected, boot, limit=1)) == [urgent.id]
    assert len(await until_nothing_is_due(connected, boot)) == 1_200 - 401


# --- what is shown of it ---------------------------------------------------------------------------------------------


async def test_the_room_in_a_queue_and_a_group_is_told(connected: Connected, clock: HandWoundClock) -> None:
    await declare(connected, rate=Rate(5, per=100), group_rate=Rate(2, per=10))
    tasks = await push_group(connected, "a", 3)
    boot = await registered(connected)
    first_at = clock.now()
    await taken(connected, boot, limit=1)
    clock.advance(1)
    await taken(connected, boot, limit=1)
    assert await connected.expose.room(tasks[2].id) == Room(
        starts=2,
        again_at=first_at + timedelta(seconds=100),
        group_held=2,
        group_starts=2,
        group_again_at=first_at + timedelta(seconds=10),
        group_first=tasks[0].id,
    )
    clock.advance(9)
    assert (await connected.expose.room(tasks[2].id)).group_starts == 1


async def test_the_first_of_a_group_is_told_wherever_it_stands(connected: Connected) -> None:
    scheduled, waiting, later = [await push_one(connected, group="a", run_after=delay) for delay in (60, 0, 0)]
    [held] = await claim(connected, await registered(connected), limit=1)
    assert held.id == waiting.id
    await push_one(connected, group="b")
    await push_one(connected)
    assert (await connected.expose.room(later.id)).group_first == scheduled.id
    await connected.expose.kill([scheduled.id], actor=ME)
    assert (await connected.expose.room(later.id)).group_first == held.id
    await connected.expose.kill([held.id], actor=ME)
    assert await connected.expose.room(later.id) == Room(group_first=later.id)


async def test_without_limits_groups_or_a_task_there_is_nothing_to_tell(connected: Connected) -> None:
    task = await push_one(connected)
    await taken(connected, await registered(connected))
    assert await connected.expose.room(task.id) == await connected.expose.room(TaskId("unknown")) == Room()
