"""Every page: whole, in parts, empty, full of hostile data, and when something is wrong."""

import asyncio
import itertools
import json
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest
from markupsafe import escape

from board import Board
from board.cli import make_parser
from board.filters import dom_id
from board.urls import segment
from board.views.timeline import phases
from queue_core.conformance.helpers import registered, registration
from queue_core.expose import Actor, Connected, InvalidValue, Limits, QueueName, Rate, Status, StoreUnavailable, WorkerState
from queue_core.logs import LogLine
from tests.board.helpers import BOOM, HTMX, client_of, eventually, fetch, ids_in, post, push, reading, task_in

HOSTILE = '<script>alert("x")</script>&amp;\'"><img src=x onerror=alert(1)>'
HOSTILE_QUEUES = (
    *("a/b", "100%", "%2F", 'it\'s "quoted"', "🐦 emoji", "<script>alert(1)</script>", "a?b#c", "a+b c", "ünïcode", "\u202eevil"),
    *("..", ".", "~..", "rows"),
)


class Structure(HTMLParser):
    """Which elements and attributes a page really has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[str | None] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))
        self.handlers += [name for name, value in attrs if name.startswith("on") or name == "style" or (value or "").startswith("javascript:")]


def check_harmless(html: str) -> None:
    found = Structure(html)
    assert all(found.scripts), "a script without a file of ours"
    assert found.handlers == []


async def pages_of(connected: Connected) -> list[str]:
    tasks = [await task_in(connected, status) for status in Status]
    workers = await connected.expose.list_workers()
    return [
        *("/", "/queues", "/queues/default", "/tasks", "/workers"),
        *(f"/tasks/{task.id}" for task in tasks),
        *(f"/workers/{worker.boot}" for worker in workers),
    ]


async def test_every_page_is_served_with_tasks_in_every_state(client: httpx2.AsyncClient, connected: Connected) -> None:
    for path in await pages_of(connected):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        ids = ids_in(answer.text)
        assert len(ids) == len(set(ids)), f"{path} has an id twice: {sorted(id for id in ids if ids.count(id) > 1)}"
        check_harmless(answer.text)


@pytest.mark.parametrize("path", ["/", "/queues", "/tasks", "/workers", "/tasks?status=Done&queue=none&text=x"])
async def test_every_page_is_served_while_nothing_is_stored(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


async def test_numbers_and_words_that_are_not_plain_say_what_they_mean(client: httpx2.AsyncClient, connected: Connected) -> None:
    await task_in(connected, Status.FAILED, priority=10)
    await push(connected, priority=-3)
    page = (await client.get("/tasks")).text
    assert 'title="2 unfinished">2<span class="visually-hidden"> unfinished</span>' in page
    assert "▲10<" in page and "▼3<" in page and 'title="Priority -3: higher runs first"' in page
    assert re.search(r'title="[^"]*the API and the command line call it Failed">.*Retrying', page)


async def test_every_command_that_a_page_offers_is_one(client: httpx2.AsyncClient, connected: Connected) -> None:
    pages = [(await client.get(path)).text for path in ("/", "/queues", "/tasks", "/workers")]
    await push(connected, queue="mail")
    pages += [(await client.get(path)).text for path in ("/", "/queues/mail")]
    offered = {unescape(line) for page in pages for line in re.findall(r"<pre[^>]* data-copy>(prinia [^<]*)</pre>", page)}
    assert {line.split()[1] for line in offered} == {"push", "worker"}
    for line in offered:
        make_parser().parse_args(shlex.split(line)[1:])  # exits for what is no command
        if "push" in line:
            assert json.loads(shlex.split(line)[4]) == {"user_id": 42}
        assert "sqlite" not in line, "whatever the store is"


async def test_a_page_contains_each_of_its_fragments_byte_for_byte(client: httpx2.AsyncClient, connected: Connected) -> None:
    for path in await pages_of(connected):
        page = (await client.get(path)).text
        wanted = [id for id in ids_in(page) if re.match(r"(overview|queues?|tasks|task|workers?)-", id)]
        alone = 0
        for id in wanted:
            part = await client.get(path, headers={**HTMX, "HX-Target": id})
            assert part.text in page, (path, id)
            alone += part.text != page
        assert alone >= 1, path


@pytest.mark.parametrize("target", ["nothing-of-ours", '"><script>', "board_status", "../../etc/passwd", ""])
async def test_a_hostile_target_gets_the_whole_page(client: httpx2.AsyncClient, target: str) -> None:
    answer = await client.get("/tasks", headers={**HTMX, "HX-Target": target})
    assert answer.text.startswith("<!doctype html>")
    assert {"HX-Request", "HX-Target"} <= {word.strip() for word in answer.headers["vary"].split(",")}


@pytest.mark.parametrize("queue", HOSTILE_QUEUES)
async def test_any_queue_name_works_in_every_address(client: httpx2.AsyncClient, connected: Connected, queue: str) -> None:
    task = await push(connected, queue=queue)
    assert f'href="/queues/{escape(segment(queue))}"' in (await client.get("/queues")).text
    shown = await client.get(f"/queues/{segment(queue)}")
    assert shown.status_code == 200 and task.id in shown.text
    check_harmless(shown.text)
    filtered = await client.get("/tasks", params={"queue": queue})
    assert task.id in filtered.text
    assert (await client.get(f"/api/v1/queues/{segment(queue)}/tasks/{task.id}")).json()["parts"]["task_id"] == task.id


@pytest.mark.parametrize("id", ["a/b", "..", "rows", "retry", '"><b>', "ä %", "x" * 200])
async def test_any_task_id_works_in_every_address(client: httpx2.AsyncClient, connected: Connected, id: str) -> None:
    await push(connected, id=id)
    page = await client.get(f"/tasks/{segment(id)}")
    assert page.status_code == 200
    assert str(escape(id)) in page.text
    row = await client.get("/tasks/rows", params={"id": id})
    assert ids_in(row.text)[0] == dom_id("task", id)


async def test_hostile_words_stay_words_on_every_page(client: httpx2.AsyncClient, connected: Connected) -> None:
    boot = await registered(connected, HOSTILE[:60], queues=(HOSTILE[:60],), host=HOSTILE, version=HOSTILE, middleware=(HOSTILE,))
    task = await push(
        connected,
        name=HOSTILE,
        queue=HOSTILE[:60],
        args=b'{"k": "<script>alert(1)</script></pre>"}',
        tags=(HOSTILE,),
        key=HOSTILE,
        metadata={"k": HOSTILE},
    )
    await connected.expose.pause(task.queue, actor=Actor(name=HOSTILE, reason=HOSTILE))
    for path in ("/", "/queues", f"/queues/{segment(task.queue)}", "/tasks", f"/tasks/{task.id}", "/workers", f"/workers/{boot}"):
        answer = await client.get(path)
        assert answer.status_code == 200
        check_harmless(answer.text)
        assert "<img src=x" not in answer.text


PAYLOADS = {
    "nul": (b'{"a":"x\\u0000y"}', "␀"),
    "raw nul": (b"\x00\x01\xff", "␀"),
    "not json": (b"{broken", "{broken"),
    "not text": (b"\xff\xfe\xfd", "\\xff"),
    "surrogate": (b'{"a":"\\ud800"}', "d800"),
    "direction": ('{"a":"\u202egnp"}'.encode(), "⟨U+202E⟩"),
    "big number": (b'{"a":123456789012345678901234567890}', "123456789012345678901234567890"),
    "deep": (b"[" * 5_000 + b"]" * 5_000, "[["),
    "empty": (b"", "Arguments"),
}


@pytest.mark.parametrize("kind", PAYLOADS)
async def test_any_payload_is_shown_safely(client: httpx2.AsyncClient, connected: Connected, kind: str) -> None:
    data, shown = PAYLOADS[kind]
    task = await push(connected, args=data)
    page = await client.get(f"/tasks/{task.id}")
    assert page.status_code == 200 and shown in page.text
    assert "\x00" not in page.text and "\u202e" not in page.text
    raw = await client.get(f"/tasks/{task.id}/arguments")
    assert raw.status_code == 200 and raw.headers["content-type"].startswith("text/plain")
    assert (await client.get(f"/api/v1/tasks/{task.id}")).status_code == 200
    assert (await client.get("/api/v1/tasks")).status_code == 200


async def test_a_megabyte_of_arguments_is_cut_and_can_be_read_whole(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected, args=b'{"text":"' + b"x" * 1_000_000 + b'"}')
    page = await client.get(f"/tasks/{task.id}")
    assert len(page.text) < 100_000
    assert f'href="/tasks/{task.id}/arguments"' in page.text
    assert (await client.get(f"/tasks/{task.id}/arguments")).text.count("x") >= 1_000_000


async def test_the_checkpoint_of_a_task_is_shown_and_can_be_read_whole(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await task_in(connected, Status.RUNNING)
    assert "Checkpoint" not in (await client.get(f"/tasks/{task.id}")).text
    assert (await client.get(f"/tasks/{task.id}/checkpoint")).status_code == 404
    [lease] = await connected.backend.leases(task.boot)
    await connected.backend.checkpoint(lease, b'{"page":"<b>17</b>"}')
    page = (await client.get(f"/tasks/{task.id}")).text
    assert "Checkpoint" in page
    assert "&lt;b&gt;17" in page
    assert (await client.get(f"/tasks/{task.id}/checkpoint")).json() == {"page": "<b>17</b>"}


def log_line(number: int, message: str, level: int = 20) -> LogLine:
    return LogLine(number=number, at=datetime.now(UTC), level=level, logger="shop", message=message)


async def test_the_log_of_a_task_is_shown_cut_and_harmless(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await task_in(connected, Status.RUNNING)
    assert "Nothing was logged." in (await client.get(f"/tasks/{task.id}")).text
    [lease] = await connected.backend.leases(task.boot)
    await connected.backend.log([(lease, log_line(1, "<script>alert(1)</script> \x1b[31m"))])
    page = (await client.get(f"/tasks/{task.id}")).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script>alert" not in page and "\x1b" not in page
    assert 'data-level="info"' in page
    lines = [log_line(2, "x" * 10_000, 40), *(log_line(number, f"line {number}") for number in range(3, 101))]
    await connected.backend.log([(lease, line) for line in lines])
    page = (await client.get(f"/tasks/{task.id}")).text
    assert "x" * 2_000 + " …" in page and "x" * 2_001 not in page
    assert page.index("line 3<") < page.index("line 100<")
    await connected.backend.log([(lease, log_line(101, "one more", 30))])
    page = (await client.get(f"/tasks/{task.id}")).text
    assert "The latest 100 lines are shown." in page and "script&gt;" not in page
    assert f"prinia tasks logs {task.id}" in page


async def test_a_log_grows_on_an_open_page(connected: Connected) -> None:
    task = await task_in(connected, Status.RUNNING)
    [lease] = await connected.backend.leases(task.boot)
    async with reading(Board(connected.expose), "/live", f"view=/tasks/{task.id}") as reader:
        await connected.backend.log([(lease, log_line(1, "as it comes"))])
        assert 'id="task-log"' in await reader.until("as it comes")


async def test_the_error_of_each_attempt_is_shown_with_its_traceback(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await task_in(connected, Status.FAILED)
    page = (await client.get(f"/tasks/{task.id}")).text
    assert str(escape(BOOM.line)) in page and "Traceback (most recent call last)" in page and "<details" in page


async def test_a_task_says_why_it_waits(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected, run_after=600.0)
    await connected.expose.pause(task.queue, actor=Actor(name="ana", reason="maintenance"))
    page = (await client.get(f"/tasks/{task.id}")).text
    assert "It is scheduled for later." in page
    assert "Its queue is paused by ana" in page and "maintenance" in page
    assert "No live worker serves queue default." in page


async def test_a_task_that_limits_hold_back_says_which(client: httpx2.AsyncClient, connected: Connected) -> None:
    limits = Limits(concurrency=1, rate=Rate(1, per=60), group_concurrency=1, group_rate=Rate(3, per=60))
    await connected.backend.declare(QueueName("default"), limits)
    first, second = await push(connected, group="ada & co"), await push(connected, group="ada & co")
    page = (await client.get(f"/tasks/{second.id}")).text
    assert "Of its queue 0 are under way, and at most 1 may be at once." in page
    worker = registration()
    await connected.backend.register(worker)
    await connected.backend.claim(worker.boot, [QueueName("default")], names=None, limit=1, start=1)
    page = (await client.get(f"/tasks/{second.id}")).text
    reasons = [sentence for sentence in re.findall(r'<li data-status="warn">.*?</li>', page, re.DOTALL) if "Of its" in sentence]
    assert ["queue 1 is under way" in reasons[0], "queue 1 started within 60 s" in reasons[1], "group ada &amp; co 1 is" in reasons[2]] == [True] * 3
    assert "Of its group ada &amp; co 1 started within 60 s, and at most 3 may." in page and len(reasons) == 3
    assert ">Group<" in page
    assert first.id != second.id


async def test_a_task_of_an_ordered_group_says_behind_which_it_is(client: httpx2.AsyncClient, connected: Connected) -> None:
    await connected.backend.declare(QueueName("default"), Limits(ordered=True))
    first, second = await push(connected, group="a", run_after=600.0), await push(connected, group="a")
    page = (await client.get(f"/tasks/{second.id}")).text
    assert f'<a href="/tasks/{first.id}">The tasks of its group a run in order, and an earlier one has not ended.</a>' in page
    assert "It is the first of its group a, whose tasks run in order." in (await client.get(f"/tasks/{first.id}")).text


async def test_a_queue_that_nobody_serves_says_so(client: httpx2.AsyncClient, connected: Connected) -> None:
    await push(connected, queue="lonely")
    for path in ("/", "/queues", "/queues/lonely"):
        assert "No live worker serves" in (await client.get(path)).text


# --- lists -----------------------------------------------------------------------------------------------------


async def test_pages_of_a_list_lead_through_all_tasks_and_back(client: httpx2.AsyncClient, connected: Connected) -> None:
    pushed = {(await push(connected)).id for _ in range(120)}
    seen: list[str] = []
    path: str | None = "/tasks"
    while path:
        page = (await client.get(path)).text
        seen += re.findall(r'data-id="([^"]+)"', page)
        older = re.search(r'href="([^"]*start=[^"]*)"[^>]*>[^<]*(?:<[^>]*>)*\s*Older', page)
        path = older[1].replace("&amp;", "&") if older else None
    assert len(seen) == len(set(seen)) and set(seen) == pushed


async def test_the_filter_stays_in_links_to_other_pages_and_states(client: httpx2.AsyncClient, connected: Connected) -> None:
    for _ in range(60):
        await push(connected, queue="mail")
    page = (await client.get("/tasks", params={"queue": "mail", "status": "Pending"})).text
    assert re.search(r'href="/tasks\?[^"]*queue=mail[^"]*start=', page)
    assert 'href="/tasks?status=Killed&amp;queue=mail"' in page


async def test_numbers_on_the_chips_are_exact(client: httpx2.AsyncClient, connected: Connected) -> None:
    for status in Status:
        await task_in(connected, status)
    chips = (await client.get("/tasks", headers={**HTMX, "HX-Target": "tasks-chips"})).text
    assert re.findall(r">\s*(\d+)\s*<", chips) == ["6", "1", "1", "1", "1", "1", "1"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/tasks?status=Nope", "status must be one of Pending, Queued, Running, Done, Failed, Killed, got Nope."),
        ("/tasks?start=garbage", "garbage"),
        (f"/tasks?text={'x' * 300}", "text must have at most 200 characters, got 300"),
    ],
)
async def test_bad_input_gets_a_sentence_and_a_way_back(client: httpx2.AsyncClient, path: str, sentence: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 422 and sentence in answer.text
    assert 'href="/"' in answer.text


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://localhost/queues/mail?status=Pending", "/queues/mail?status=Pending"),
        ("", "/tasks"),
        ("http://localhost//evil.example", "/tasks"),
        ("http://evil.example/\\\\x", "/tasks"),
    ],
)
async def test_rows_that_are_asked_for_again_lead_back_to_the_page_that_asks(
    client: httpx2.AsyncClient, connected: Connected, referer: str, back: str
) -> None:
    task = await push(connected, queue="mail")
    row = await client.get("/tasks/rows", params={"id": task.id}, headers={**HTMX, "Referer": referer})
    page = await client.get(back)
    assert row.text in page.text


async def test_the_times_of_a_task_add_up(connected: Connected) -> None:
    task = await task_in(connected, Status.KILLED)
    shown = phases(task, await connected.expose.attempts(task.id), [], await connected.expose.now())
    assert [phase.kind for phase in shown][-1] == "ran" and shown[-1].outcome == "failed" and shown[-1].seconds == 0.5
    assert abs(sum(phase.width for phase in shown) - 100) < 0.1
    assert all(abs(before.x + before.width - after.x) < 0.1 for before, after in itertools.pairwise(shown))


async def kinds_of(connected: Connected, id: Any) -> list[str]:
    store = connected.expose
    shown = phases(await fetch(connected, id), await store.attempts(id), await store.list_audit(task=id), await store.now())
    return [phase.kind for phase in shown]


async def passing(connected: Connected, seconds: float) -> None:
    """Wait until the store's clock is so much further."""
    until = await connected.expose.now() + timedelta(seconds=seconds)

    async def reached() -> bool:
        return await connected.expose.now() > until

    await eventually(reached)


