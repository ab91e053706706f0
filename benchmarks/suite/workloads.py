"""The measurements of a queue, but for those of emptying one: one function each, the same for every contender. Each returns named numbers."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from suite.contender import Contender
from suite.process import cpu_seconds, python, rss_bytes, running, server_cpu_seconds, wait_until
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
def worker(name: str, contender: Contender, number: int = 0) -> Iterator[Worker]:
    """One worker process on the contender's data; ``number`` tells it from others in the same folder."""
    trace, log = Trace.of_worker(contender.folder, number), contender.folder / f"worker{number}.log"
    with running(python("measure.py", "work", name, contender.folder, number), log=log) as process:
        yield Worker(process, trace, log)


def server_cpu(contender: Contender) -> float | None:
    """Processor time that the contender's server used so far; None without a server."""
    return None if contender.postgres is None else server_cpu_seconds(contender.postgres.postmaster)


def push_one(name: str, contender: Contender, tasks: int) -> Numbers:
    """One caller."""
    return {"tasks/s": tasks / contender.push_one(tasks)}


def push_callers(name: str, contender: Contender, tasks: int) -> Numbers:
    """A hundred callers at once."""
    return {"tasks/s": tasks / contender.push_callers(tasks, CALLERS)}


def push_bulk(name: str, contender: Contender, tasks: int) -> Numbers:
    """All in one call."""
    return {"tasks/s": tasks / contender.push_bulk(tasks)}


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
        before, served, since = cpu_seconds(one.process.pid), server_cpu(contender), time.monotonic()
        time.sleep(tasks)
        after, serves, elapsed = cpu_seconds(one.process.pid), server_cpu(contender), time.monotonic() - since
        memory = rss_bytes(one.process.pid)
        push(time.monotonic())
        one.wait(lambda: one.trace.count == 2, seconds=30)
        first = one.trace.samples()[1]
    numbers = {"first after idle ms": 1_000 * first}
    if before is not None and after is not None and memory is not None:
        numbers |= {"CPU % of a core": 100 * (after - before) / elapsed, "RSS MiB": memory / 2**20}
    if served is not None and serves is not None:
        numbers["server CPU % of a core"] = 100 * (serves - served) / elapsed
    return numbers


def _warm_up(one: Worker, push: Callable[[float], object]) -> None:
    push(time.monotonic())
    one.wait(lambda: one.trace.count == 1, seconds=30)
    time.sleep(0.3)
