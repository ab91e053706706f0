"""Hostile data: stored as it came, found again, and nobody is harmed by it."""

from typing import Any

import pytest

from queue_core.conformance.helpers import ME, claim, fetch, finish, in_state, listed, new_task, push_one, registered, running
from queue_core.errors import InvalidValue
from queue_core.expose import Actor, Connected, Span, TaskFilter
from queue_core.ids import QueueName, TaskId
from queue_core.outcome import Errored, Succeeded
from queue_core.status import Status
from queue_core.task import ErrorInfo

NAMES = [
    "mail/urgent",
    "50 %",
    "it's",
    '"quoted"',
    "🦀 crabs",
    "a::b",
    "<script>alert(1)</script>",
    "Ω\u0301",
    "../../etc",
    "-- DROP",
    "a b",
    "x" * 200,
    "?x=1&y=2#z",
]
PAYLOADS = [b"", b"\x00", b"\x00\xff\xfe nonsense", b"{not json", b'"\\u0000"', bytes(range(256)), b"\xed\xa0\x80", b"null"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_queue_may_have_any_printable_name(connected: Connected, name: str) -> None:
    task = await push_one(connected, name, queue=name, key=name, tags=(name,), id=name)
    boot = await registered(connected, name, queues=(name,))
    [found] = await claim(connected, boot, name, start=1)
    assert (found.id, found.queue, found.name) == (task.id, name, name)
    await finish(connected, found)
    assert [queue.name for queue in await connected.expose.list_queues()] == [name]
    assert (await connected.expose.counts())[QueueName(name)].done == 1
    assert [task.tags for task in await listed(connected, TaskFilter(queue=QueueName(name), name=name, statuses=(Status.DONE,)))] == [(name,)]
    assert (await connected.expose.pause(QueueName(name), actor=Actor(name=name, reason=name))).name == name
    assert [worker.name for worker in await connected.expose.list_workers(QueueName(name))] == [name]
    now = await connected.expose.now()
    assert [bucket.done for bucket in await connected.expose.series(Span.DAY, since=now, until=now, queue=QueueName(name))] == [1]
    assert not (await connected.backend.push([new_task(queue=name, key=name)]))[0].created


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_any_bytes_are_kept(connected: Connected, payload: bytes) -> None:
    runs = await running(connected, args=payload)
    assert runs.args == payload
    await finish(connected, runs, Succeeded(payload))
    task = await fetch(connected, runs.id)
    assert (task.args, task.result) == (payload, payload)
    assert [found.id for found in await listed(connected)] == [runs.id]
    assert await listed(connected, TaskFilter(text="surely not in there")) == []


async def test_a_megabyte_goes_in_and_out(connected: Connected) -> None:
    payload = bytes(range(256)) * 4096
    runs = await running(connected, args=payload)
    await finish(connected, runs, Succeeded(payload))
    task = await fetch(connected, runs.id)
    assert task.args == task.result == payload


@pytest.mark.parametrize("text", ["a\x00b", "\x00", "lone \udcff surrogate", "\ud800", "\x1b[31mred", "<script>", "x" * 1_000_000, "‮txt", ""])
async def test_any_error_message_is_taken(connected: Connected, text: str) -> None:
    runs = await running(connected)
    assert await finish(connected, runs, Errored(ErrorInfo(type="E", message=text, traceback=text)))
    [attempt] = await connected.expose.attempts(runs.id)
    assert attempt.error is not None and attempt.error.type == "E"
    if "\ud800" not in text and "\udcff" not in text:
        assert attempt.error.message == attempt.error.traceback
        assert attempt.error.message in {text, text.replace("\x00", "\\x00")}  # not every store can hold NUL in a text; then it is made visible
    assert (await fetch(connected, runs.id)).status is Status.FAILED


async def test_metadata_may_be_nested_and_strange(connected: Connected) -> None:
    metadata: dict[str, Any] = {"": None, "a.b[0]": [1, 2.5, {"ü": "\x00"}], "'; DROP TABLE": True, "n": 2**53, "deep": [[[[[]]]]]}
    task = await push_one(connected, metadata=metadata)
    assert (await fetch(connected, task.id)).metadata == metadata


@pytest.mark.parametrize("id", ["'; DELETE FROM tasks; --", "%", "", "\x00", "\ud800", "🦀", "x" * 10_000])
async def test_a_strange_id_is_simply_not_there(connected: Connected, id: str) -> None:
    task = await push_one(connected)
    assert await connected.expose.fetch(TaskId(id)) is None
    assert await connected.expose.attempts(TaskId(id)) == []
    report = await connected.expose.kill([TaskId(id)], actor=ME)
    assert [skip.status for skip in report.skipped] == [None]
    assert [found.id for found in await listed(connected)] == [task.id]


@pytest.mark.parametrize("text", ["\x00", "\ud800", "%", "x" * 100_000, "'", "\\"])
async def test_strange_searches_find_nothing_and_fail_not(connected: Connected, text: str) -> None:
    await push_one(connected)
    assert await listed(connected, TaskFilter(text=text)) == []
    assert await listed(connected, TaskFilter(name=text)) == []
    assert await listed(connected, TaskFilter(queue=QueueName(text))) == []
    assert await connected.expose.fetch_queue(QueueName(text)) is None


async def test_a_strange_reason_is_recorded(connected: Connected) -> None:
    task = await push_one(connected)
    await connected.expose.kill([task.id], actor=Actor(name="<b>o'lga</b>", reason="a\x00b 🦀"))
    [entry] = await connected.expose.list_audit()
    assert entry.actor == "<b>o'lga</b>"
    assert entry.reason in {"a\x00b 🦀", "a\\x00b 🦀"}  # not every store can hold NUL in a text; then it is made visible


@pytest.mark.parametrize("limit", [-1, 0, 10**9])
async def test_a_strange_page_size_does_no_harm(connected: Connected, limit: int) -> None:
    await in_state(connected, Status.DONE)
    assert len((await connected.expose.list_tasks(TaskFilter(), limit=limit)).tasks) <= 1
    await connected.expose.list_audit(limit=limit)
    await connected.expose.list_workers(limit=limit)


async def test_metadata_that_json_cannot_hold_is_refused_with_the_whole_push(connected: Connected) -> None:
    with pytest.raises(InvalidValue):
        await connected.backend.push([new_task(), new_task(metadata={"x": object()})])
    assert await listed(connected) == []


async def test_what_a_producer_does_to_its_metadata_later_is_its_own_affair(connected: Connected) -> None:
    metadata = {"steps": ["one"]}
    task = await push_one(connected, metadata=metadata)
    metadata["steps"].append("two")
    assert (await fetch(connected, task.id)).metadata == {"steps": ["one"]}
