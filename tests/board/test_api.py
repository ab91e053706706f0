"""The JSON API: the seed board's routes and shapes, errors as sentences, and Prinia's own routes."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from board import Board
from queue_core.conformance.helpers import registered, running
from queue_core.expose import Actor, Connected, Status, TaskId
from queue_core.logs import LogLine
from tests.board.helpers import ORIGIN, client_of, fetch, push, reading, task_in

V1 = "/api/v1"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

CONTEXT = {"max_attempts", "last_result", "lock_at", "lock_by", "done_at", "priority", "queue", "meta", "_pool"}


async def get(client: httpx2.AsyncClient, path: str) -> Any:
    answer = await client.get(V1 + path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_task_has_the_seeds_shape(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected, args=b'{"n":[1,2.5,null]}', queue="mail", priority=3, metadata={"trace": "x"})
    [shown] = await get(client, "/queues/mail/tasks")
    parts = shown["parts"]
    assert shown["args"] == {"n": [1, 2.5, None]}
    assert (parts["task_id"], parts["attempt"], parts["status"]) == (task.id, 0, "Pending")
    assert parts["run_at"] == int(task.run_at.timestamp())
    assert set(parts["ctx"]) == CONTEXT
    assert (parts["ctx"]["queue"], parts["ctx"]["priority"], parts["ctx"]["meta"], parts["ctx"]["_pool"]) == ("mail", 3, {"trace": "x"}, None)
    assert await get(client, f"/queues/mail/tasks/{task.id}") == shown


async def test_a_finished_task_has_its_result_and_times(client: httpx2.AsyncClient, connected: Connected) -> None:
    done, killed = await task_in(connected, Status.DONE), await task_in(connected, Status.KILLED)
    context = (await get(client, f"/tasks/{done.id}"))["parts"]["ctx"]
    assert context["last_result"] == "fine" and isinstance(context["done_at"], int)
    assert (await get(client, f"/tasks/{killed.id}"))["parts"]["ctx"]["last_result"] == {"Err": "ValueError: boom <b>"}
    [attempt] = await get(client, f"/tasks/{killed.id}/attempts")
    assert attempt["outcome"] == "failed" and attempt["error"]["traceback"].startswith("Traceback")


async def test_queues_workers_and_statistics_have_the_seeds_shapes(client: httpx2.AsyncClient, connected: Connected) -> None:
    await registered(connected, "w-1", queues=("mail", "etl"), middleware=("Timeout", "Retry"))
    await push(connected, queue="mail")
    queues = {queue["name"]: queue for queue in await get(client, "/queues")}
    assert set(queues) == {"mail", "etl"} and queues["mail"]["workers"] == ["w-1"] and len(queues["mail"]["activity"]) == 7
    lines = await get(client, "/workers")
    assert [(line["id"], line["queue"], line["layers"]) for line in lines] == [("w-1", "mail", "Timeout, Retry"), ("w-1", "etl", "Timeout, Retry")]
    assert all(isinstance(line[name], int) for line in lines for name in ("started_at", "last_heartbeat"))
    assert [line["queue"] for line in await get(client, "/queues/etl/workers")] == ["etl"]
    for path in ("/overview", "/queues/mail/stats"):
        for statistic in await get(client, path):
            assert {"title", "stat_type", "value", "priority"} == set(statistic)
            assert statistic["stat_type"] in {"Number", "Decimal", "Percentage", "Timestamp"} and isinstance(statistic["value"], str)


async def test_status_is_pending_unless_said_otherwise(client: httpx2.AsyncClient, connected: Connected) -> None:
    tasks = {status: await task_in(connected, status) for status in Status}
    assert [task["parts"]["task_id"] for task in await get(client, "/tasks")] == [tasks[Status.PENDING].id]
    for status in Status:
        assert [task["parts"]["task_id"] for task in await get(client, f"/tasks?status={status.value}")] == [tasks[status].id]
    assert len(await get(client, "/tasks?status=all")) == len(Status)


async def test_pages_by_number_and_by_cursor_hold_the_same(client: httpx2.AsyncClient, connected: Connected) -> None:
    pushed = [(await push(connected)).id for _ in range(25)][::-1]
    numbered = [task["parts"]["task_id"] for page in (1, 2, 3, 4) for task in await get(client, f"/tasks?page={page}&page_size=10")]
    assert numbered == pushed
    followed, path = [], f"{V1}/tasks?page_size=10"
    while path:
        answer = await client.get(path)
        followed += [task["parts"]["task_id"] for task in answer.json()]
        path = answer.links.get("next", {}).get("url", "")
    assert followed == pushed


async def test_tasks_are_filtered_by_queue_name_and_text(client: httpx2.AsyncClient, connected: Connected) -> None:
    mail = await push(connected, "send", queue="mail", args=b'{"to":"ana"}')
    etl = await push(connected, "load", queue="etl", args=b'{"file":"ana.csv"}')
    for query, expected in {
        "queue=mail": [mail.id],
        "queue=nosuch": [],
        "name=load": [etl.id],
        "name=loa": [],
        "text=ANA": [etl.id, mail.id],
        "text=ana&queue=etl&name=load": [etl.id],
        "text=ana&page=2&page_size=1": [mail.id],
        "text=ana&page=3&page_size=1": [],
    }.items():
        assert [task["parts"]["task_id"] for task in await get(client, f"/tasks?{query}")] == expected, query
    assert await get(client, "/queues/mail/tasks?name=load") == []
    answer = await client.get(f"{V1}/tasks?text=ana&page_size=1")
    assert [task["parts"]["task_id"] for task in (await client.get(answer.links["next"]["url"])).json()] == [mail.id]


async def test_no_route_ignores_a_parameter_that_it_does_not_have(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected, queue="mail")
    document = (await client.get(f"{V1}/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method in methods:
            address = path.format(queue="mail", id=task.id, verb="kill")
            answer = await client.request(method, f"{V1}{address}?bogus=1", json={"ids": [task.id]})
            assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json", path
            assert "bogus" in answer.json()["detail"], path
    assert (await fetch(connected, task.id)).status is Status.PENDING


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/tasks?limit=5", "The query parameters of GET /tasks are queue, status, name, text, page, page_size, cursor, got limit."),
        ("/queues?bogus=1&x=2&bogus=3", "GET /queues takes no query parameters, got bogus, x."),
        ("/tasks?queue=" + "x" * 300, "queue must have at most 200 characters"),
        ("/tasks?page=0", "page must be a whole number from 1"),
        ("/tasks?page=-1", "page must be"),
        ("/tasks?page=x", "page must be"),
        ("/tasks?page=١", "page must be"),
        ("/tasks?page_size=0", "page_size must be a whole number from 1 to 1,000, got 0."),
        ("/tasks?page_size=100000", "page_size must be"),
        ("/tasks?page_size=99999999999999999999999", "page_size must be"),
        ("/tasks?page=1001&page_size=10", "Go on by the cursor parameter"),
        ("/tasks?status=Nope", "status must be one of Pending, Queued, Running, Done, Failed, Killed, got Nope."),
        ("/tasks?cursor=garbage", "garbage"),
        ("/audit?limit=0", "limit must be"),
        ("/tasks/ID/logs?attempt=0", "attempt must be a whole number from 1"),
        ("/tasks/ID/logs?level=loud", "level must be debug, info, warning, error or critical, got loud."),
        ("/tasks/ID/logs?page_size=1001", "page_size must be a whole number from 1 to 1,000"),
        ("/tasks/ID/logs?cursor=garbage", "garbage"),
    ],
)
async def test_what_cannot_be_meant_gets_a_sentence(client: httpx2.AsyncClient, connected: Connected, path: str, sentence: str) -> None:
    answer = await client.get(V1 + path.replace("ID", (await push(connected)).id))
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert sentence in problem["detail"] and problem["message"] == problem["detail"] and problem["status"] == 422 and "type" in problem


@pytest.mark.parametrize(
    "path",
    ["/nope", "/tasks/none", "/queues/none/tasks", "/queues/none/workers", "/queues/none/stats", "/tasks/none/attempts", "/tasks/none/logs", ""],
)
async def test_what_is_not_there_is_a_problem_of_404(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(V1 + path)
    assert answer.status_code == 404 and answer.headers["content-type"] == "application/problem+json" and answer.json()["message"]


async def test_a_task_is_found_in_its_own_queue_only(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected, queue="mail")
    await push(connected, queue="etl")
    answer = await client.get(f"{V1}/queues/etl/tasks/{task.id}")
    assert answer.status_code == 404 and "is in queue mail, not in etl" in answer.json()["detail"]


async def test_a_wrong_method_is_a_problem_of_405(client: httpx2.AsyncClient) -> None:
    assert (await client.delete(f"{V1}/tasks")).status_code == 405


# --- acting ----------------------------------------------------------------------------------------------------


async def test_a_pushed_task_is_answered_whole(client: httpx2.AsyncClient, connected: Connected) -> None:
    answer = await client.put(f"{V1}/queues/mail/tasks?name=send&priority=7&max_attempts=2&key=once", json={"to": "ana"})
    assert answer.status_code == 201
    task = await fetch(connected, answer.json()["parts"]["task_id"])
    assert (task.name, task.queue, task.priority, task.max_attempts, task.args) == ("send", "mail", 7, 2, b'{"to":"ana"}')
    again = await client.put(f"{V1}/queues/mail/tasks?name=send&key=once", json={})
    assert again.status_code == 200 and again.json()["created"] is False and again.json()["parts"]["task_id"] == task.id


async def test_an_action_reports_what_it_did_and_what_not(client: httpx2.AsyncClient, connected: Connected) -> None:
    killed, pending = await task_in(connected, Status.KILLED), await push(connected)
    answer = await client.post(f"{V1}/tasks/retry", json={"ids": [killed.id, pending.id, "none"], "reason": "again"})
    report = answer.json()
    assert report["changed"] == [killed.id]
    assert [(skip["id"], skip["status"]) for skip in report["skipped"]] == [(pending.id, "Pending"), ("none", None)]
    assert (await get(client, "/audit"))[0]["reason"] == "again"


async def test_a_queue_is_paused_and_resumed(client: httpx2.AsyncClient, connected: Connected) -> None:
    await push(connected, queue="mail")
    assert (await client.post(f"{V1}/queues/mail/pause", json={"reason": "x"})).status_code == 200
    assert (await get(client, "/queues"))[0]["paused"]["reason"] == "x"
    assert (await client.post(f"{V1}/queues/mail/resume", json={})).status_code == 200
    assert (await get(client, "/queues"))[0]["paused"] is None


@pytest.mark.parametrize("body", [b"", b"{broken", b"[]", b'{"ids": "x"}', b'{"ids": [1]}', b'{"ids": []}', b'{"ids": ["a"], "reason": 3}'])
async def test_a_body_that_cannot_be_meant_gets_a_sentence(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post(f"{V1}/tasks/retry", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and answer.json()["detail"]


async def test_arguments_that_are_not_json_are_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.put(f"{V1}/queues/mail/tasks", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and "The body must be JSON" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 200),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "text/plain"}, 403),
        ({}, 403),
        ({"Content-Type": "application/json", "Origin": "http://evil.example"}, 403),
        ({"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain", **ORIGIN}, 200),
    ],
)
async def test_no_foreign_page_can_act_through_the_api(
    client: httpx2.AsyncClient, connected: Connected, headers: dict[str, str], status: int
) -> None:
    task = await task_in(connected, Status.KILLED)
    answer = await client.post(f"{V1}/tasks/retry", content=json.dumps({"ids": [task.id]}), headers=headers)
    assert answer.status_code == status
    assert ((await fetch(connected, task.id)).status is Status.PENDING) == (status == 200)


# --- health and events -----------------------------------------------------------------------------------------


async def test_health_tells_when_a_worker_last_took_a_task(client: httpx2.AsyncClient, connected: Connected) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok", "stores": [{"name": "", "ok": True, "last_claim": None}]}
    await task_in(connected, Status.RUNNING)
    assert (await client.get("/healthz")).json()["stores"][0]["last_claim"].endswith("Z")


async def test_events_tell_how_tasks_change(board: Board, connected: Connected) -> None:
    old = await push(connected)
    async with reading(board, f"{V1}/events") as reader:
        assert await reader.comment() == "listening"
        await connected.expose.kill([old.id], actor=Actor(name="olga"))
        entry = json.loads(await reader.until(old.id))
        assert set(entry) == {"span", "level", "timestamp", "target", "fields"}
        assert entry["span"] == {"attempt": 0, "task_id": old.id, "name": "work"}
        assert entry["level"] == "ERROR" and entry["fields"]["message"].startswith("task is Killed")
        new = await push(connected)
        assert json.loads(await reader.until(new.id))["fields"]["status"] == "Pending"


# --- logs --------------------------------------------------------------------------------------------------


async def logged(connected: Connected, *messages: str, level: int = 20) -> TaskId:
    """A running task that logged these lines."""
    claim = await running(connected)
    lines = [LogLine(number=n, at=NOON, level=level, logger="shop\x1b", message=message) for n, message in enumerate(messages, 1)]
    await connected.backend.log([(claim.lease, line) for line in lines])
    return claim.id


async def test_a_line_of_a_tasks_log_has_the_seeds_shape(client: httpx2.AsyncClient, connected: Connected) -> None:
    id = await logged(connected, "no \x1b[31mpaper", level=30)
    [line] = await get(client, f"/tasks/{id}/logs")
    assert line == {
        "span": {"attempt": 1, "task_id": id, "name": "work"},
        "level": "WARNING",
        "timestamp": "2026-05-01T12:00:00.000Z",
        "target": "shop␛",
        "fields": {"message": "no ␛[31mpaper"},
    }


async def test_a_log_is_read_back_to_its_beginning_and_followed_from_its_end(client: httpx2.AsyncClient, connected: Connected) -> None:
    claim = await running(connected)

    async def log(*numbers: int) -> None:
        lines = [LogLine(number=n, at=NOON, level=20, logger="shop", message=str(n)) for n in numbers]
        await connected.backend.log([(claim.lease, line) for line in lines])

    async def page(path: str) -> tuple[list[int], Any]:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        return [int(line["fields"]["message"]) for line in answer.json()], answer.links

    await log(*range(1, 26))
    newest, links = await page(f"{V1}/tasks/{claim.id}/logs?page_size=10")
    assert newest == list(range(16, 26))
    read, older = newest, links
    while "next" in older:
        lines, older = await page(older["next"]["url"])
        read = lines + read
    assert read == list(range(1, 26))
    nothing, links = await page(links["prev"]["url"])
    assert nothing == []
    await log(26, 27)
    assert (await page(links["prev"]["url"]))[0] == [26, 27]


async def test_a_log_is_narrowed_to_an_attempt_and_a_level(client: httpx2.AsyncClient, connected: Connected) -> None:
    id = await logged(connected, "fine")
    assert len(await get(client, f"/tasks/{id}/logs?attempt=1&level=info")) == 1
    assert await get(client, f"/tasks/{id}/logs?attempt=2") == []
    assert await get(client, f"/tasks/{id}/logs?level=Warning") == []


async def test_a_line_of_a_log_is_redacted_as_on_the_page(connected: Connected) -> None:
    id = await logged(connected, "the password is hunter2")
    board = Board(connected.expose, redact=lambda name, value: value.replace("hunter2", "…") if isinstance(value, str) else value)
    async with client_of(board) as client:
        [line] = await get(client, f"/tasks/{id}/logs")
    assert line["fields"]["message"] == "the password is …"


async def test_a_board_that_may_only_be_looked_at_answers_questions(connected: Connected) -> None:
    await push(connected)
    async with client_of(Board(connected.expose), peer=("10.1.1.1", 1)) as client:
        assert len(await get(client, "/tasks")) == 1
        assert (await client.put(f"{V1}/queues/default/tasks", json={})).status_code == 403


async def test_the_openapi_document_names_every_route_and_its_parameters(connected: Connected) -> None:
    host = Starlette(routes=[Mount("/ops", Board(connected.expose))])
    async with client_of(host) as client:
        document = (await client.get(f"/ops{V1}/openapi.json")).json()
    assert document["servers"] == [{"url": f"/ops{V1}"}]
    assert {"/queues", "/workers", "/overview", "/tasks", "/queues/{queue}/tasks", "/queues/{queue}/tasks/{id}", "/events"} <= set(document["paths"])
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["summary"] for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for path, methods in document["paths"].items():
        named = {parameter["name"] for method in methods.values() for parameter in method["parameters"] if parameter["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


@pytest.mark.parametrize("path", ["/overview", "/queues/{queue}/stats"])
async def test_the_openapi_document_and_the_reference_tell_how_a_statistic_is_read(
    client: httpx2.AsyncClient, connected: Connected, path: str
) -> None:
    await push(connected, queue="mail")
    document = (await client.get(f"{V1}/openapi.json")).json()
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"type": "array", "items": {"$ref": "#/components/schemas/Statistic"}}
    told = document["components"]["schemas"]["Statistic"]["properties"]
    reference = Path("docs/reference.md").read_text()
    for statistic in await get(client, path.format(queue="mail")):
        assert statistic.keys() == told.keys()
        assert statistic["stat_type"] in told["stat_type"]["enum"]
        assert isinstance(statistic["value"], str)
        assert f"`{statistic['title']}`" in reference
