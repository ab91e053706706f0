"""What the board's tests are told in: a browser's requests, a reader of an event stream, and tasks in every state."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlencode

import httpx2

from queue_core.conformance.helpers import registered
from queue_core.expose import Connected, Status, Task
from queue_core.outcome import Errored, Succeeded, settle
from queue_core.task import ErrorInfo, Lease, NewTask

PATIENCE: Final = 10.0
ORIGIN: Final = {"Origin": "http://localhost"}
HTMX: Final = {**ORIGIN, "HX-Request": "true"}
FORM: Final = "application/x-www-form-urlencoded"
BOOM: Final = ErrorInfo(type="builtins.ValueError", message="boom <b>", traceback="Traceback (most recent call last):\n  boom <b>")


def client_of(app: Any, host: str = "http://localhost", peer: tuple[str, int] = ("127.0.0.1", 4000), **headers: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, client=peer)
    return httpx2.AsyncClient(transport=transport, base_url=host, headers=headers)


async def post(client: httpx2.AsyncClient, path: str, fields: dict[str, Any], headers: dict[str, str] | None = None) -> httpx2.Response:
    return await client.post(path, content=urlencode(fields, doseq=True), headers={"Content-Type": FORM, **(ORIGIN if headers is None else headers)})


def ids_in(html: str) -> list[str]:
    return re.findall(r'<[a-z]+[^>]*?\bid="([^"]+)"', html)


async def eventually(check: Callable[[], Awaitable[Any] | Any]) -> Any:
    """What ``check`` returns as soon as it is true."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = check()
            answer = await answer if asyncio.iscoroutine(answer) else answer
            if answer:
                return answer
            await asyncio.sleep(0.01)


# --- tasks in every state ------------------------------------------------------------------------------------


async def push(connected: Connected, name: str = "work", **changes: Any) -> Task:
    [pushed] = await connected.backend.push([NewTask(name=name, **{"args": b'{"number":1}', **changes})])
    task: Task = pushed.task
    return task


async def task_in(connected: Connected, status: Status, **changes: Any) -> Task:
    """A task that came into a state as tasks do."""
    queue = changes.get("queue", "default")
    task = await push(connected, **{"priority": 0 if status is Status.PENDING else 1, **changes})
    if status is Status.PENDING:
        return task
    boot = await registered(connected, queues=(queue,))
    [claim] = (await connected.backend.claim(boot, [queue], names=None, limit=1, start=0 if status is Status.QUEUED else 1)).tasks
    assert claim.id == task.id
    match status:
        case Status.DONE:
            await _end(connected, claim.lease, Succeeded(b'"fine"'), left=5)
        case Status.FAILED:
            await _end(connected, claim.lease, Errored(BOOM, retry_in=600), left=5)
        case Status.KILLED:
            await _end(connected, claim.lease, Errored(BOOM), left=1)
    return await fetch(connected, task.id)


async def _end(connected: Connected, lease: Lease, outcome: Any, *, left: int) -> None:
    await connected.backend.ack([settle(lease, outcome, attempt=1, max_attempts=left, ran_for=0.5)])


async def fetch(connected: Connected, id: Any) -> Task:
    task = await connected.expose.fetch(id)
    assert task is not None
    return task


# --- event streams ---------------------------------------------------------------------------------------------


class Reader:
    """One browser that reads an event stream of the application, as slowly as it likes."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.reads = asyncio.Event()
        self.reads.set()
        self._chunks: asyncio.Queue[str] = asyncio.Queue()
        self._begun = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self._begun.set()
        elif message.get("body"):
            await self.reads.wait()
            await self._chunks.put(message["body"].decode())

    async def begun(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._begun.wait()

    async def comment(self) -> str:
        """The next message, which is a comment."""
        async with asyncio.timeout(PATIENCE):
            text = await self._chunks.get()
        assert text.startswith(":"), text
        return text.strip(": \n")

    async def event(self) -> tuple[str, str]:
        """The next event: its name and its data."""
        async with asyncio.timeout(PATIENCE):
            while (text := await self._chunks.get()).startswith(":"):
                pass
        lines = text.split("\n")
        name = next((line.removeprefix("event: ") for line in lines if line.startswith("event: ")), "message")
        return name, "\n".join(line.removeprefix("data: ") for line in lines if line.startswith("data: "))

    async def until(self, wanted: str) -> str:
        """The data of the next event that contains something."""
        while True:
            _, data = await self.event()
            if wanted in data:
                return data

    @property
    def waiting(self) -> int:
        """Messages that were sent and not looked at yet."""
        return self._chunks.qsize()


@asynccontextmanager
async def reading(app: Any, path: str, query: str = "", headers: dict[str, str] | None = None, **scope: Any) -> AsyncIterator[Reader]:
    """Read a stream until the end of the block."""
    reader, gone = Reader(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    usual: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in {"host": "localhost", **(headers or {})}.items()],
        "client": ("127.0.0.1", 4000),
        "server": ("127.0.0.1", 80),
    }
    reader.task = asyncio.create_task(app({**usual, **scope}, receive, reader.send))
    try:
        yield reader
    finally:
        gone.set()
        reader.reads.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(reader.task, return_exceptions=True)


def live_of(board_path: str) -> tuple[str, str]:
    """Path and query of the stream of a page."""
    return "/live", urlencode({"view": board_path})
