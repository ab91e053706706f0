"""The board under any prefix, in any host, behind a proxy, twice in one process, and without the host's lifespan."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Router

from board import Board
from board.urls import segment
from queue_core import App
from queue_core.expose import Connected, InvalidValue, Status, UnknownScheme, connect
from tests.board.helpers import HTMX, client_of, eventually, fetch, live_of, post, push, reading, task_in
from tests.served import BoardServer

PREFIX = "/ops/queue"


def hosted(board: Board, kind: str) -> Any:
    match kind:
        case "fastapi":
            host = FastAPI()
            host.mount(PREFIX, board)
            return host
        case "starlette":
            return Starlette(routes=[Mount("/ops", routes=[Mount("/queue", board)])])
        case "router":
            return Router(routes=[Mount(PREFIX, board)])
        case "stripped":  # as frameworks that take their part of the path away, and name it in root_path

            async def stripped(scope: Any, receive: Any, send: Any) -> None:
                await board({**scope, "path": scope["path"].removeprefix(PREFIX), "root_path": PREFIX}, receive, send)

            return stripped
        case _:
            raise AssertionError(kind)


HOSTS = ("fastapi", "starlette", "router", "stripped")


@pytest.mark.parametrize("kind", HOSTS)
async def test_every_link_of_a_mounted_board_leads_somewhere_on_it(board: Board, connected: Connected, kind: str) -> None:
    for status in Status:
        await task_in(connected, status, queue="a/b %")
    seen, todo = set[str](), [f"{PREFIX}/"]
    async with client_of(hosted(board, kind)) as client:
        while todo:
            path = todo.pop()
            if path in seen:
                continue
            seen.add(path)
            answer = await client.get(path)
            assert answer.status_code == 200, path
            if "<!doctype html>" in answer.text[:20]:
                found = [unescape(link) for link in re.findall(r'(?:href|src|action|formaction|sse-connect)="([^"#]+)"', answer.text)]
                assert all(link.startswith((f"{PREFIX}/", "data:")) for link in found), path
                todo += [link for link in found if not re.search(r"/live\?|/tasks/(retry|kill|run-now|delete)$|/(pause|resume)$", link)]
    assert any("a%2Fb%20%25" in path for path in seen)


@pytest.mark.parametrize("kind", HOSTS)
async def test_a_mounted_board_streams_and_acts(board: Board, connected: Connected, kind: str) -> None:
    host = hosted(board, kind)
    task = await task_in(connected, Status.KILLED, queue="a/b %")
    path, query = live_of(f"/queues/{segment('a/b %')}")
    async with client_of(host) as client, reading(host, PREFIX + path, query) as reader:
        assert f'href="{PREFIX}/tasks/{task.id}"' in (await reader.event())[1]
        answer = await post(client, f"{PREFIX}/tasks/retry", {"id": task.id, "back": "/tasks"})
        assert answer.headers["location"].startswith(f"{PREFIX}/tasks?said=")
        assert "Retried" in (await client.get(answer.headers["location"])).text
        assert "Pending" in await reader.until(f'id="task-{task.id}"')


async def test_two_boards_in_one_app_do_not_meet(connected: Connected) -> None:
    one, two = connected, connect("memory://")
    await two.expose.open()
    host = FastAPI()
    host.mount("/one", Board(one.expose, title="One"))
    host.mount("/two", Board(two.expose, title="Two", read_only=True))
    first, second = await push(one), await push(two)
    async with client_of(host) as client:
        assert first.id in (page := (await client.get("/one/tasks")).text) and second.id not in page and "/two" not in page
        assert second.id in (page := (await client.get("/two/tasks")).text) and first.id not in page and "/one" not in page
        said = await post(client, "/one/tasks/kill", {"id": [first.id, second.id], "confirmed": "yes"}, HTMX)
        assert "Killed 1 task" in said.text
        assert (await post(client, "/two/tasks/kill", {"id": second.id, "confirmed": "yes"}, HTMX)).status_code == 403
    async with reading(host, "/one/live", "view=/tasks") as mine, reading(host, "/two/live", "view=/tasks") as theirs:
        await mine.event()
        await theirs.event()
        third = await push(two)
        assert third.id in await theirs.until(third.id)
        assert mine.waiting == 0
    assert (await fetch(two, second.id)).status is Status.PENDING


async def test_a_proxy_that_strips_its_prefix_is_followed(board: Board, connected: Connected) -> None:
    await push(connected, queue="a/b")
    host = FastAPI()
    host.mount("/board", board)

    async def proxied(scope: Any, receive: Any, send: Any) -> None:
        await host({**scope, "root_path": "/proxied"}, receive, send)

    async with client_of(proxied) as client:
        page = await client.get("/board/queues")
        assert page.status_code == 200 and 'href="/proxied/board/queues/a%2Fb"' in page.text
        assert (await client.get("/board/queues/a%2Fb")).status_code == 200


async def test_a_server_without_raw_paths_is_served(board: Board, connected: Connected) -> None:
    async def bare(scope: Any, receive: Any, send: Any) -> None:
        await board({key: value for key, value in scope.items() if key != "raw_path"}, receive, send)

    await push(connected, queue="ä b")
    async with client_of(bare) as client:
        assert (await client.get("/queues/%C3%A4%20b")).status_code == 200


@pytest.fixture
def made_url(connected: Connected, url: str) -> str:
    """Where a store is that has been made: a board that is given a URL makes none."""
    return url


async def test_a_board_on_a_missing_file_says_so_and_makes_none(tmp_path: Path) -> None:
    typo = f"sqlite:///{tmp_path}/typo.db"
    async with client_of(Board(typo)) as client:
        for path in ("/", "/tasks", "/api/v1/tasks"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert f"There is no store at {tmp_path}/typo.db. Check the name, or make one: prinia migrate {typo}" in answer.text
        assert not list(tmp_path.iterdir())
        made = connect(typo).expose
        await made.open()
        await made.close()
        assert (await client.get("/tasks")).status_code == 200


@pytest.mark.postgres
async def test_a_board_on_a_missing_schema_says_so_and_makes_none(fresh_postgres_store: str) -> None:
    async with client_of(Board(fresh_postgres_store)) as client:
        answer = await client.get("/")
        assert answer.status_code == 503
        assert "There is no store at postgresql://" in answer.text
        made = connect(fresh_postgres_store).expose
        await made.open()
        await made.close()
        assert (await client.get("/tasks")).status_code == 200


async def test_a_store_given_by_its_url_is_opened_at_the_first_request_and_closed_with_the_loop(made_url: str) -> None:
    board = Board(made_url)
    store = board._sites[0].store
    closed: list[bool] = []
    close = store.close

    async def closing() -> None:
        closed.append(True)
        await close()

    store.close = closing  # type: ignore[method-assign]
    async with client_of(board) as client:
        assert (await client.get("/")).status_code == 200
    assert not closed
    await asyncio.get_running_loop().shutdown_asyncgens()
    assert closed


def test_a_board_serves_on_one_event_loop_after_the_other(made_url: str) -> None:
    board = Board(made_url)

    async def once() -> int:
        async with client_of(board) as client:
            return (await client.get("/tasks")).status_code

    assert [asyncio.run(once()) for _ in range(3)] == [200, 200, 200]


async def test_a_board_alone_runs_its_lifespan(board: Board) -> None:
    sent: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await board({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_real_server_serves_and_stops_at_once_while_a_page_is_open(made_url: str) -> None:
    with BoardServer(Board(made_url)) as server:
        async with httpx2.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/tasks")).status_code == 200
            async with client.stream("GET", "/live?view=/tasks") as stream:
                text = ""
                async for chunk in stream.aiter_text():
                    text += chunk
                    if "tasks-chips" in text:
                        server._server.should_exit = True
                assert "event: closing" in text


HOST = """
import os
from fastapi import FastAPI
from board import Board

