"""Small steps that the tests are told in."""

import asyncio
import itertools
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from queue_core.backend import Claims, Rescued, Wakeups
from queue_core.clock import HandWoundClock
from queue_core.expose import ALL_TOPICS, Actor, Connected, Counts, QueueInfo, TaskFilter, Topic, queue_topic
from queue_core.expose import Page as TaskPage
from queue_core.ids import BootId, QueueName, TaskId, new_boot_id
from queue_core.outcome import Ack, Errored, Outcome, Succeeded, settle
from queue_core.status import Status
from queue_core.task import DEFAULT_QUEUE, Claim, ErrorInfo, NewTask, Task, TaskSummary
from queue_core.worker_info import Beat, Registration, WorkerState

T = TypeVar("T")

ME = Actor(name="olga", reason="because")
BOOM = ErrorInfo(type="builtins.ValueError", message="boom", traceback="Traceback: boom")
FAILED = Errored(BOOM)
TTL = 30.0
"""Seconds that the leases of the test's workers last."""
PATIENCE = 20.0
"""Seconds after which a test gives up on something that must happen."""

_numbers = itertools.count(1)


# --- producing -----------------------------------------------------------------------------------------


def new_task(name: str = "work", **changes: Any) -> NewTask:
    return NewTask(name=name, **{"args": b"{}", **changes})


async def push_one(connected: Connected, name: str = "work", **changes: Any) -> Task:
    pushed = await connected.backend.push([new_task(name, **changes)])
    task: Task = pushed[0].task
    return task


async def fetch(connected: Connected, id: TaskId) -> Task:
    task = await connected.expose.fetch(id)
    assert task is not None, f"{id} is not stored"
    return task


async def status_of(connected: Connected, id: TaskId) -> Status:
    return (await fetch(connected, id)).status


# --- workers -------------------------------------------------------------------------------------------


def registration(name: str | None = None, **changes: Any) -> Registration:
    usual: dict[str, Any] = {
        "boot": new_boot_id(),
        "name": name or f"worker-{next(_numbers)}",
        "queues": (DEFAULT_QUEUE,),
        "names": None,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "process": "this one",
        "version": "1",
        "middleware": (),
        "concurrency": 4,
        "lease_ttl": TTL,
    }
    return Registration(**{**usual, **changes})


async def registered(connected: Connected, name: str | None = None, **changes: Any) -> BootId:
    worker = registration(name, **changes)
    await connected.backend.register(worker)
    return worker.boot


def beat(boot: BootId, state: WorkerState = WorkerState.RUNNING, running: int = 0, **changes: Any) -> Beat:
    return Beat(boot=boot, state=state, running=running, **changes)


async def lose_workers(connected: Connected, clock: HandWoundClock) -> Rescued:
    """Let all leases run out and the rescuer come by."""
    clock.advance(TTL + 1)
    rescued: Rescued = await connected.backend.rescue()
    return rescued


# --- queues --------------------------------------------------------------------------------------------


async def pause(connected: Connected, queue: str = DEFAULT_QUEUE) -> QueueInfo:
    return await connected.expose.pause(QueueName(queue), actor=ME)


async def resume(connected: Connected, queue: str = DEFAULT_QUEUE) -> QueueInfo:
    return await connected.expose.resume(QueueName(queue), actor=ME)


async def queue_info(connected: Connected, queue: str = DEFAULT_QUEUE) -> QueueInfo:
    info = await connected.expose.fetch_queue(QueueName(queue))
    assert info is not None, f"nobody named {queue}"
    return info


async def counts_of(connected: Connected, queue: str = DEFAULT_QUEUE) -> Counts:
    return (await connected.expose.counts())[QueueName(queue)]


# --- running tasks -------------------------------------------------------------------------------------


async def ask(
    connected: Connected,
    boot: BootId,
    *queues: str,
    limit: int = 10,
    start: int = 0,
    names: Sequence[str] | None = None,
) -> Claims:
    claims: Claims = await connected.backend.claim(
        boot, [QueueName(queue) for queue in queues or (DEFAULT_QUEUE,)], names=names, limit=limit, start=start
    )
    return claims


async def claim(connected: Connected, boot: BootId, *queues: str, limit: int = 10, start: int = 0) -> list[Claim]:
    return (await ask(connected, boot, *queues, limit=limit, start=start)).tasks


async def claimed(connected: Connected, **task: Any) -> Claim:
    """A task that was pushed and claimed, by a worker of its own."""
    return await _taken(connected, 0, task)


async def running(connected: Connected, **task: Any) -> Claim:
    """A task that was pushed, claimed and started, by a worker of its own."""
    return await _taken(connected, 1, task)


async def _taken(connected: Connected, start: int, changes: dict[str, Any]) -> Claim:
    task = await push_one(connected, **changes)
    boot = await registered(connected, queues=(task.queue,))
    return await take(connected, task.id, boot, start=start)


