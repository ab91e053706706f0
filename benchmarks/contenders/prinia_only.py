"""The measurements that only Prinia takes: in one process, of memory, of starting."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from suite.contender import NOTE
from suite.process import rss_bytes
from suite.stats import median, percentile
from suite.trace import Trace
from suite.workloads import RATE, Numbers, worker

from contenders.prinia import CONCURRENCY, Prinia

MIB = 2**20
SLEEP = 3.0


def latency_inside(name: str, contender: Prinia, tasks: int) -> Numbers:
    """Milliseconds from just before the push to the handler's start, worker and producer on one event loop, at 50 a second."""
    samples = [1_000 * seconds for seconds in asyncio.run(_latency_inside(contender, tasks))]
    return {"p50 ms": median(samples), "p99 ms": percentile(samples, 0.99)}


async def _latency_inside(contender: Prinia, tasks: int) -> list[float]:
    trace = Trace(contender.folder / "trace")
    app, noop = contender.app(trace)
    async with app, app.running(concurrency=CONCURRENCY):
        for number in range(tasks + 1):
            await asyncio.sleep((0.5 + (number * 0.618034) % 1) / RATE)
            await noop.push(time.monotonic(), NOTE)
        async with asyncio.timeout(15):
            while trace.count <= tasks:
                await asyncio.sleep(0.01)
    return trace.samples()[1:]


def memory_slots(name: str, contender: Prinia, slots: int) -> Numbers:
    """Resident memory of a process whose only work is a worker with ``slots`` slots, all of them taken."""
    return asyncio.run(_memory_slots(contender, slots))


async def _memory_slots(contender: Prinia, slots: int) -> Numbers:
    app, _ = contender.app()
    started = 0

    @app.task(name="sleep")
    async def sleep() -> None:
        nonlocal started
        started += 1
        await asyncio.sleep(SLEEP)

    async with app, app.running(concurrency=slots):
        await sleep.push_many({} for _ in range(slots))
        async with asyncio.timeout(15):
            while started < slots:
                await asyncio.sleep(0.01)
        await asyncio.sleep(SLEEP / 2)
        return {"RSS MiB": (rss_bytes(os.getpid()) or 0) / MIB}


def memory_tasks(name: str, contender: Prinia, tasks: int) -> Numbers:
    """Resident memory of one worker process after a tenth of ``tasks`` tasks, and after all of them."""
    part, finished = tasks // 10, contender.finished()
    with worker(name, contender) as one:
        for number in range(10):
            contender.fill(part)
            one.wait(lambda goal=part * (number + 1): finished() >= goal)
            if number == 0:
                early = (rss_bytes(one.process.pid) or 0) / MIB
        late = (rss_bytes(one.process.pid) or 0) / MIB
    return {"RSS MiB at a tenth": early, "RSS MiB at the end": late, "growth MiB": late - early}


def start(name: str, contender: Prinia, times: int) -> Numbers:
    """What importing the queue and asking the command for help add to the start of Python, with compiled files in place."""
    for code in ("import queue_core", "import queue_core.backends.sqlite"):
        _check_light(code)
    prinia = str(Path(sys.executable).parent / "prinia")
    bare, imported, helped = [], [], []
    for _ in range(times + 1):
        bare.append(_seconds([sys.executable, "-c", "pass"]))
        imported.append(_seconds([sys.executable, "-c", "import queue_core"]))
        helped.append(_seconds([prinia, "--help"]))
    return {
        "import queue_core ms": 1_000 * (median(imported[1:]) - median(bare[1:])),
        "prinia --help ms": 1_000 * median(helped[1:]),
    }


def _check_light(code: str) -> None:
    heavy = "[name for name in ('asyncpg', 'starlette', 'jinja2', 'uvicorn') if name in sys.modules]"
    answer = subprocess.run([sys.executable, "-c", f"import sys; {code}; print({heavy})"], capture_output=True, text=True, check=True)
    if answer.stdout.strip() != "[]":
        raise RuntimeError(f"{code} imports {answer.stdout.strip()}.")


def _seconds(command: list[str]) -> float:
    since = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - since
