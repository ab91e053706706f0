"""The measurements of emptying a queue: one function each, the same for every contender. Each returns named numbers."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from suite.contender import Contender, NotOffered
from suite.process import cpu_seconds, is_quiet, paused
from suite.workloads import Numbers, Worker, server_cpu, worker

CREW = 4
ROUNDS = 6
AGING = 100_000
"""Finished tasks that are made at a time by running them."""
SETTLE_LIMIT = 15.0


def drain(name: str, contender: Contender, tasks: int, number: int = 0) -> Numbers:
    """Stored tasks to durably finished ones, from the first handler's start on, as the store tells; each must have run exactly once."""
    tasks = min(tasks, contender.drain_at_most)
    contender.fill(tasks)
    left, served = contender.left(tasks), server_cpu(contender)
    with worker(name, contender, number) as one:
        end = _finish(one, tasks, left)
        ran, first, cpu, serves = one.trace.count, one.trace.first, cpu_seconds(one.process.pid), server_cpu(contender)
    _check(tasks, ran)
    numbers = {"tasks/s": tasks / (end - first), "tasks": float(tasks), "worker CPU µs/task": (cpu or 0.0) / tasks * 1e6}
    if served is not None and serves is not None:
        numbers["server CPU µs/task"] = (serves - served) / tasks * 1e6
    return numbers


def drain_crew(name: str, contender: Contender, tasks: int) -> Numbers:
    """The same with four worker processes, who stand still while the queue is filled and then all begin."""
    tasks = min(tasks, 2 * contender.drain_at_most)
    with ExitStack() as stack:
        crew = [stack.enter_context(worker(name, contender, number)) for number in range(CREW)]
        _settle(crew)
        with paused([one.process for one in crew]):
            contender.fill(tasks)
            left, since = contender.left(tasks), time.monotonic()
        end = crew[0].wait(lambda: _ran(crew) >= tasks and left() <= 0)
        ran = _ran(crew)
    _check(tasks, ran)
    return {"tasks/s": tasks / (end - since), "tasks": float(tasks)}


def drain_aged(name: str, contender: Contender, tasks: int) -> Numbers:
    """The drain rate of a table with only those tasks in it, and of the same table with finished ones before them."""
    part = min(tasks // 100, contender.drain_at_most)
    empty = drain(name, contender, part)["tasks/s"]
    _age(name, contender, part, tasks)
    aged = drain(name, contender, part, number=1)["tasks/s"]
    return {"tasks/s in an empty table": empty, "tasks/s among finished ones": aged, "among finished ÷ empty": aged / empty}


def drain_pinned(name: str, contender: Contender, tasks: int) -> Numbers:
    """The drain rate of the first two and the last two of six rounds in one table, while another session holds a snapshot from before them."""
    if contender.postgres is None:
        raise NotOffered("no server that keeps what a snapshot may see")
    with contender.postgres.session() as reader:
        reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.value("SELECT count(*) FROM pg_class")
        rates = [drain(name, contender, tasks, number)["tasks/s"] for number in range(ROUNDS)]
        reader.run("ROLLBACK")
    first, last = sum(rates[:2]) / 2, sum(rates[-2:]) / 2
    return {"tasks/s in the first two rounds": first, "tasks/s in the last two": last, "last ÷ first": last / first}


def flat(name: str, contender: Contender, tasks: int) -> Numbers:
    """The drain rate at the start of a backlog of ``tasks`` and at its end, each over a tenth of it."""
    contender.fill(tasks)
    finished, part = contender.finished(), tasks // 10
    with worker(name, contender) as one:
        marks = [_mark(one, finished, goal) for goal in (1, part, tasks - part, tasks)]
    start, end = _rates(marks)
    return {"tasks/s with the backlog full": start, "tasks/s with it nearly empty": end, "full ÷ empty": start / end}


def _check(tasks: int, ran: int) -> None:
    if ran != tasks:
        raise RuntimeError(f"{tasks} tasks were pushed but {ran} handlers started.")


def _ran(crew: list[Worker]) -> int:
    return sum(one.trace.count for one in crew)


def _settle(crew: list[Worker]) -> None:
    """Wait until all have started and wait for tasks."""
    deadline = time.monotonic() + SETTLE_LIMIT
    while not all(is_quiet(one.process.pid) for one in crew) and time.monotonic() < deadline:
        pass


def _age(name: str, contender: Contender, present: int, tasks: int) -> None:
    """Bring the number of finished tasks from ``present`` to ``tasks``, by copying where the queue's tables are known, else by running as many."""
    try:
        contender.age(tasks)
    except NotOffered:
        _run(name, contender, tasks - present)
    if contender.postgres is not None:
        with contender.postgres.session() as session:
            session.run("VACUUM (ANALYZE)")
            session.run("CHECKPOINT")


def _run(name: str, contender: Contender, tasks: int) -> None:
    with worker(name, contender, number=2) as one:
        for start in range(0, tasks, AGING):
            part = min(AGING, tasks - start)
            contender.fill(part)
            _finish(one, start + part, contender.left(part))


def _finish(one: Worker, tasks: int, left: Callable[[], int]) -> float:
    """When all had run and were stored as finished. The store is asked no sooner than it can be true, so as not to take its time."""
    return one.wait(lambda: one.trace.count >= tasks and left() <= 0)


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