async def take(connected: Connected, id: TaskId, boot: BootId, *, start: int = 1) -> Claim:
    """Claim one task that is due, and that is the first in its queue."""
    queue = (await fetch(connected, id)).queue
    [found] = await claim(connected, boot, queue, limit=1, start=start)
    assert found.id == id
    return found


def ack_of(claim: Claim, outcome: Outcome, ran_for: float = 0.5) -> Ack:
    return settle(claim.lease, outcome, attempt=claim.attempt, max_attempts=claim.max_attempts, ran_for=ran_for)


async def finish(connected: Connected, claim: Claim, outcome: Outcome | None = None, ran_for: float = 0.5) -> bool:
    """Ack one attempt, as succeeded unless said otherwise. Whether the lease held."""
    [held] = await connected.backend.ack([ack_of(claim, outcome or Succeeded(), ran_for)])
    assert isinstance(held, bool)
    return held


async def done(connected: Connected, **task: Any) -> Task:
    """A task that succeeded."""
    claim = await running(connected, **task)
    assert await finish(connected, claim)
    return await fetch(connected, claim.id)


async def failed(connected: Connected, retry_in: float = 60.0, **task: Any) -> Task:
    """A task that failed once and will be attempted again."""
    claim = await running(connected, **task)
    assert await finish(connected, claim, Errored(BOOM, retry_in=retry_in))
    return await fetch(connected, claim.id)


async def killed(connected: Connected, **task: Any) -> Task:
    """A task whose only attempt failed."""
    return await failed(connected, **{"max_attempts": 1, **task})


async def in_state(connected: Connected, status: Status, **task: Any) -> TaskId:
    """A task in any state."""
    match status:
        case Status.PENDING:
            return (await push_one(connected, **task)).id
        case Status.QUEUED:
            return (await claimed(connected, **task)).id
        case Status.RUNNING:
            return (await running(connected, **task)).id
        case Status.DONE:
            return (await done(connected, **task)).id
        case Status.FAILED:
            return (await failed(connected, **task)).id
        case Status.KILLED:
            return (await killed(connected, **task)).id


# --- waiting for conditions ----------------------------------------------------------------------------


async def soon(iterator: AsyncIterator[T]) -> T:
    """The next item, which must come."""
    return await asyncio.wait_for(anext(iterator), PATIENCE)


async def settle_down(wakeups: Wakeups) -> None:
    """Let earlier wake-ups pass."""
    while await wakeups.wait(0.01):
        pass


class Seen:
    """The topics that a watch yielded."""

    def __init__(self) -> None:
        self.topics: set[Topic] = set()
        self._more = asyncio.Condition()

    async def add(self, topics: frozenset[Topic]) -> None:
        async with self._more:
            self.topics |= topics
            self._more.notify_all()

    async def wait_for(self, *wanted: str) -> None:
        """Until all of ``wanted`` were announced."""
        async with self._more:
            complete = self._more.wait_for(lambda: ALL_TOPICS in self.topics or {Topic(topic) for topic in wanted} <= self.topics)
            await asyncio.wait_for(complete, PATIENCE)


@asynccontextmanager
async def watching(connected: Connected, through: Connected | None = None) -> AsyncIterator[Seen]:
    """A watch that has begun for certain: it saw a change of a queue that nobody else uses."""
    seen = Seen()
    task = asyncio.create_task(_collect(through or connected, seen))
    while queue_topic("probe") not in seen.topics:
        await push_one(connected, queue="probe")
        await asyncio.sleep(0.01)
    seen.topics.clear()
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _collect(connected: Connected, seen: Seen) -> None:
    async for topics in connected.expose.watch():
        await seen.add(topics)


# --- the books ------------------------------------------------------------------------------------------


async def listed(connected: Connected, filter: TaskFilter | None = None, limit: int = 100) -> list[TaskSummary]:
    """All tasks that fulfil a filter, through every page."""
    tasks: list[TaskSummary] = []
    page: TaskPage | None = None
    while page is None or page.older is not None:
        page = await connected.expose.list_tasks(filter or TaskFilter(), start=page.older if page else None, limit=limit)
        tasks += page.tasks
    return tasks


async def check_books(connected: Connected) -> None:
    """The counters say what a full listing says, and every task is sound."""
    tasks = await listed(connected)
    seen: dict[str, Counter[str]] = {}
    for task in tasks:
        seen.setdefault(task.queue, Counter())[task.status.value] += 1
        _check_task(task)
    counts = {queue: count for queue, count in (await connected.expose.counts()).items() if count.total}
    assert counts == {queue: Counts.from_mapping(count) for queue, count in seen.items()}
    now = await connected.expose.now()
    for info in await connected.expose.list_queues():
        assert info.counts == counts.get(info.name, Counts())
        assert info.scheduled == sum(task.is_scheduled(now) for task in tasks if task.queue == info.name)


def _check_task(task: TaskSummary) -> None:
    assert task.status.is_final == (task.done_at is not None), task
    assert (task.status is Status.KILLED) == (task.reason is not None), task
    assert 0 <= task.attempts <= task.max_attempts, task
    assert not task.status.is_leased or task.boot is not None, task
