"""The tasks that the fault tests run in worker processes. Each run leaves a line in a file that no crash can take back."""

import asyncio
import os
import time
from pathlib import Path

from queue_core import INJECTED, App, Retry, WorkerContext

app = App(os.environ.get("FAULTS_STORE", "memory://"))
DIARY = Path(os.environ.get("FAULTS_DIARY", os.devnull))
AT_ONCE = Retry(backoff="constant", min=0, max=0, jitter=0)


def note(event: str, number: int, ctx: WorkerContext) -> None:
    """Append one whole line; O_APPEND keeps the lines of several processes apart."""
    descriptor = os.open(DIARY, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, f"{event} {number} {ctx.attempt} {ctx.worker}\n".encode())
    finally:
        os.close(descriptor)


@app.task(queue="work")
async def step(number: int, pause: float = 0.02, *, ctx: WorkerContext = INJECTED) -> int:
    """A short task."""
    note("start", number, ctx)
    await asyncio.sleep(pause)
    note("end", number, ctx)
    return number


@app.task(queue="work")
async def mark(number: int, *, ctx: WorkerContext = INJECTED) -> None:
    """As short as a task can be that leaves a line."""
    note("start", number, ctx)


@app.task(queue="work")
async def long(number: int, until: str, *, ctx: WorkerContext = INJECTED) -> str:
    """Runs until a file appears; then says who ran it."""
    note("start", number, ctx)
    while not Path(until).exists():
        await asyncio.sleep(0.02)
    note("end", number, ctx)
    return ctx.worker


@app.task(queue="work")
def blocking(number: int, pause: float, *, ctx: WorkerContext = INJECTED) -> None:
    """A plain function: runs in a thread."""
    note("start", number, ctx)
    time.sleep(pause)
    note("end", number, ctx)


@app.task(queue="work")
async def hog(number: int, pause: float, *, ctx: WorkerContext = INJECTED) -> None:
    """Blocks the event loop, which a handler must not do and some will."""
    note("start", number, ctx)
    time.sleep(pause)
    note("end", number, ctx)


@app.task(queue="work", max_attempts=20, retry=AT_ONCE)
async def poison(number: int, *, ctx: WorkerContext = INJECTED) -> None:
    """Takes its whole worker down, every time."""
    note("start", number, ctx)
    os._exit(1)


@app.task(queue="work")
async def walk(number: int, pages: int, *, ctx: WorkerContext = INJECTED) -> int:
    """Goes page by page, and keeps each page that it has done."""
    first = (ctx.last_checkpoint(int) or 0) + 1
    note(f"from-{first}", number, ctx)
    for page in range(first, pages + 1):
        note(f"page-{page}", number, ctx)
        await ctx.checkpoint(page)
        await asyncio.sleep(0.02)
    note("end", number, ctx)
    return first
