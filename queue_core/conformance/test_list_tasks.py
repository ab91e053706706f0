"""list_tasks: newest pushed first, by keyset pages; fetching by id."""

import pytest

from queue_core.conformance.helpers import ME, claim, done, fetch, in_state, killed, listed, new_task, push_one, registered, running
from queue_core.errors import InvalidValue
from queue_core.expose import Connected, Cursor, TaskFilter
from queue_core.ids import QueueName, TaskId, new_boot_id
from queue_core.status import Status
from queue_core.task import ARGS_HEAD, Task, TaskSummary


async def _names(connected: Connected, **filter: object) -> list[str]:
    return [task.name for task in await listed(connected, TaskFilter(**filter))]  # type: ignore[arg-type]


async def test_an_empty_store_has_an_empty_page(connected: Connected) -> None:
    page = await connected.expose.list_tasks(TaskFilter())
    assert (page.tasks, page.older, page.newer) == ([], None, None)


async def test_the_newest_pushed_comes_first_whatever_its_id(connected: Connected) -> None:
    await connected.backend.push([new_task("first", id="z"), new_task("second", id="a", run_after=5), new_task("third", id="m")])
    assert await _names(connected) == ["third", "second", "first"]


async def test_pages_lead_to_the_end_and_back(connected: Connected) -> None:
    await connected.backend.push([new_task(str(number)) for number in range(7)])
    pages = [await connected.expose.list_tasks(TaskFilter(), limit=3)]
    while pages[-1].older:
        pages.append(await connected.expose.list_tasks(TaskFilter(), start=pages[-1].older, limit=3))
    assert [[task.name for task in page.tasks] for page in pages] == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert pages[0].newer is None
    back = await connected.expose.list_tasks(TaskFilter(), start=pages[2].newer, limit=3)
    assert back.tasks == pages[1].tasks
    front = await connected.expose.list_tasks(TaskFilter(), start=back.newer, limit=3)
    assert front.tasks == pages[0].tasks
    assert front.newer is None
    assert (await connected.expose.list_tasks(TaskFilter(), start=front.older, limit=3)).tasks == pages[1].tasks


async def test_new_tasks_do_not_shift_a_page(connected: Connected) -> None:
    await connected.backend.push([new_task(str(number)) for number in range(4)])
    first = await connected.expose.list_tasks(TaskFilter(), limit=2)
    await connected.backend.push([new_task("new") for _ in range(5)])
    second = await connected.expose.list_tasks(TaskFilter(), start=first.older, limit=2)
    assert [task.name for task in second.tasks] == ["1", "0"]


async def test_a_full_last_page_has_nothing_after_it(connected: Connected) -> None:
    await connected.backend.push([new_task() for _ in range(3)])
    assert (await connected.expose.list_tasks(TaskFilter(), limit=3)).older is None


async def test_a_list_shows_summaries(connected: Connected) -> None:
    task = await done(connected, tags=("red",), priority=3)
    [shown] = await listed(connected)
    assert type(shown) is TaskSummary and not isinstance(shown, Task)
    stored = await fetch(connected, task.id)
    assert shown == TaskSummary(**{name: getattr(stored, name) for name in TaskSummary.__dataclass_fields__})


