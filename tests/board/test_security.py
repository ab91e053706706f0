"""Who may do what, which requests are believed, and what every answer carries."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from starlette.requests import Request

from board import Board
from board.security import EVERYTHING
from queue_core.expose import Action, Connected, InvalidValue, Status
from queue_core.logs import LogLine
from tests.board.helpers import HTMX, client_of, fetch, post, push, reading, task_in

LOCAL = {"Origin": "http://localhost"}


async def kill(app: Any, connected: Connected, headers: dict[str, str], **client: Any) -> httpx2.Response:
    """Try to kill a task; it must be alive after a refusal and dead after an acceptance."""
    task = await push(connected)
    async with client_of(app, **client) as browser:
        answer = await post(browser, "/tasks/kill", {"id": task.id, "confirmed": "yes"}, headers)
    status = (await fetch(connected, task.id)).status
    assert (status is Status.KILLED) == (answer.status_code in (200, 303)), (answer.status_code, status)
    return answer


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"Origin": "http://localhost"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, True),
        ({}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://localhost.evil.example"}, False),
        ({"Origin": "http://localhost:81"}, False),
        ({"Origin": "http://[bad"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, False),
    ],
)
async def test_only_the_boards_own_pages_may_act(board: Board, connected: Connected, headers: dict[str, str], accepted: bool) -> None:
    answer = await kill(board, connected, headers)
    assert answer.status_code == (303 if accepted else 403)


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ({"peer": ("192.168.1.7", 1)}, {}),
        ({"peer": ("testclient", 1)}, {}),
        ({}, {"X-Forwarded-For": "127.0.0.1"}),
        ({}, {"X-Forwarded-Proto": "https"}),
        ({}, {"Forwarded": "for=127.0.0.1"}),
        ({}, {"X-Real-IP": "127.0.0.1"}),
        ({"host": "http://board.example", "peer": ("192.168.1.7", 1)}, {"Origin": "http://board.example"}),
        ({"host": "http://board.example"}, {"Origin": "http://board.example", "X-Forwarded-For": "203.0.113.9"}),
        ({"host": "http://my-machine:8000"}, {"Origin": "http://my-machine:8000"}),
        ({"host": "http://shop.test"}, {"Origin": "http://shop.test"}),
        ({"host": "http://192.168.1.7"}, {"Origin": "http://192.168.1.7"}),
    ],
)
async def test_without_authorize_nobody_from_elsewhere_may_act(
    board: Board, connected: Connected, client: dict[str, Any], headers: dict[str, str]
) -> None:
    answer = await kill(board, connected, {**LOCAL, "Sec-Fetch-Site": "same-origin", **headers}, **client)
    assert answer.status_code == 403 and "View only" in answer.text
    async with client_of(board, **client) as browser:
        page = await browser.get("/tasks", headers=headers)
    assert page.status_code == 200 and "View only" in page.text
    assert "/tasks/kill" not in page.text


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", "127.0.0.1.evil.example", "evil.example.", "EVIL.example", "a.b:x"])
async def test_a_foreign_page_cannot_read_a_local_board_by_a_name_of_its_own(board: Board, connected: Connected, host: str) -> None:
    task = await push(connected, name="secret-work")
    async with client_of(board) as browser:
        for path in ("/", "/tasks", f"/tasks/{task.id}", "/api/v1/tasks", "/api/v1/openapi.json", "/live?view=/tasks"):
            answer = await browser.get(path, headers={"Host": host})
            assert answer.status_code == 403 and "authorize=" in answer.text, path
            assert "secret-work" not in answer.text and task.id not in answer.text
    assert (await kill(board, connected, {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"})).status_code == 403


async def test_authorize_decides_alone_whatever_the_name(connected: Connected) -> None:
    async with client_of(Board(connected.expose, authorize=lambda request, action: True), host="http://board.example") as browser:
        assert (await browser.get("/tasks")).status_code == 200


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("http://localhost:8080", "127.0.0.1"),
        ("http://127.0.0.1", "127.0.0.1"),
        ("http://[::1]:80", "::1"),
        ("http://app.localhost", "::ffff:127.0.0.1"),
        ("http://127.8.9.10", "127.8.9.10"),
    ],
)
async def test_a_person_at_this_machine_may_act(board: Board, connected: Connected, host: str, peer: str) -> None:
    answer = await kill(board, connected, {"Origin": host.removesuffix(":80")}, host=host, peer=(peer, 1))
    assert answer.status_code == 303


async def test_a_read_only_board_refuses_everything(connected: Connected) -> None:
    board = Board(connected.expose, read_only=True, authorize=lambda request, action: True)
    assert "read-only" in (await kill(board, connected, LOCAL)).text
    task = await task_in(connected, Status.KILLED)
    async with client_of(board) as client:
        for path in ("/tasks/retry", "/tasks/delete", "/tasks/run-now"):
            assert (await post(client, path, {"id": task.id, "confirmed": "yes"})).status_code == 403
        for path in ("/queues/default/pause", "/queues/default/resume"):
            assert (await post(client, path, {})).status_code == 403
        assert (await client.put("/api/v1/queues/default/tasks", json={})).status_code == 403
        assert (await client.post("/api/v1/tasks/retry", json={"ids": [task.id]})).status_code == 403
        assert "read-only" in (await client.get("/tasks")).text


@pytest.mark.parametrize("action", sorted(EVERYTHING - {Action.VIEW}))
async def test_each_permission_stands_alone(connected: Connected, action: Action) -> None:
    async def may(request: Request, asked: Action) -> bool:
        return asked in (Action.VIEW, action)

    board = Board(connected.expose, authorize=may)
    killed, pending = await task_in(connected, Status.KILLED), await push(connected)
    allowed = {}
    async with client_of(board, peer=("203.0.113.9", 1)) as client:
        allowed[Action.RETRY] = await post(client, "/tasks/retry", {"id": killed.id})
        allowed[Action.RUN_NOW] = await post(client, "/tasks/run-now", {"id": pending.id})
        allowed[Action.KILL] = await post(client, "/tasks/kill", {"id": pending.id, "confirmed": "yes"})
        allowed[Action.DELETE] = await post(client, "/tasks/delete", {"id": killed.id, "confirmed": "yes"})
        allowed[Action.PAUSE] = await post(client, "/queues/default/pause", {})
        allowed[Action.RESUME] = await post(client, "/queues/default/resume", {})
        allowed[Action.PUSH] = await client.put("/api/v1/queues/default/tasks", json={})
    assert {asked for asked, answer in allowed.items() if answer.status_code != 403} == {action} & set(allowed)


async def test_who_may_not_look_sees_nothing(connected: Connected) -> None:
    board = Board(connected.expose, authorize=lambda request, action: False)
    task = await push(connected, name="confidential")
    async with client_of(board) as client:
        for path in ("/", "/tasks", f"/tasks/{task.id}", f"/tasks/{task.id}/arguments", "/tasks/rows?id=x", "/api/v1/tasks", "/live?view=/tasks"):
            answer = await client.get(path)
            assert answer.status_code == 403 and "confidential" not in answer.text, path
            assert connected.expose.location not in answer.text or not connected.expose.location


@pytest.mark.parametrize("answer", [1, "yes", object(), None])
async def test_only_true_is_a_permission(connected: Connected, answer: Any) -> None:
    async with client_of(Board(connected.expose, authorize=lambda request, action: answer)) as client:
        assert (await client.get("/")).status_code == 403


async def test_a_hook_that_fails_lets_nobody_in(connected: Connected) -> None:
    def broken(request: Request, action: Action) -> bool:
        raise RuntimeError("secret")

    async with client_of(Board(connected.expose, authorize=broken)) as client:
        answer = await client.get("/")
    assert answer.status_code == 500 and "secret" not in answer.text


async def test_authorize_sees_the_request_as_the_host_does(connected: Connected) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    seen: list[str] = []

    def may(request: Request, action: Action) -> bool:
        seen.append(f"{request.url.path} {request.headers['cookie']} {request.app is host}")
        return True

    host = Starlette(routes=[Mount("/ops", Board(connected.expose, authorize=may))])
    async with client_of(host, cookie="session=1") as client:
        await client.get("/ops/tasks")
    assert set(seen) == {"/ops/tasks session=1 True"}


# --- redaction -----------------------------------------------------------------------------------------


def mask(name: str, value: Any) -> Any:
    match value:
        case dict():
            return {key: "***" if key == "password" else mask(name, inner) for key, inner in value.items()}
        case str():
            return value.replace("hunter2", "***")
        case _:
            return value


async def test_nothing_secret_is_shown_anywhere(connected: Connected) -> None:
    task = await push(connected, args=b'{"password":"hunter2","user":1}', metadata={"note": "hunter2"})
    broken = await push(connected, args=b'{"password":"hunter2"')
    running = await task_in(connected, Status.RUNNING)
    [lease] = await connected.backend.leases(running.boot)
    await connected.backend.log([(lease, LogLine(number=1, at=datetime.now(UTC), level=20, logger="shop", message="with hunter2"))])
    await connected.backend.checkpoint(lease, b'"hunter2"')
    board = Board(connected.expose, redact=mask)
    async with client_of(board) as client:
        for path in (
            "/",
            "/tasks",
            *(f"{prefix}/{one.id}" for prefix in ("/tasks", "/api/v1/tasks") for one in (task, broken, running)),
            "/api/v1/tasks",
        ):
            assert "hunter2" not in (await client.get(path)).text, path
        for part in ("arguments", "metadata"):
            assert "hunter2" not in (await client.get(f"/tasks/{task.id}/{part}")).text
        assert "hunter2" not in (await client.get(f"/tasks/{broken.id}/arguments")).text
        assert "***" in (await client.get(f"/tasks/{task.id}")).text
    async with reading(board, "/live", f"view=/tasks/{task.id}") as reader:
        assert "hunter2" not in (await reader.event())[1]


async def test_a_redaction_that_fails_hides_the_value(connected: Connected, caplog: pytest.LogCaptureFixture) -> None:
    def broken(name: str, value: Any) -> Any:
        raise RuntimeError

    task = await push(connected, args=b'"hunter2"')
    async with client_of(Board(connected.expose, redact=broken)) as client:
        page = await client.get(f"/tasks/{task.id}")
        await client.get("/tasks")
    assert page.status_code == 200 and "hunter2" not in page.text and "hidden" in page.text
    assert len([record for record in caplog.records if "redact hook failed" in record.message]) == 1


@pytest.mark.parametrize("hooks", [{"authorize": 5}, {"authorize": "admin"}, {"redact": "x"}, {"redact": False}])
def test_a_hook_that_cannot_be_called_is_refused_at_once(hooks: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=f"{next(iter(hooks))} must be a function, called as"):
        Board("memory://", **hooks)


# --- headers -----------------------------------------------------------------------------------------------


async def test_every_answer_carries_the_strict_headers(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected)
    for path in ("/", "/nope", f"/tasks/{task.id}", "/api/v1/tasks", "/api/v1/tasks?page=0", "/healthz", "/static/x/favicon.svg"):
        headers = (await client.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")


async def test_payloads_as_text_are_sandboxed(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected, args=b'"<script>alert(1)</script>"')
    answer = await client.get(f"/tasks/{task.id}/arguments")
    assert answer.headers["content-type"].startswith("text/plain") and "sandbox" in answer.headers["content-security-policy"]


async def test_a_foreign_form_type_is_refused(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected)
    answer = await client.post("/tasks/kill", json={"id": task.id, "confirmed": "yes"}, headers=LOCAL)
    assert answer.status_code == 422


async def test_a_get_never_changes_anything(client: httpx2.AsyncClient, connected: Connected) -> None:
    task = await push(connected)
    for path in (f"/tasks/kill?id={task.id}&confirmed=yes", "/queues/default/pause"):
        assert (await client.get(path, headers=HTMX)).status_code in (404, 405)
    assert (await fetch(connected, task.id)).status is Status.PENDING
