"""Actions: each says what it will touch before, and what it did after; with and without JavaScript."""

import re
from typing import Any

import httpx2
import pytest

from board import Board
from board.urls import segment
from queue_core.expose import Action, Actor, Connected, Status
from tests.board.helpers import HTMX, client_of, fetch, ids_in, post, push, task_in

ALLOWED = {
    "retry": {Status.FAILED, Status.KILLED, Status.DONE},
    "kill": {Status.PENDING, Status.FAILED, Status.QUEUED, Status.RUNNING},
    "run-now": {Status.PENDING, Status.FAILED},
    "delete": {Status.DONE, Status.KILLED},
}
AFTER = {"retry": Status.PENDING, "kill": Status.KILLED}


def notices_in(html: str) -> list[str]:
    return re.findall(r'id="(notice-[0-9a-f]+)"', html)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("verb", list(ALLOWED))
async def test_every_action_in_every_state_does_it_or_says_why_not(
    client: httpx2.AsyncClient, connected: Connected, verb: str, status: Status
) -> None:
    task = await task_in(connected, status)
    answer = await post(client, f"/tasks/{verb}", {"id": task.id, "back": "/tasks", "confirmed": "yes"}, HTMX)
    assert answer.status_code == 200 and answer.headers["prinia-patch"] == "true"
    assert len(notices_in(answer.text)) == 1
    after = await connected.expose.fetch(task.id)
    if status not in ALLOWED[verb]:
        assert after is not None and after.status is status
        assert "left 1 task alone" in answer.text
    elif verb == "delete":
        assert after is None and "data-gone" in answer.text
    elif verb == "kill" and status is Status.RUNNING:
        assert after is not None and after.kill_requested_at is not None
    else:
        assert after is not None and after.status is AFTER.get(verb, status)


@pytest.mark.parametrize("status", list(Status))
async def test_buttons_offer_exactly_what_the_state_allows(client: httpx2.AsyncClient, connected: Connected, status: Status) -> None:
    task = await task_in(connected, status)
    page = (await client.get(f"/tasks/{task.id}")).text
    assert {verb for verb in ALLOWED if f"/tasks/{verb}" in page} == {verb for verb, states in ALLOWED.items() if status in states}


@pytest.mark.parametrize(("verb", "number"), [("kill", 1), ("delete", 1), ("retry", 2), ("run-now", 2)])
@pytest.mark.parametrize("htmx", [True, False])
async def test_what_destroys_or_touches_many_asks_first_and_changes_nothing(
    client: httpx2.AsyncClient, connected: Connected, verb: str, number: int, htmx: bool
) -> None:
    status = sorted(ALLOWED[verb])[0]
    tasks = [await task_in(connected, status) for _ in range(number)]
    fields = {"id": [task.id for task in tasks], "back": "/tasks"}
    answer = await post(client, f"/tasks/{verb}", fields, HTMX if htmx else None)
    assert answer.status_code == 200
    assert (ids_in(answer.text)[0] == "dialog-body") is htmx
    assert 'name="confirmed" value="yes"' in answer.text
    assert all(task.id in answer.text for task in tasks)
    assert [(await fetch(connected, task.id)).status for task in tasks] == [status] * number


async def test_a_confirmation_says_what_is_skipped_and_why(client: httpx2.AsyncClient, connected: Connected) -> None:
    done, pending = await task_in(connected, Status.DONE), await push(connected)
    answer = await post(client, "/tasks/kill", {"id": [done.id, pending.id, "unknown"]}, HTMX)
    assert "Kill 1 task?" in answer.text
    assert "It is Done; only a task that is" in answer.text
    assert "It is not stored any more." in answer.text


async def test_a_confirmation_without_anything_to_do_cannot_be_confirmed(client: httpx2.AsyncClient, connected: Connected) -> None:
    done = await task_in(connected, Status.DONE)
    answer = await post(client, "/tasks/kill", {"id": done.id}, HTMX)
    assert "Nothing to do" in answer.text and 'name="confirmed"' not in answer.text