app = FastAPI()
app.mount("/ops/queue", Board(os.environ["STORE"]))
"""


async def test_a_plain_uvicorn_host_stops_soon_while_a_page_is_open(tmp_path: Path, made_url: str) -> None:
    (tmp_path / "host.py").write_text(HOST)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "host:app", "--port", port, "--log-level", "error"]
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path.cwd()), "STORE": made_url})
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await eventually(lambda: _answers(client))
            async with client.stream("GET", "/ops/queue/live?view=/tasks") as stream:
                text = ""
                async for chunk in stream.aiter_text():
                    text += chunk
                    if "tasks-chips" in text and process.poll() is None:
                        process.terminate()
        assert "event: closing" in text
        process.wait(10)
    finally:
        process.kill()
        process.wait()


async def _answers(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/ops/queue/healthz")).status_code == 200
    except httpx2.TransportError:
        return False


# --- several stores ------------------------------------------------------------------------------------------


@pytest.fixture
async def several(connected: Connected) -> tuple[Board, Connected, Connected]:
    other = connect("memory://")
    await other.expose.open()
    return Board({"mail": connected.expose, "e/tl": other.expose}), connected, other


async def test_several_stores_have_a_switcher_and_addresses_of_their_own(several: tuple[Board, Connected, Connected]) -> None:
    board, mail, etl = several
    first, second = await push(mail), await push(etl)
    async with client_of(board) as client:
        assert (await client.get("/")).headers["location"] == "/s/mail/"
        page = (await client.get("/s/mail/tasks")).text
        assert first.id in page and second.id not in page
        assert 'href="/s/e%2Ftl/"' in page
        assert second.id in (await client.get("/s/e%2Ftl/tasks")).text
        assert (await client.get(f"/s/e%2Ftl/tasks/{second.id}")).status_code == 200
        assert (await client.get("/s/e%2Ftl/api/v1/tasks")).json()[0]["parts"]["task_id"] == second.id
        await post(client, "/s/e%2Ftl/tasks/kill", {"id": second.id, "confirmed": "yes"})
    assert (await fetch(etl, second.id)).status is Status.KILLED


async def test_those_who_may_not_look_are_told_nothing_of_the_stores() -> None:
    board = Board({"mail": "memory://", "etl": "memory://"}, authorize=lambda request, action: False)
    async with client_of(board) as client:
        for path in ("/s/mail/tasks", "/s/mail/nope/x/y", "/s/none/tasks", "/nope", "/api/v1/tasks"):
            answer = await client.get(path)
            assert answer.status_code in (403, 404)
            assert "mail" not in answer.text.replace(path, "") and "etl" not in answer.text and "memory" not in answer.text.lower(), path


@pytest.mark.parametrize("path", ["/tasks", "/s/none/tasks", "/s", "/api/v1/tasks"])
async def test_addresses_outside_of_the_stores_are_explained(several: tuple[Board, Connected, Connected], path: str) -> None:
    async with client_of(several[0]) as client:
        answer = await client.get(path)
    assert answer.status_code == 404 and "mail" in answer.text


async def test_health_names_each_store(several: tuple[Board, Connected, Connected]) -> None:
    async with client_of(several[0]) as client:
        answer = await client.get("/healthz")
    assert [store["name"] for store in answer.json()["stores"]] == ["mail", "e/tl"]


# --- sources -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [None, 3, {}, {"": "memory://"}, {"a": 3}, object()])
def test_what_is_no_store_gets_a_sentence(source: Any) -> None:
    with pytest.raises(InvalidValue, match=r"board|store"):
        Board(source)


def test_an_unknown_url_gets_a_sentence() -> None:
    with pytest.raises(UnknownScheme, match="must start with one of"):
        Board("tasks.db")


async def test_whatever_has_an_expose_is_a_source(connected: Connected) -> None:
    task = await push(connected)
    async with client_of(Board(connected)) as client:
        assert task.id in (await client.get("/tasks")).text


async def test_a_store_that_cannot_be_opened_is_tried_again(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(connected.expose)

    async def refused() -> None:
        raise OSError("unable to open database file")

    with monkeypatch.context() as broken:
        broken.setattr(connected.expose, "open", refused)
        async with client_of(board) as client:
            answer = await client.get("/tasks")
            assert answer.status_code == 503 and "unable to open database file" in answer.text
            assert (await client.get("/healthz")).status_code == 503
    async with client_of(board) as client:
        assert (await client.get("/tasks")).status_code == 200


async def test_a_store_that_its_host_closes_is_opened_again(url: str) -> None:
    app = App(url)

    @app.task
    async def double(number: int) -> int:
        return number * 2

    board = Board(app)
    async with client_of(board) as client, reading(board, *live_of("/tasks")) as reader:
        await reader.event()
        async with app.running():
            task = await double.push(number=2)
            assert await task.result(timeout=10) == 4
            assert "Done" in await reader.until(task.id)
        assert task.id in (await client.get("/tasks")).text
        async with app:
            later = await double.push(number=3)
        assert later.id in await reader.until(later.id)
