"""push: tasks are stored, all or none."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from queue_core.backoff import Retry
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import claim, fetch, listed, new_task, push_one, registered
from queue_core.errors import InvalidValue
from queue_core.expose import Connected
from queue_core.ids import QueueName, new_task_id
from queue_core.status import Status


async def test_a_pushed_task_is_pending_and_due_now(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected)
    assert task.status is Status.PENDING
    assert task.run_at == task.created_at == clock.now()
    assert (task.attempts, task.crashes, task.priority, task.max_attempts) == (0, 0, 0, 5)
    assert (task.started_at, task.queued_at, task.done_at, task.worker) == (None, None, None, None)


async def test_push_returns_what_is_stored(connected: Connected) -> None:
    pushed = await connected.backend.push([new_task("one"), new_task("two", queue="other")])
    assert [push.task.name for push in pushed] == ["one", "two"]
    assert all(push.created for push in pushed)
    assert [await fetch(connected, push.task.id) for push in pushed] == [push.task for push in pushed]


async def test_everything_said_about_a_task_is_kept(connected: Connected, clock: HandWoundClock) -> None:
    parent = await push_one(connected)
    said = {
        "args": b'{"to": "you"}',
        "codec": "msgpack",
        "queue": "mail",
        "priority": -7,
        "max_attempts": 3,
        "timeout": 1.5,
        "retry": Retry(backoff="linear", min=2, max=9, jitter=0.25),
        "key": "once",
        "expires_at": clock.now() + timedelta(days=1),
        "tags": ("red", "blue"),
        "metadata": {"trace": {"id": [1, None, "ü"]}, "": True},
        "parent": parent.id,
        "id": new_task_id(),
    }
    task = await push_one(connected, "send", **said)
    stored = await fetch(connected, task.id)
    assert {name: getattr(stored, name) for name in said} == said
    assert stored.name == "send"


async def test_an_id_that_the_producer_chose_is_kept(connected: Connected) -> None:
    await push_one(connected, id="invoice 7/2026")
    assert (await fetch(connected, "invoice 7/2026")).name == "work"  # type: ignore[arg-type]


async def test_nothing_of_a_push_is_stored_when_one_id_is_stored_already(connected: Connected) -> None:
    old = await push_one(connected)
    with pytest.raises(InvalidValue, match=old.id):
        await connected.backend.push([new_task(), new_task(id=old.id), new_task()])
    assert [task.id for task in await listed(connected)] == [old.id]


async def test_nothing_of_a_push_is_stored_when_it_names_an_id_twice(connected: Connected) -> None:
    id = new_task_id()
    with pytest.raises(InvalidValue, match=id):
        await connected.backend.push([new_task(id=id), new_task(id=id)])
    assert await listed(connected) == []


async def test_a_refused_push_leaves_no_trace_in_the_numbers(connected: Connected) -> None:
    old = await push_one(connected)
    with pytest.raises(InvalidValue):
        await connected.backend.push([new_task(queue="fresh"), new_task(id=old.id)])
    assert "fresh" not in await connected.expose.counts()


async def test_pushing_nothing_is_allowed(connected: Connected) -> None:
    assert await connected.backend.push([]) == []


async def test_a_bulk_push_keeps_its_order(connected: Connected) -> None:
    pushed = await connected.backend.push([new_task(f"t{number}") for number in range(1500)])
    boot = await registered(connected)
    tasks = await claim(connected, boot, limit=1500)
    assert [task.id for task in tasks] == [push.task.id for push in pushed]
    assert [push.task.seq for push in pushed] == sorted({push.task.seq for push in pushed})


async def test_a_push_of_thousands_is_stored_like_any_other(connected: Connected, clock: HandWoundClock) -> None:
    tags, metadata, retry = ("é", "b"), {"from": "import"}, Retry(min=1, max=2)
    tasks = [
        new_task(f"t{number % 7}", queue=QueueName(f"q{number % 3}"), priority=number % 5, tags=tags, metadata=metadata, retry=retry, timeout=1.5)
        for number in range(2499)
    ]
    pushed = await connected.backend.push([*tasks, new_task("last", queue=QueueName("q0"), run_after=60.5, args=b"\x00\xff")])
    assert [push.task.seq for push in pushed] == sorted({push.task.seq for push in pushed})
    assert [await fetch(connected, push.task.id) for push in (pushed[0], pushed[1234], pushed[-1])] == [
        push.task for push in (pushed[0], pushed[1234], pushed[-1])
    ]
    assert pushed[-1].task.run_at == clock.now() + timedelta(seconds=60.5)
    assert {queue: counts.pending for queue, counts in (await connected.expose.counts()).items()} == {"q0": 834, "q1": 833, "q2": 833}


async def test_a_push_of_thousands_is_stored_whole_or_not_at_all(connected: Connected) -> None:
    taken = await push_one(connected)
    with pytest.raises(InvalidValue, match=taken.id):
        await connected.backend.push([*(new_task() for _ in range(2500)), new_task(id=taken.id)])
    assert [task.id for task in await listed(connected)] == [taken.id]


async def test_another_time_zone_means_the_same_moment(connected: Connected, clock: HandWoundClock) -> None:
    there = clock.now().astimezone(timezone(timedelta(hours=-9, minutes=-30))) + timedelta(minutes=5)
    task = await fetch(connected, (await push_one(connected, run_at=there, expires_at=there)).id)
    assert task.run_at == task.expires_at == there
    assert task.run_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "moment", [datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
)
async def test_any_year_can_be_stored(connected: Connected, moment: datetime) -> None:
    task = await push_one(connected, run_at=moment)
    assert (await fetch(connected, task.id)).run_at == moment


async def test_a_delay_beyond_the_calendar_is_refused_with_the_whole_push(connected: Connected) -> None:
    with pytest.raises(InvalidValue, match="run_after"):
        await connected.backend.push([new_task(), new_task(run_after=1e15)])
    assert await listed(connected) == []


async def test_a_connection_of_a_strange_kind_is_refused(connected: Connected) -> None:
    with pytest.raises(InvalidValue):
        await connected.backend.push_in(object(), [new_task()])
    assert await listed(connected) == []
