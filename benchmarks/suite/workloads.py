"""The measurements of a queue: one function each, the same for every contender. Each returns named numbers."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from suite.contender import Contender
from suite.process import cpu_seconds, python, rss_bytes, running, wait_until
from suite.stats import median, percentile
from suite.trace import Trace

Numbers = dict[str, float]
Measure = Callable[[str, Contender, int], Numbers]
PATIENCE = 55.0
"""Seconds; less than the time limit of a whole measurement, so that the worker's last words are told."""
CALLERS = 100
RATE = 50.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process of a contender, and what it tells."""

    process: "subprocess.Popen[bytes]"
    trace: Trace
    log: Path

    def wait(self, true: Callable[[], bool], *, seconds: float = PATIENCE, every: float = 0.01) -> float:
        """Wait for a condition that this worker is to bring about."""
        return wait_until(true, process=self.process, log=self.log, seconds=seconds, every=every)


@contextmanager
def worker(name: str, contender: Contender) -> Iterator[Worker]:
    """One worker process on the contender's data."""
    path, log = contender.folder / "trace", contender.folder / "worker.log"
    trace = Trace(path)
    with running(python("measure.py", "work", name, contender.folder, 0), log=log) as process:
        yield Worker(process, trace, log)


def push_one(name: str, contender: Contender, tasks: int) -> Numbers:
    """One caller."""
    return {"tasks/s": tasks / contender.push_one(tasks)}


def push_callers(name: str, contender: Contender, tasks: int) -> Numbers:
    """A hundred callers at once."""
    return {"tasks/s": tasks / contender.push_callers(tasks, CALLERS)}


def push_bulk(name: str, contender: Contender, tasks: int) -> Numbers:
    """All in one call."""
    return {"tasks/s": tasks / contender.push_bulk(tasks)}


def drain(name: str, contender: Contender, tasks: int) -> Numbers:
    """Stored tasks to durably finished ones, from the first handler's start on, as the store tells; each must have run exactly once."""
    tasks = min(tasks, contender.drain_at_most)
    contender.fill(tasks)
    finished = contender.finished()
    with worker(name, contender) as one:
        end = one.wait(lambda: finished() >= tasks)
        ran, first, cpu = one.trace.count, one.trace.first, cpu_seconds(one.process.pid)
    if ran != tasks:
        raise RuntimeError(f"{tasks} tasks were pushed but {ran} handlers started.")
    return {"tasks/s": tasks / (end - first), "tasks": float(tasks), "worker CPU µs/task": (cpu or 0.0) / tasks * 1e6}


def flat(name: str, contender: Contender, tasks: int) -> Numbers:
    """The drain rate at the start of a backlog of ``tasks`` and at its end, each over a tenth of it."""
    contender.fill(tasks)
    finished, part = contender.finished(), tasks // 10
    with worker(name, contender) as one:
        marks = [_mark(one, finished, goal) for goal in (1, part, tasks - part, tasks)]
    start, end = _rates(marks)
    return {"tasks/s with the backlog full": start, "tasks/s with it nearly empty": end, "full ÷ empty": start / end}


def latency(name: str, contender: Contender, tasks: int) -> Numbers:
    """Milliseconds from just before the push to the handler's start in another process, at 50 a second with an uneven beat."""
    with worker(name, contender) as one:
        push = contender.pusher()
        _warm_up(one, push)
        for number in range(tasks):
            time.sleep((0.5 + (number * 0.618034) % 1) / RATE)
            push(time.monotonic())
        one.wait(lambda: one.trace.count > tasks, seconds=15)
        samples = [1_000 * seconds for seconds in one.trace.samples()[1:]]
    return {"p50 ms": median(samples), "p99 ms": percentile(samples, 0.99)}


def idle(name: str, contender: Contender, tasks: int) -> Numbers:
    """What a worker costs that has nothing to do for ``tasks`` seconds, and how soon it starts the task that comes then."""
    with worker(name, contender) as one:
        push = contender.pusher()
        _warm_up(one, push)
        time.sleep(min(2.0, tasks))
        before, since = cpu_seconds(one.process.pid), time.monotonic()
        time.sleep(tasks)
        after, elapsed = cpu_seconds(one.process.pid), time.monotonic() - since
        memory = rss_bytes(one.process.pid)
        push(time.monotonic())
        one.wait(lambda: one.trace.count == 2, seconds=30)
        first = one.trace.samples()[1]
    numbers = {"first after idle ms": 1_000 * first}
    if before is not None and after is not None and memory is not None:
        numbers |= {"CPU % of a core": 100 * (after - before) / elapsed, "RSS MiB": memory / 2**20}
    return numbers


def _warm_up(one: Worker, push: Callable[[float], object]) -> None:
    push(time.monotonic())
    one.wait(lambda: one.trace.count == 1, seconds=30)
    time.sleep(0.3)


def _mark(one: Worker, finished: Callable[[], int], goal: int) -> tuple[float, int]:
    """When at least ``goal`` were finished, and how many it were then."""
    seen = 0

    def reached() -> bool:
        nonlocal seen
        seen = finished()
        return seen >= goal

    return one.wait(reached), seen


def _rates(marks: list[tuple[float, int]]) -> tuple[float, float]:
    (t0, n0), (t1, n1), (t2, n2), (t3, n3) = marks
    return (n1 - n0) / (t1 - t0), (n3 - n2) / (t3 - t2)