async def test_the_time_in_which_a_task_was_killed_is_not_booked_as_waiting(connected: Connected) -> None:
    store, olga = connected.expose, Actor(name="olga")
    task = await push(connected)
    await passing(connected, 0.02)
    await store.kill([task.id], actor=olga)
    assert await kinds_of(connected, task.id) == ["waited"]
    await passing(connected, 0.02)
    await store.retry([task.id], actor=olga)
    assert await kinds_of(connected, task.id) == ["waited", "ended", "waited"]
    boot = await registered(connected)
    await passing(connected, 0.02)
    await connected.backend.claim(boot, ["default"], names=None, limit=1, start=1)
    assert await kinds_of(connected, task.id) == ["waited", "ended", "waited", "ran"]


async def test_a_task_that_its_last_attempt_killed_waits_for_nobody_after_it(connected: Connected) -> None:
    task = await task_in(connected, Status.KILLED)
    [attempt] = await connected.expose.attempts(task.id)
    assert attempt.started_at is not None
    stored = attempt.started_at + timedelta(seconds=1)
    shown = phases(replace(task, done_at=stored), [replace(attempt, finished_at=stored, ran_for=0.2)], [], stored)
    assert [phase.kind for phase in shown][-1] == "ran"


async def test_a_task_that_was_killed_between_attempts_waited_for_the_next_one(connected: Connected) -> None:
    task = await task_in(connected, Status.FAILED)
    await passing(connected, 0.6)  # the attempt says that it ran for half a second
    await connected.expose.kill([task.id], actor=Actor(name="olga"))
    assert (await kinds_of(connected, task.id))[-2:] == ["ran", "backoff"]