async def test_without_javascript_the_person_returns_with_a_notice(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await task_in(connected, Status.KILLED)
    answer = await post(client, "/tasks/retry", {"id": task.id, "back": "/tasks?status=Killed"})
    assert answer.status_code == 303
    assert re.fullmatch(r"/tasks\?status=Killed&said=[\w-]+", answer.headers["location"])
    assert "Retried 1 task: Pending again and due now." in (await client.get(answer.headers["location"])).text


async def test_after_deleting_the_task_of_a_page_the_person_returns_to_the_list(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await task_in(connected, Status.DONE)
    answer = await post(client, "/tasks/delete", {"id": task.id, "back": f"/tasks/{task.id}", "confirmed": "yes"})
    assert answer.headers["location"].startswith("/tasks?said=")


async def test_a_row_button_acts_on_its_row_and_not_on_the_ticked_ones(client: httpx2.AsyncClient, connected: Connected) -> None:
    ticked, mine = await task_in(connected, Status.KILLED), await task_in(connected, Status.KILLED)
    await post(client, "/tasks/retry", {"id": ticked.id, "only": mine.id})
    assert (await fetch(connected, mine.id)).status is Status.PENDING
    assert (await fetch(connected, ticked.id)).status is Status.KILLED


async def test_the_answer_on_a_tasks_page_brings_that_page_up_to_date(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await task_in(connected, Status.KILLED)
    answer = await post(client, "/tasks/retry", {"id": task.id, "back": f"/tasks/{task.id}"}, HTMX)
    assert {"task-head", "task-why", "task-audit"} <= set(ids_in(answer.text))
    assert "retried it" in answer.text


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "\\evil", "/\\evil", "javascript:alert(1)", "/a\r\nSet-Cookie: x=1"])
async def test_nobody_is_sent_to_another_site(client: httpx2.AsyncClient, connected: Connected, back: str) -> None:
    task = await task_in(connected, Status.KILLED)
    answer = await post(client, "/tasks/retry", {"id": task.id, "back": back})
    assert answer.status_code == 422 and "location" not in answer.headers
    assert (await fetch(connected, task.id)).status is Status.KILLED


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "No task is chosen."),
        ({"id": ["x" + str(n) for n in range(1_001)]}, "At most 1,000 tasks can be chosen at once, got 1,001."),
        ({"id": "a", "reason": "x" * 501, "confirmed": "yes"}, "reason must have at most 500 characters"),
    ],
)
async def test_a_form_that_cannot_be_meant_gets_a_sentence(client: httpx2.AsyncClient, fields: dict[str, Any], sentence: str) -> None:
    answer = await post(client, "/tasks/retry", fields)
    assert answer.status_code == 422 and sentence in answer.text
    quick = await post(client, "/tasks/retry", fields, HTMX)
    assert quick.status_code == 422 and len(notices_in(quick.text)) == 1


async def test_an_action_that_does_not_exist_is_not_found(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected)
    assert (await post(client, "/tasks/explode", {"id": task.id})).status_code == 404


@pytest.mark.parametrize("queue", ["mail", "a/b %"])
async def test_a_queue_is_paused_and_resumed(client: httpx2.AsyncClient, connected: Connected, queue: str) -> None:
    await push(connected, queue=queue)
    path = f"/queues/{segment(queue)}"
    answer = await post(client, f"{path}/pause", {"back": path, "reason": "maintenance"}, HTMX)
    assert "Paused queue" in answer.text and "queue-head" in ids_in(answer.text)
    info = await connected.expose.fetch_queue(queue)  # type: ignore[arg-type]
    assert info is not None and info.pause is not None and info.pause.by == "local" and info.pause.reason == "maintenance"
    assert "was paused already, by local" in (await post(client, f"{path}/pause", {"back": path}, HTMX)).text
    answer = await post(client, f"{path}/resume", {"back": path})
    assert answer.status_code == 303 and "Resumed queue" in (await client.get(answer.headers["location"])).text
    assert "was not paused" in (await post(client, f"{path}/resume", {"back": path}, HTMX)).text


async def test_a_queue_that_nobody_named_cannot_be_paused(client: httpx2.AsyncClient) -> None:
    assert (await post(client, "/queues/none/pause", {})).status_code == 404


async def test_who_did_it_and_why_is_kept(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected)
    await post(client, "/tasks/kill", {"id": task.id, "confirmed": "yes", "reason": "it was wrong"})
    [entry] = await connected.expose.list_audit(task=task.id)
    assert (entry.actor, entry.action, entry.reason) == ("local", Action.KILL, "it was wrong")


async def test_the_hosts_user_is_the_actor(connected: Connected) -> None:
    class Anna:
        is_authenticated = True
        display_name = "anna"

    board = Board(connected.expose)

    async def hosted(scope: Any, receive: Any, send: Any) -> None:
        await board({**scope, "user": Anna()}, receive, send)

    task = await push(connected)
    async with client_of(hosted) as client:
        await post(client, "/tasks/kill", {"id": task.id, "confirmed": "yes"})
    assert (await connected.expose.list_audit())[0].actor == "anna"


async def test_a_queue_page_shows_who_paused_it(client: httpx2.AsyncClient, connected: Connected) -> None:
    await push(connected, queue="mail")
    await connected.expose.pause("mail", actor=Actor(name="ana", reason="maintenance"))  # type: ignore[arg-type]
    page = (await client.get("/queues/mail")).text
    assert "ana" in page and "/queues/mail/resume" in page and "/queues/mail/pause" not in page


async def test_the_kill_of_a_running_task_is_told_as_what_it_is(client: httpx2.AsyncClient, connected: Connected) -> None:
    running, pending = await task_in(connected, Status.RUNNING), await push(connected)
    answer = await post(client, "/tasks/kill", {"id": [running.id, pending.id], "confirmed": "yes"}, HTMX)
    assert "Killed 1 task and asked the workers of 1 running task to stop it." in answer.text
