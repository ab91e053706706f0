"""claim: due tasks are leased, in order, never twice."""

from queue_core.backend import Claims
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import FAILED, ask, claim, fetch, finish, new_task, push_one, registered, running, status_of
from queue_core.expose import Connected
from queue_core.ids import new_boot_id
from queue_core.status import Status


async def test_a_claimed_task_is_queued_under_its_worker(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected)
    boot = await registered(connected, "anna")
    clock.advance(1)
    [claimed] = await claim(connected, boot)
    stored = await fetch(connected, task.id)
    assert stored.status is Status.QUEUED
    assert (stored.worker, stored.boot, stored.queued_at, stored.attempts) == ("anna", boot, clock.now(), 0)
    assert stored.started_at is None
    assert not claimed.started


async def test_a_claim_brings_what_running_needs(connected: Connected) -> None:
    task = await push_one(connected, "send", args=b"[1]", codec="msgpack", timeout=2.5, priority=3, max_attempts=2, metadata={"a": [1]})
    [claimed] = await claim(connected, await registered(connected))
    assert claimed.id == task.id
    assert (claimed.queue, claimed.name, claimed.args, claimed.codec) == ("default", "send", b"[1]", "msgpack")
    assert (claimed.attempt, claimed.max_attempts, claimed.priority, claimed.timeout) == (1, 2, 3, 2.5)
    assert (claimed.run_at, claimed.created_at, claimed.metadata, claimed.retry) == (task.run_at, task.created_at, {"a": [1]}, None)


async def test_a_claim_starts_as_many_as_it_is_told(connected: Connected, clock: HandWoundClock) -> None:
    await connected.backend.push([new_task() for _ in range(3)])
    boot = await registered(connected)
    tasks = await claim(connected, boot, start=2)
    assert [task.started for task in tasks] == [True, True, False]
    assert [task.attempt for task in tasks] == [1, 1, 1]
    first, last = await fetch(connected, tasks[0].id), await fetch(connected, tasks[2].id)
    assert (first.status, first.attempts, first.started_at, first.queued_at) == (Status.RUNNING, 1, clock.now(), clock.now())
    assert (last.status, last.attempts) == (Status.QUEUED, 0)


async def test_a_claim_takes_no_more_than_its_limit(connected: Connected) -> None:
    await connected.backend.push([new_task() for _ in range(5)])
    boot = await registered(connected)
    assert len(await claim(connected, boot, limit=2)) == 2
    assert len(await claim(connected, boot, limit=10)) == 3
    assert await claim(connected, boot) == []


async def test_a_limit_of_zero_claims_nothing_and_still_says_when_more_is_due(connected: Connected) -> None:
    await push_one(connected)
    await push_one(connected, queue="other", run_after=5)
    boot = await registered(connected, queues=("default", "other"))
    assert await ask(connected, boot, limit=0) == Claims([], None), "more is due already"
    assert await ask(connected, boot, "other", limit=0) == Claims([], 5)


async def test_a_claimed_task_is_not_claimed_again(connected: Connected, another: Connected) -> None:
    await push_one(connected)
    one, two = await registered(connected), await registered(another)
    assert len(await claim(connected, one)) == 1
    assert await claim(another, two) == []
    assert await claim(connected, one) == []


async def test_only_the_asked_queues_are_claimed_from(connected: Connected) -> None:
    await push_one(connected, queue="a")
    await push_one(connected, queue="b")
    await push_one(connected, queue="c")
    boot = await registered(connected, queues=("a", "b", "c"))
    assert [task.queue for task in await claim(connected, boot, "c", "a")] == ["a", "c"]


async def test_only_the_asked_names_are_claimed(connected: Connected) -> None:
    await connected.backend.push([new_task("mail"), new_task("ship"), new_task("bill")])
    boot = await registered(connected)
    assert [task.name for task in (await ask(connected, boot, names=["bill", "mail"])).tasks] == ["mail", "bill"]
    assert (await ask(connected, boot, names=[])).tasks == []


async def test_a_name_that_no_worker_knows_stays_pending(connected: Connected) -> None:
    strange = await push_one(connected, "strange")
    await push_one(connected, "known")
    boot = await registered(connected, names=("known",))
    assert [task.name for task in (await ask(connected, boot, names=["known"], limit=1)).tasks] == ["known"]
    assert await status_of(connected, strange.id) is Status.PENDING


async def test_unknown_names_in_front_do_not_hide_known_ones(connected: Connected) -> None:
    await connected.backend.push([new_task("strange", priority=9) for _ in range(300)])
    wanted = await push_one(connected, "known")
    boot = await registered(connected)
    assert [task.id for task in (await ask(connected, boot, names=["known"], limit=1)).tasks] == [wanted.id]


async def test_an_unregistered_boot_gets_nothing(connected: Connected) -> None:
    task = await push_one(connected)
    claims = await ask(connected, new_boot_id())
    assert claims.tasks == []
    assert await status_of(connected, task.id) is Status.PENDING


async def test_a_worker_that_ended_gets_nothing(connected: Connected) -> None:
    await push_one(connected)
    boot = await registered(connected)
    await connected.backend.deregister(boot)
    assert await claim(connected, boot) == []


async def test_a_failed_task_is_claimed_when_it_is_due_again(connected: Connected) -> None:
    first = await running(connected)
    await finish(connected, first, FAILED)
    [second] = await claim(connected, first.lease.boot)
    assert (second.id, second.attempt) == (first.id, 2)


async def test_every_claim_of_a_task_has_a_lease_of_its_own(connected: Connected) -> None:
    await push_one(connected)
    boot = await registered(connected)
    leases = set()
    for _ in range(3):
        [claimed] = await claim(connected, boot)
        leases.add(claimed.lease)
        assert await connected.backend.release([claimed.lease]) == 1
    assert len(leases) == 3


async def test_the_leases_of_a_worker_are_what_it_claimed_and_has_not_ended(connected: Connected) -> None:
    await connected.backend.push([new_task() for _ in range(3)])
    boot = await registered(connected)
    tasks = await claim(connected, boot, start=2)
    await finish(connected, tasks[0])
    assert set(await connected.backend.leases(boot)) == {tasks[1].lease, tasks[2].lease}
    assert await connected.backend.leases(new_boot_id()) == []


async def test_a_queue_named_twice_gives_each_task_once(connected: Connected) -> None:
    await connected.backend.push([new_task() for _ in range(3)])
    boot = await registered(connected)
    tasks = await claim(connected, boot, "default", "default")
    assert len({task.id for task in tasks}) == len(tasks) == 3


async def test_a_claim_says_when_the_next_scheduled_task_is_due(connected: Connected) -> None:
    boot = await registered(connected)
    assert (await ask(connected, boot)).next_due is None
    await push_one(connected, run_after=90)
    await push_one(connected, run_after=60.25)
    await push_one(connected, run_after=5, queue="elsewhere")
    assert (await ask(connected, boot)).next_due == 60.25


async def test_a_claim_that_leaves_due_work_behind_names_no_time(connected: Connected) -> None:
    await connected.backend.push([new_task(), new_task(), new_task(run_after=5)])
    boot = await registered(connected)
    assert (await ask(connected, boot, limit=1)).next_due is None
    assert (await ask(connected, boot, limit=1)).next_due == 5


async def test_a_failed_task_that_waits_is_the_next_one_due(connected: Connected) -> None:
    first = await running(connected)
    await finish(connected, first, type(FAILED)(FAILED.error, retry_in=12))
    assert (await ask(connected, first.lease.boot)).next_due == 12
