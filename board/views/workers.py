"""Workers: all of them, and one process life with what it runs."""

from collections.abc import Mapping
from typing import Final

from board.contexts import Fact, HeldPart, WorkerHeadPart, WorkerPage, WorkersPage, WorkersPart
from board.filters import duration, plural, visible
from board.params import short
from board.screen import Ask, Fragment, NotFound, Screen
from board.views.rows import Crew, task_row, worker_row, worker_sentence
from queue_core.expose import BootId, Status, TaskFilter, WorkerInfo

SHOWN: Final = 200
LOOKED_AT: Final = 1_000
HELD: Final = 100


async def workers(ask: Ask, _: Mapping[str, str]) -> Screen:
    """Every worker, the living first."""
    crew = await Crew.of(ask)
    live, ended = crew.live, [worker for worker in crew.workers if not worker.is_live(crew.now)]
    part = WorkersPart(
        live=tuple(worker_row(ask, worker, crew.now) for worker in live),
        ended=tuple(worker_row(ask, worker, crew.now) for worker in ended),
        slots=sum(worker.concurrency for worker in live),
        running=sum(worker.running for worker in live),
        capped=len(crew.workers) >= SHOWN,
    )
    return Screen(
        template="workers/index.html",
        page=WorkersPage(heading="Workers"),
        title="Workers",
        nav="workers",
        fragments=(
            Fragment(id="workers-list", template="workers/_list.html", context=part),
            _held_fragment(await _held(ask, crew)),
            Fragment(id="workers-ended", template="workers/_ended.html", context=part),
        ),
    )


async def worker(ask: Ask, named: Mapping[str, str]) -> Screen:
    """One process life of a worker. Raises NotFound."""
    boot = BootId(named["boot"])
    known = await ask.store.list_workers(limit=LOOKED_AT)
    found = next((worker for worker in known if worker.boot == boot), None)
    if found is None:
        raise NotFound(f"There is no worker with the boot id {short(boot)}. It was never here, or retention removed it.")
    crew = Crew(tuple(known), await ask.store.now())
    held = await _held(ask, crew, boot)
    head = WorkerHeadPart(worker=worker_row(ask, found, crew.now), sentence=worker_sentence(found, crew.now, _runs(held)), facts=_facts(ask, found))
    return Screen(
        template="workers/show.html",
        page=WorkerPage(name=visible(found.name)),
        title=visible(found.name),
        nav="workers",
        fragments=(
            Fragment(id="worker-head", template="workers/_head.html", context=head),
            _held_fragment(held),
        ),
    )


async def _held(ask: Ask, crew: Crew, boot: BootId | None = None) -> HeldPart:
    """What one worker holds, or all of them."""
    held = await ask.store.list_tasks(TaskFilter(boot=boot, statuses=(Status.RUNNING, Status.QUEUED)), limit=HELD)
    rows = tuple(task_row(ask, task, crew) for task in held.tasks)
    return HeldPart(tasks=rows, capped=held.older is not None, several=boot is None)


def _held_fragment(held: HeldPart) -> Fragment:
    return Fragment(id="workers-held", template="workers/_held.html", context=held)


def _runs(held: HeldPart) -> str:
    """How many tasks run, as the list beside it says; a worker itself says so only with its next heartbeat."""
    running = sum(task.status == Status.RUNNING.value.lower() for task in held.tasks)
    return f"{running}+ tasks" if held.capped else plural(running, "task")


def _facts(ask: Ask, worker: WorkerInfo) -> tuple[Fact, ...]:
    names = "any" if worker.names is None else ", ".join(worker.names) or "none"
    return (
        _fact("Boot id", worker.boot, code=True),
        _fact("Handles", names),
        _fact("Middleware", ", ".join(worker.middleware) or "none"),
        _fact("Lease", duration(worker.lease_ttl)),
        _fact("Store", ask.store.kind),
    )


def _fact(label: str, text: str, *, code: bool = False) -> Fact:
    return Fact(label=label, text=visible(text), at=None, seconds=None, href=None, code=code)