@pytest.mark.parametrize("size", [0, 1, ARGS_HEAD - 1, ARGS_HEAD, ARGS_HEAD + 1, 8_192, 8_193, 1_000_000])
async def test_a_summary_holds_the_beginning_of_the_arguments_exactly_as_stored(connected: Connected, size: int) -> None:
    args = (bytes(range(256)) * (size // 256 + 1))[:size]
    task = await push_one(connected, args=args, codec="msgpack")
    await registered(connected)
    [shown] = await listed(connected)
    [asked] = await connected.expose.summaries([task.id])
    [of_queue] = await listed(connected, TaskFilter(queue=task.queue))
    for summary in (shown, asked, of_queue, task, await fetch(connected, task.id)):
        assert (summary.args_head, summary.codec) == (args[:200], "msgpack")


async def test_what_a_worker_holds_is_listed_with_the_beginning_of_its_arguments(connected: Connected) -> None:
    boot = await registered(connected)
    await push_one(connected, args=b"x" * 20_000)
    await claim(connected, boot)
    [held] = await listed(connected, TaskFilter(boot=boot))
    assert held.args_head == b"x" * ARGS_HEAD


async def test_a_list_can_be_limited_to_a_queue(connected: Connected) -> None:
    await connected.backend.push([new_task("a1", queue="a"), new_task("b1", queue="b"), new_task("a2", queue="a")])
    assert await _names(connected, queue=QueueName("a")) == ["a2", "a1"]
    assert await _names(connected, queue=QueueName("nobody")) == []


async def test_a_list_can_be_limited_to_states(connected: Connected) -> None:
    ids = {status: await in_state(connected, status, queue=status.value) for status in Status}
    for status, id in ids.items():
        assert [task.id for task in await listed(connected, TaskFilter(statuses=(status,)))] == [id]
    some = (Status.KILLED, Status.PENDING, Status.DONE)
    found = [task.id for task in await listed(connected, TaskFilter(statuses=some), limit=2)]
    assert set(found) == {ids[status] for status in some}
    assert found == [task.id for task in await listed(connected) if task.status in some]


async def test_states_and_queue_hold_together(connected: Connected) -> None:
    await done(connected, name="here", queue="a")
    await done(connected, name="there", queue="b")
    await push_one(connected, "waits", queue="a")
    assert await _names(connected, queue=QueueName("a"), statuses=(Status.DONE, Status.KILLED)) == ["here"]


async def test_a_list_can_be_limited_to_a_name(connected: Connected) -> None:
    await connected.backend.push([new_task("mail.send"), new_task("mail"), new_task("mail.send")])
    assert await _names(connected, name="mail") == ["mail"]
    assert len(await _names(connected, name="mail.send")) == 2


async def test_text_is_found_in_arguments_id_key_tags_and_error(connected: Connected) -> None:
    await push_one(connected, "args", args=b'{"to": "Olga@example.org"}')
    await push_one(connected, "key", key="order-olga-7")
    await push_one(connected, "tag", tags=("x", "VIP OLGA"))
    await push_one(connected, "id", id="olga-1")
    await push_one(connected, "other")
    assert sorted(await _names(connected, text="oLGa")) == ["args", "id", "key", "tag"]
    failed = await killed(connected, queue="bad")
    assert [task.id for task in await listed(connected, TaskFilter(text="VALUEERROR: boom"))] == [failed.id]


@pytest.mark.parametrize("wildcard", ["%", "_", "*", "?", "[a]", "\\", "'", '"%'])
async def test_searched_text_is_taken_literally(connected: Connected, wildcard: str) -> None:
    await push_one(connected, "plain", args=b"abc")
    await push_one(connected, "literal", args=b"x" + wildcard.encode() + b"y")
    assert await _names(connected, text=wildcard) == ["literal"]


async def test_search_pages_like_a_list(connected: Connected) -> None:
    await connected.backend.push([new_task(str(number), args=b"even" if number % 2 == 0 else b"odd") for number in range(10)])
    assert [task.name for task in await listed(connected, TaskFilter(text="even"), limit=2)] == ["8", "6", "4", "2", "0"]
    assert (await connected.expose.list_tasks(TaskFilter(text="even"))).searched is None


async def test_a_list_can_be_limited_to_what_a_worker_holds(connected: Connected) -> None:
    await connected.backend.push([new_task("one"), new_task("two"), new_task("three")])
    boot = await registered(connected)
    await claim(connected, boot, limit=2, start=1)
    await done(connected, queue="other")
    assert await _names(connected, boot=boot) == ["two", "one"]
    assert await _names(connected, boot=boot, statuses=(Status.RUNNING,)) == ["one"]
    assert await _names(connected, boot=new_boot_id()) == []


@pytest.mark.parametrize("cursor", ["", "nonsense", "o", "-1", "' OR 1=1 --", "o12x", "\x00", "９", "o" + "9" * 400])
async def test_a_cursor_that_no_page_handed_out_is_refused(connected: Connected, cursor: str) -> None:
    await push_one(connected)
    with pytest.raises(InvalidValue):
        await connected.expose.list_tasks(TaskFilter(), start=Cursor(cursor))


async def test_fetching_answers_in_the_order_of_the_question(connected: Connected) -> None:
    one, two = await push_one(connected), await push_one(connected)
    assert await connected.expose.fetch_many([two.id, TaskId("nobody"), one.id]) == [two, one]
    assert [task.id for task in await connected.expose.summaries([two.id, TaskId("nobody"), one.id])] == [two.id, one.id]
    assert await connected.expose.fetch_many([]) == []
    assert await connected.expose.fetch(TaskId("nobody")) is None


async def test_at_most_a_thousand_are_fetched_at_once(connected: Connected) -> None:
    pushed = await connected.backend.push([new_task() for _ in range(1001)])
    ids = [push.task.id for push in pushed]
    assert [task.id for task in await connected.expose.fetch_many(ids)] == ids[:1000]
    assert [task.id for task in await connected.expose.summaries(ids)] == ids[:1000]


async def test_a_deleted_task_leaves_no_gap(connected: Connected) -> None:
    first, gone, last = await push_one(connected), await running(connected, queue="g"), await push_one(connected)
    await connected.expose.kill([gone.id], actor=ME)
    await connected.backend.deregister(gone.lease.boot)
    await connected.expose.delete([gone.id], actor=ME)
    assert [task.id for task in await listed(connected, limit=1)] == [last.id, first.id]
