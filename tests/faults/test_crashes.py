"""Workers that die, freeze or misbehave. What a producer was told is stored must reach exactly one final state."""

import asyncio
import collections
import signal
from pathlib import Path

import pytest

from queue_core import App, NewTask
from queue_core.codec import JsonCodec
from queue_core.expose import Connected, Counts, QueueName, Status, TaskFilter, TaskId, connect
from tests.faults.watching import Watcher, watched
from tests.faults.workers import Site, eventually, site
from tests.stores import ON_EVERY_SERVED_STORE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
WORK = QueueName("work")
KILLS = 2
TASKS = 1_000


async def opened(place: Site) -> Connected:
    connected = connect(place.url)
    await connected.backend.open()
    return connected


def new(name: str, **args: object) -> NewTask:
    return NewTask(name=name, queue=WORK, args=JsonCodec().encode(args), max_attempts=20)


async def push(connected: Connected, *tasks: NewTask) -> list[TaskId]:
    return [pushed.task.id for pushed in await connected.backend.push(tasks)]


async def work_counts(connected: Connected) -> Counts:
    return (await connected.expose.counts()).get(WORK, Counts())


async def until(connected: Connected, what: str, condition: "collections.abc.Callable[[Counts], bool]", place: Site, within: float = 60.0) -> Counts:
    async with asyncio.timeout(within):
        try:
            while not condition(counts := await work_counts(connected)):
                await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"{what} did not happen; now {counts}\n{place.logs()}")
        return counts


