"""The measurements of the board: one function each, as in ``suite.workloads``. Each works on a store that ``fill`` made."""

import asyncio
import gzip
import html
import http.client
import re
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin

from contenders.prinia import FILE, Prinia
from suite.contender import Contender
from suite.process import cpu_seconds, raise_file_limit, rss_bytes, running, wait_until
from suite.stats import median, percentile
from suite.workloads import Numbers, worker

from boards import data, viewers
from boards.counted import Tally
from queue_core.expose import Actor, Cursor, Expose, NewTask, QueueName, Span, Status, TaskFilter, connect

KIB = 1_024
AUDIENCE = 50
CHANGES = 15
"""Watched by the viewers, one a second."""


@dataclass(frozen=True, slots=True)
class Server:
    """A board in another process."""

    process: "subprocess.Popen[bytes]"
    port: int
    tally: Tally


@contextmanager
def module(name: str, folder: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A module of this folder as a process on the data in ``folder``."""
    log = folder / f"{name}.log"
    with running([sys.executable, "-m", f"boards.{name}", str(folder), *arguments], log=log) as process:
        yield process, log


@contextmanager
def server(folder: Path, file: str = data.FILE) -> Iterator[Server]:
    """The board, ready to answer."""
    port = folder / "port"
    port.unlink(missing_ok=True)
    with module("server", folder, file) as (process, log):
        wait_until(lambda: port.exists() and port.read_text() != "", process=process, log=log, seconds=20)
        here = Server(process, int(port.read_text()), Tally(folder / "tally"))
        wait_until(lambda: _answers(here.port), process=process, log=log, seconds=20)
        yield here


def fill(name: str, contender: Contender, tasks: int) -> Numbers:
    """Make the store."""
    return {"seconds": data.fill(contender.folder, tasks), "MiB": (contender.folder / data.FILE).stat().st_size / 2**20}


def ask(name: str, contender: Contender, times: int) -> Numbers:
    """Milliseconds that the store takes for each question behind a page."""
    return asyncio.run(_ask(contender.folder, times))


async def _ask(folder: Path, times: int) -> Numbers:
    expose = connect(data.url(folder)).expose
    await expose.open()
    try:
        deep = await _deep(expose)
        now = await expose.now()
        questions: dict[str, Callable[[], Awaitable[object]]] = {
            "counts": expose.counts,
            "queues": expose.list_queues,
            "tasks, first page": lambda: expose.list_tasks(TaskFilter()),
            "tasks, middle page": lambda: expose.list_tasks(TaskFilter(), start=deep),
            "tasks, one queue and state": lambda: expose.list_tasks(TaskFilter(queue=QueueName("email"), statuses=(Status.KILLED,))),
            "series, 24 h by minute": lambda: expose.series(Span.MINUTE, since=now - timedelta(days=1), until=now),
            "series, 7 d by hour": lambda: expose.series(Span.HOUR, since=now - timedelta(days=7), until=now),
            "series, 30 d by day": lambda: expose.series(Span.DAY, since=now - timedelta(days=30), until=now),
        }
        return {f"{title}, ms": await _median_ms(question, times) for title, question in questions.items()}
    finally:
        await expose.close()


async def _median_ms(question: Callable[[], Awaitable[object]], times: int) -> float:
    samples = []
    for _ in range(times + 1):
        since = time.perf_counter()
        await question()
        samples.append(1_000 * (time.perf_counter() - since))
    return median(samples[1:])


async def _deep(expose: Expose) -> Cursor | None:
    """Where the page in the middle of all tasks starts."""
    total = sum(counts.total for counts in (await expose.counts()).values())
    start, passed = None, 0
    while passed < total // 2:
        page = await expose.list_tasks(TaskFilter(), start=start, limit=min(1_000, total // 2 - passed))
        start, passed = page.older, passed + len(page.tasks)
    return start


def pages(name: str, contender: Contender, times: int) -> Numbers:
    """Milliseconds from request to the last byte of each page, one after the other on one connection."""
    addresses = asyncio.run(_addresses(contender.folder))
    with server(contender.folder) as here:
        return {key: value for title, address in addresses.items() for key, value in _load(here.port, title, address, times)}


def pages_busy(name: str, contender: Contender, times: int) -> Numbers:
    """The same while a thousand tasks a second are pushed and run."""
    addresses = asyncio.run(_addresses(contender.folder))
    with ExitStack() as stack:
        traffic, log = stack.enter_context(module("traffic", contender.folder))
        here = stack.enter_context(server(contender.folder))
        before = asyncio.run(_done(contender.folder))
        since = time.monotonic()
        numbers = {key: value for title, address in addresses.items() for key, value in _load(here.port, title, address, times)}
        if traffic.poll() is not None:
            raise RuntimeError(f"The traffic ended: {log.read_text()[-300:]}")
        return numbers | {"tasks/s meanwhile": (asyncio.run(_done(contender.folder)) - before) / (time.monotonic() - since)}


async def _done(folder: Path) -> int:
    expose = connect(data.url(folder)).expose
    await expose.open()
    try:
        return sum(counts.done for counts in (await expose.counts()).values())
    finally:
        await expose.close()


async def _addresses(folder: Path) -> dict[str, str]:
    expose = connect(data.url(folder)).expose
    await expose.open()
    try:
        deep = await _deep(expose)
        killed = (await expose.list_tasks(TaskFilter(statuses=(Status.KILLED,)), limit=1)).tasks[0].id
        return {
            "overview": "/",
            "queues": "/queues",
            "tasks, first page": "/tasks",
            "tasks, middle page": f"/tasks?start={deep}",
            "tasks, one queue and state": "/tasks?queue=email&status=Killed",
            "one task": f"/tasks/{killed}",
        }
    finally:
        await expose.close()


def _load(port: int, title: str, address: str, times: int) -> Iterator[tuple[str, float]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    samples = []
    for _ in range(times + 3):
        since = time.perf_counter()
        connection.request("GET", address)
        answer = connection.getresponse()
        answer.read()
        samples.append(1_000 * (time.perf_counter() - since))
        if answer.status != 200:
            raise RuntimeError(f"GET {address} was answered with {answer.status}.")
    connection.close()
    yield f"{title}, p50 ms", median(samples[3:])
    yield f"{title}, p99 ms", percentile(samples[3:], 0.99)


def watch(name: str, contender: Contender, number: int) -> Numbers:
    """``number`` viewers of the overview, one change a second: how late they learn of it, and what it costs the server."""
    raise_file_limit()
    with server(contender.folder) as here:
        numbers = asyncio.run(_watch(contender.folder, here, number))
        return numbers


async def _watch(folder: Path, here: Server, number: int) -> Numbers:
    expose = connect(data.url(folder)).expose
    await expose.open()
    try:
        first = await viewers.connect(here.port, "/", 1)
        await asyncio.sleep(1)
        small = rss_bytes(here.process.pid) or 0
        audience = first + (await viewers.connect(here.port, "/", number - 1) if number > 1 else [])
        await asyncio.sleep(1)
        samples, costs = await _changes(expose, here, audience)
        large = rss_bytes(here.process.pid) or 0
        lost = sum(viewer.lost for viewer in audience)
        if lost:
            raise RuntimeError(f"{lost} of {number} streams ended.")
        memory = {"KiB a viewer": (large - small) / KIB / (number - 1)} if number > 1 else {}
        return {"p50 ms": median(samples), "p99 ms": percentile(samples, 0.99), **costs, **memory, "shutdown s": await _shut_down(here)}
    finally:
        await expose.close()


async def _changes(expose: Expose, here: Server, audience: list[viewers.Viewer]) -> tuple[list[float], Numbers]:
    samples: list[float] = []
    questions, renderings = here.tally.read()
    cpu, since = cpu_seconds(here.process.pid), time.monotonic()
    for change in range(CHANGES):
        await asyncio.sleep(max(0.0, since + change - time.monotonic()))
        for viewer in audience:
            viewer.expect()
        pushed = time.monotonic()
        await expose.push([NewTask(name="email.run", queue=QueueName("email"), args=b"{}", run_after=86_400)], actor=Actor(name="benchmark"))
        samples += [1_000 * seconds for seconds in await viewers.delays(audience, pushed)]
    await asyncio.sleep(max(0.0, since + CHANGES - time.monotonic()))
    elapsed, after = time.monotonic() - since, here.tally.read()
    costs = {"questions a change": (after[0] - questions) / CHANGES, "renderings a change": (after[1] - renderings) / CHANGES}
    if cpu is not None:
        costs["CPU % of a core"] = 100 * ((cpu_seconds(here.process.pid) or 0) - cpu) / elapsed
    return samples, costs


async def _shut_down(here: Server) -> float:
    """Seconds from SIGTERM to the end, with every stream open."""
    since = time.monotonic()
    here.process.terminate()
    await asyncio.to_thread(here.process.wait, 15)
    return time.monotonic() - since


def watched(name: str, contender: Prinia, tasks: int) -> Numbers:
    """The drain of one store without anybody looking, and of another one with fifty viewers of its overview."""
    alone = drain_rate(name, contender, tasks)
    other = Prinia(contender.folder / "watched")
    other.folder.mkdir()
    with server(other.folder, FILE) as here, audience(here.port, AUDIENCE):
        together = drain_rate(name, other, tasks)
    return {"tasks/s alone": alone, f"tasks/s with {AUDIENCE} viewers": together, "watched ÷ alone": together / alone}


def drain_rate(name: str, contender: Prinia, tasks: int) -> float:
    """Tasks a second from the first handler's start to the last task's end."""
    contender.fill(tasks)
    finished = contender.finished()
    with worker(name, contender) as one:
        return tasks / (one.wait(lambda: finished() >= tasks) - one.trace.first)


@contextmanager
def audience(port: int, number: int) -> Iterator[None]:
    """Viewers of the overview in a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(viewers.connect(port, "/", number), loop).result(30)
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def first_load(name: str, contender: Contender, times: int) -> Numbers:
    """What a browser that was never here fetches for the overview: the page and everything that it names."""
    with server(contender.folder) as here:
        sizes, waiting = {}, ["/"]
        while waiting:
            address = waiting.pop()
            body, sizes[address] = fetch(here.port, address)
            waiting += [found for found in named_by(address, body) if found not in sizes and found not in waiting]
        return {"requests": float(len(sizes)), "KB compressed": sum(sizes.values()) / 1_000}


def fetch(port: int, address: str) -> tuple[str, int]:
    """The text at an address, and how many bytes travelled for it. Raises RuntimeError unless it is there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", address, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"GET {address} was answered with {answer.status}.")
    plain = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
    return plain.decode(errors="replace"), len(body)


def named_by(address: str, body: str) -> list[str]:
    """What a page, style sheet or script makes a browser fetch, as absolute paths."""
    if "<html" in body:
        tags = re.findall(r"<(?:script|img|link)\b[^>]*>", body)
        fetched = [tag for tag in tags if not tag.startswith("<link") or re.search(r'rel="(stylesheet|icon|modulepreload|preload|manifest)"', tag)]
        names = [match[1] for tag in fetched if (match := re.search(r'(?:src|href)="([^"]+)"', tag))]
    elif address.endswith(".css"):
        names = re.findall(r"""(?:@import\s+|url\()\s*(?:url\()?["']?([^"')\s]+)""", body)
    else:
        names = re.findall(r"""^\s*(?:import|export)\b[^"'\n;]*["'](\.{0,2}/[^"'\n]+)["']""", body, re.MULTILINE)
    local = [urljoin(address, html.unescape(name)) for name in names if not name.startswith(("data:", "#"))]
    return [name.partition("#")[0] for name in local]


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/queues")
        return connection.getresponse().status == 200
    except OSError:
        return False