async def test_a_task_that_is_not_due_shows_no_wait_for_a_worker(connected: Connected) -> None:
    task = await push(connected, run_after=600.0)
    assert [phase.kind for phase in phases(task, [], [], await connected.expose.now())] == ["scheduled"]


# --- when something is wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nope", "/tasks/none", "/queues/none", "/workers/none", "/tasks/none/arguments", "/queues/a/b/c", "/tasks/a/b/c"])
async def test_what_is_not_there_gets_a_page_in_words(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.text.startswith("<!doctype html>") and "Not found" in answer.text


async def test_a_wrong_method_gets_a_page_in_words(client: httpx2.AsyncClient) -> None:
    answer = await client.put("/tasks")
    assert answer.status_code == 405 and "wrong HTTP method" in answer.text


async def test_an_unavailable_store_gets_a_page_that_tries_again(
    client: httpx2.AsyncClient, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(connected.expose, "list_tasks", unavailable)
    answer = await client.get("/tasks")
    assert answer.status_code == 503 and "The disk is full." in answer.text
    assert answer.headers["refresh"] == "5"


async def test_an_action_on_an_unavailable_store_is_not_said_to_be_tried_again(
    client: httpx2.AsyncClient, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("The disk is full.")

    await push(connected)
    monkeypatch.setattr(connected.expose, "pause", unavailable)
    whole = await post(client, "/queues/default/pause", {"back": "/queues/default"})
    assert whole.status_code == 503 and "The disk is full." in whole.text
    assert "refresh" not in whole.headers, "a page that was posted cannot be asked for"
    part = await post(client, "/queues/default/pause", {"back": "/queues/default"}, HTMX)
    for answer in (whole, part):
        assert "by itself" not in answer.text and "Look whether it was done" in answer.text


async def test_a_store_that_only_its_operator_can_mend_is_unavailable_not_asked_for_wrongly(
    client: httpx2.AsyncClient, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused() -> None:
        raise InvalidValue("The role lacks a permission.")

    monkeypatch.setattr(connected.expose, "open", refused)
    for path in ("/tasks", "/api/v1/workers"):
        answer = await client.get(path)
        assert answer.status_code == 503 and "The role lacks a permission." in answer.text
    assert (await client.get("/healthz")).status_code == 503


async def test_the_rail_says_where_the_store_is_without_scheme_and_user(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(connected.expose), "location", "postgresql://clerk@db.example.com:5432/shop?schema=mail")
    async with client_of(Board(connected.expose)) as client:
        page = (await client.get("/")).text
    assert "db.example.com:5432<wbr>/shop<wbr>?schema=mail" in page and "clerk" not in page


async def test_a_worker_is_of_a_kind_of_store_not_of_a_class(client: httpx2.AsyncClient, connected: Connected) -> None:
    boot = await registered(connected, queues=("default",))
    page = (await client.get(f"/workers/{boot}")).text
    assert connected.expose.kind in page.partition("<dl")[2] and "Backend" not in page


async def test_what_a_worker_runs_is_not_confused_with_what_it_last_said(client: httpx2.AsyncClient, connected: Connected) -> None:
    """Its heartbeat comes seconds later."""
    task = await task_in(connected, Status.RUNNING)
    page = (await client.get(f"/workers/{task.boot}")).text
    assert "It runs 1 task and has 4 slots." in page
    assert re.search(r'0 of 4</span>\s*<span class="stat-more">when last heard', page)
    for path in ("/", "/workers", f"/queues/{task.queue}"):
        assert "In use when heard" in (await client.get(path)).text, path


async def test_each_name_of_lost_workers_is_said_once(client: httpx2.AsyncClient, connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    await registered(connected, "ada")
    [ada] = await connected.expose.list_workers()
    lost = [replace(ada, name=name, state=WorkerState.LOST) for name in ("ada", "grace", "ada")]

    async def crew(*_: Any, **__: Any) -> Any:
        return lost

    monkeypatch.setattr(connected.expose, "list_workers", crew)
    assert "3 workers were lost in the last hour: ada, grace." in (await client.get("/")).text


async def test_an_error_of_the_board_never_shows_a_traceback(
    client: httpx2.AsyncClient, connected: Connected, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(connected.expose, "list_tasks", broken)
    answer = await client.get("/tasks")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text and "secret detail" not in answer.text and "secret detail" in caplog.text


async def test_a_question_that_takes_too_long_is_given_up(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(60)

    board = Board(connected.expose)
    for site in board._sites:
        site.settings = replace(site.settings, time_limit=0.05)
    monkeypatch.setattr(connected.expose, "list_tasks", slow)
    async with client_of(board) as client:
        answer = await client.get("/tasks")
    assert answer.status_code == 503 and "took too long" in answer.text