@ON_EVERY_SERVED_STORE
async def test_a_thousand_tasks_survive_two_killed_workers_and_the_board_shows_it(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        ids = await push(connected, *(new("step", number=number, pause=0.08) for number in range(TASKS)))
        with watched(store_url, "/", "/workers") as (overview, workers):
            await strike(connected, place, overview, workers)
        await account(connected, place, ids)
        await connected.backend.close()


async def strike(connected: Connected, place: Site, overview: Watcher, workers: Watcher) -> None:
    """Kill workers while they work, until every task is done; the board's open pages must show all of it."""
    place.worker("steady")
    for life in range(KILLS):
        victim = place.worker(f"victim-{life}")
        before = len(place.events("end"))
        eventually("the victim working", lambda: any(w == f"victim-{life}" for _, _, w in place.events("end")), site=place)  # noqa: B023
        eventually("work going on", lambda: len(place.events("end")) > before + 50, site=place)  # noqa: B023
        eventually("the board showing the victim", lambda: workers.showed(shown_as(f"victim-{life}", "running")), site=place)  # noqa: B023
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
    counts = await until(connected, "every task done", lambda counts: counts.done + counts.killed == TASKS, place)
    assert counts == Counts(done=TASKS)
    eventually("the board showing every task done", lambda: overview.numbers(SHOWN_DONE)[-1:] == [TASKS], site=place)
    for life in range(KILLS):
        eventually("the board showing the victim lost", lambda: workers.showed(shown_as(f"victim-{life}", "lost")), site=place)  # noqa: B023
    assert not workers.showed(shown_as("steady", "lost"))
    done = overview.numbers(SHOWN_DONE)
    assert done == sorted(done) and len(set(done)) > 5, f"the count of Done grew before the reader's eyes: {done}"
    assert done[0] < TASKS


SHOWN_DONE = r'id="overview-counts".*?data-status="done".*?class="stat-value">([\d,]+)<'


def shown_as(worker: str, state: str) -> str:
    """How the list of workers shows a worker in a state."""
    return rf'>{worker}</a></th><td><span class="pill" data-status="worker-{state}"'


async def account(connected: Connected, place: Site, ids: list[TaskId]) -> None:
    """Every run is explained by a crash, and no task is lost."""
    crashed = await crash_counts(connected, ids)
    runs = place.runs()
    assert set(runs) == set(range(TASKS)), "no task is lost"
    for number, id in enumerate(ids):
        assert runs[number] <= 1 + crashed[id], f"task {number} ran {runs[number]} times with {crashed[id]} crashes to explain it"
    assert sum(crashed.values()) >= KILLS, "the killed workers held tasks, and history says so"
    again = {number for number, times in place.runs("end").items() if times > 1}
    assert all(crashed[ids[number]] for number in again), "nothing completes again without a crash"


async def crash_counts(connected: Connected, ids: list[TaskId]) -> dict[TaskId, int]:
    """How many workers died under each task, as the store remembers."""
    tasks = [task for start in range(0, len(ids), 500) for task in await connected.expose.summaries(ids[start : start + 500])]
    assert all(task.status is Status.DONE for task in tasks)
    return {task.id: task.crashes for task in tasks}


@ON_EVERY_SERVED_STORE
async def test_a_frozen_worker_changes_nothing_when_it_continues(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        gate = tmp_path / "gate"
        (id,) = await push(connected, new("long", number=1, until=str(gate)))
        frozen = place.worker("frozen", concurrency=1)
        eventually("the task starting", lambda: place.runs()[1] == 1, site=place)
        frozen.send_signal(signal.SIGSTOP)

        place.worker("other", concurrency=1)
        eventually("the other worker taking over", lambda: place.runs()[1] == 2, within=30, site=place)
        gate.touch()
        await until(connected, "the other worker finishing", lambda counts: counts.done == 1, place)
        finished = await connected.expose.fetch(id)
        assert finished is not None
        assert finished.worker == "other"

        frozen.send_signal(signal.SIGCONT)
        eventually("the frozen worker noticing", lambda: _noticed((tmp_path / "frozen.log").read_text()), site=place)
        (after,) = await push(connected, new("step", number=2))  # both live on and the store still works
        await until(connected, "a later task done", lambda counts: counts.done == 2, place)
        assert await connected.expose.fetch(id) == finished, "the late worker changed nothing"
        assert await connected.expose.fetch(after) is not None
        await connected.backend.close()


@ON_EVERY_SERVED_STORE
async def test_a_task_goes_on_from_its_checkpoint_when_its_worker_was_killed(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        (id,) = await push(connected, new("walk", number=1, pages=100))
        victim = place.worker("victim", concurrency=1)
        eventually("some pages done", lambda: place.runs("page-20")[1] == 1, site=place)
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
        kept = await connected.expose.fetch(id)
        assert kept is not None and kept.checkpoint is not None
        page = int(kept.checkpoint)
        assert page >= 19
        place.worker("heir", concurrency=1)
        await until(connected, "the task done", lambda counts: counts.done == 1, place)
        assert place.runs(f"from-{page + 1}")[1] == 1
        assert all(place.runs(f"page-{done}")[1] == 1 for done in range(1, page + 1)), "no page that was kept is done again"
        await connected.backend.close()


def _noticed(log: str) -> bool:
    """Whether the worker heard that its lease is gone: by its ack, or by the heartbeat that came first."""
    return "The lease of task" in log or "was declared lost" in log


@ON_EVERY_SERVED_STORE
async def test_a_poison_task_ends_killed_and_its_neighbours_finish(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        (poison,) = await push(connected, new("poison", number=0))
        neighbours = await push(connected, *(new("step", number=number) for number in range(1, 21)))
        for life in range(6):  # what a supervisor does
            if (counts := await work_counts(connected)).live == 0:
                break
            process = place.worker(f"life-{life}", concurrency=2, lease_ttl=1.0)
            await until_ended_or_idle(connected, process, place)
        else:
            counts = await work_counts(connected)
        assert counts == Counts(done=len(neighbours), killed=1), place.logs()
        task = await connected.expose.fetch(poison)
        assert task is not None
        assert task.reason == "crashed"
        assert task.crashes == 4, "three crashes are forgiven, the fourth is final"
        await connected.backend.close()


async def until_ended_or_idle(connected: Connected, process: "object", place: Site) -> None:
    async with asyncio.timeout(40):
        while place.processes[-1].poll() is None and (await work_counts(connected)).live:
            await asyncio.sleep(0.05)


@ON_EVERY_SERVED_STORE
async def test_a_restarted_worker_with_the_same_name_leaves_nothing_stranded(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        gate = tmp_path / "gate"
        await push(connected, new("long", number=1, until=str(gate)))
        first = place.worker("same", concurrency=1, lease_ttl=60)
        eventually("the task starting", lambda: place.runs()[1] == 1, site=place)
        first.kill()
        first.wait(10)
        gate.touch()
        place.worker("same", concurrency=1, lease_ttl=60)  # far sooner than the lease of its first life runs out
        await until(connected, "the task done by the next life", lambda counts: counts.done == 1, place, within=20)
        await connected.backend.close()


@ON_EVERY_SERVED_STORE
async def test_a_handler_that_blocks_the_event_loop_is_not_declared_dead(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        await push(connected, new("hog", number=1, pause=5.0))
        place.worker("hogged", concurrency=1, lease_ttl=1.5)
        place.worker("watcher", concurrency=1, lease_ttl=1.5)
        await until(connected, "the hog done", lambda counts: counts.done == 1, place)
        assert place.runs()[1] == 1
        workers = {worker.name: worker.state for worker in await connected.expose.list_workers()}
        assert workers == {"hogged": "running", "watcher": "running"}
        await connected.backend.close()


@ON_EVERY_SERVED_STORE
async def test_sigterm_drains_what_runs_and_gives_back_what_does_not(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        await push(connected, *(new("step", number=number, pause=0.5) for number in range(40)))
        process = place.worker("leaving", concurrency=4)
        eventually("work going on", lambda: len(place.events("end")) >= 4, site=place)
        process.terminate()
        assert process.wait(15) == 0, place.logs()
        counts = await work_counts(connected)
        assert counts.queued == counts.running == counts.failed == counts.killed == 0
        assert counts.done == len(place.events("end")) == len(place.events("start")), "what started finished and was acked"
        leased = await connected.expose.list_tasks(TaskFilter(queue=WORK, statuses=(Status.QUEUED, Status.RUNNING)))
        assert leased.tasks == []
        await connected.backend.close()


@ON_EVERY_SERVED_STORE
async def test_two_processes_run_each_handler_exactly_once(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        place.worker("one")
        place.worker("two")
        for start in range(0, 2_000, 100):
            await push(connected, *(new("step", number=number, pause=0) for number in range(start, start + 100)))
        await until(connected, "every task done", lambda counts: counts.done == 2_000, place)
        assert place.runs() == collections.Counter(range(2_000))
        assert {worker for _, _, worker in place.events("start")} == {"one", "two"}
        await connected.backend.close()


def test_the_fault_tasks_are_registered() -> None:
    from tests.faults.tasks import app

    assert isinstance(app, App)
