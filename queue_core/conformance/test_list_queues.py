"""list_queues and fetch_queue."""

from datetime import timedelta

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import TTL, done, failed, in_state, push_one, queue_info, registered, running
from queue_core.expose import Connected, Counts
from queue_core.ids import QueueName
from queue_core.status import Status
from queue_core.task import DEFAULT_QUEUE


async def test_queues_are_listed_by_name(connected: Connected) -> None:
    for name in ("mail", "Billing", "a", "z"):
        await push_one(connected, queue=name)
    assert [queue.name for queue in await connected.expose.list_queues()] == ["Billing", "a", "mail", "z"]


async def test_a_queue_that_nobody_named_is_none(connected: Connected) -> None:
    assert await connected.expose.fetch_queue(QueueName("nobody")) is None
    assert await connected.expose.list_queues() == []


async def test_a_queue_is_the_same_listed_and_fetched(connected: Connected) -> None:
    await running(connected, queue="a")
    await push_one(connected, queue="b", run_after=9)
    for queue in await connected.expose.list_queues():
        assert await queue_info(connected, queue.name) == queue


async def test_a_queue_counts_its_tasks_by_state(connected: Connected) -> None:
    for status in reversed(Status):  # the waiting one last, so that nobody claims it
        await in_state(connected, status)
    assert (await queue_info(connected)).counts == Counts(pending=1, queued=1, running=1, done=1, failed=1, killed=1)


async def test_the_oldest_due_task_is_the_one_that_waits_longest(connected: Connected, clock: HandWoundClock) -> None:
    assert await connected.expose.fetch_queue(DEFAULT_QUEUE) is None
    await push_one(connected, run_after=100)
    assert (await queue_info(connected)).oldest_due is None
    now = clock.now()
    await push_one(connected)
    await push_one(connected, priority=9, run_at=now - timedelta(seconds=7))
    assert (await queue_info(connected)).oldest_due == now - timedelta(seconds=7)


async def test_a_failed_task_that_is_due_counts_as_waiting(connected: Connected, clock: HandWoundClock) -> None:
    task = await failed(connected, retry_in=5)
    assert (await queue_info(connected)).oldest_due is None
    clock.advance(5)
    assert (await queue_info(connected)).oldest_due == task.run_at


async def test_what_runs_or_ended_does_not_wait(connected: Connected) -> None:
    await running(connected)
    await done(connected, queue="other")
    assert [queue.oldest_due for queue in await connected.expose.list_queues()] == [None, None]


async def test_a_queue_names_its_living_workers_and_their_slots(connected: Connected, clock: HandWoundClock) -> None:
    await registered(connected, "lost", concurrency=16)
    clock.advance(TTL + 1)
    await registered(connected, "otto", concurrency=2)
    await registered(connected, "anna", queues=("default", "mail"), concurrency=3)
    await connected.backend.deregister(await registered(connected, "ended"))
    assert ((await queue_info(connected)).workers, (await queue_info(connected)).slots) == (("anna", "otto"), 5)
    assert ((await queue_info(connected, "mail")).workers, (await queue_info(connected, "mail")).slots) == (("anna",), 3)


async def test_a_queue_whose_name_begins_like_another_is_another(connected: Connected) -> None:
    await registered(connected, "anna", queues=("mail",))
    await push_one(connected, queue="mail.urgent")
    assert (await queue_info(connected, "mail.urgent")).workers == ()
    assert (await queue_info(connected, "mail")).counts.total == 0
