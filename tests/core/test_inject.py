"""What handlers get beside their stored arguments."""

from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import pytest

from queue_core import (
    INJECTED,
    App,
    AttemptNumber,
    Data,
    InvalidValue,
    KillReason,
    Meta,
    Metadata,
    MissingData,
    Progress,
    QueueName,
    Status,
    TaskId,
    WorkerContext,
)
from queue_core.testing import drain, run_inline
from tests.core.steps import PATIENCE, becomes, working


@dataclass
class Smtp:
    host: str


class SecureSmtp(Smtp):
    pass


class Sender(Protocol):
    host: str


async def test_data_comes_by_type_from_the_app_and_from_the_worker(app: App) -> None:
    @app.task
    async def send(to: str, *, smtp: Annotated[Smtp, Data()] = INJECTED, count: Annotated[int, Data] = INJECTED) -> str:
        return f"{to} by {smtp.host} {count}"

    app.provide(SecureSmtp("secure"))
    handle = await send.push("ada")
    async with working(app, data=[3]):
        assert await handle.result(timeout=PATIENCE) == "ada by secure 3"


async def test_a_handler_may_take_more_than_anybody_counts(app: App) -> None:
    Fact = Annotated[int, Meta("n")]

    @app.task
    async def add(
        n: int,
        a: Fact = INJECTED, b: Fact = INJECTED, c: Fact = INJECTED, d: Fact = INJECTED, e: Fact = INJECTED, f: Fact = INJECTED,
        g: Fact = INJECTED, h: Fact = INJECTED, i: Fact = INJECTED, j: Fact = INJECTED, k: Fact = INJECTED, t: Fact = INJECTED,
        m: Fact = INJECTED, o: Fact = INJECTED, p: Fact = INJECTED, q: Fact = INJECTED, r: Fact = INJECTED, s: Fact = INJECTED,
    ) -> int:  # fmt: skip
        return sum([n, a, b, c, d, e, f, g, h, i, j, k, t, m, o, p, q, r, s])

    handle = await add.using(metadata={"n": 2}).push(1)
    await drain(app)
    assert await handle.result(0) == 37


async def test_the_annotation_alone_is_enough_at_run_time(app: App) -> None:
    @app.task
    async def send(to: str, *, smtp: Annotated[Smtp, Data()], ctx: WorkerContext) -> str:
        return f"{to} {smtp.host} {ctx.queue}"

    app.provide(Smtp("exact"))
    app.provide(SecureSmtp("other"))
    untyped: Any = send
    handle = await untyped.push(to="bob")
    await drain(app)
    assert await handle.result(0) == "bob exact default"


async def test_data_can_be_provided_as_another_type(app: App) -> None:
    @app.task
    async def send(*, sender: Annotated[Sender, Data()] = INJECTED) -> str:
        return sender.host

    app.provide(Smtp("as sender"), kind=Sender)
    assert await run_inline(send) == "as sender"


async def test_facts_about_the_run(app: App) -> None:
    @app.task(queue="letters")
    async def tell(
        id: TaskId = INJECTED, queue: QueueName = INJECTED, attempt: AttemptNumber = INJECTED, ctx: WorkerContext = INJECTED
    ) -> dict[str, Any]:
        return {"id": id, "queue": queue, "attempt": attempt, "meta": dict(ctx.metadata), "max": ctx.max_attempts, "worker": ctx.worker}

    handle = await tell.using(metadata={"trace": "x"}, max_attempts=9).push()
    async with working(app, name="w"):
        told = await handle.result(timeout=PATIENCE)
    assert told == {"id": handle.id, "queue": "letters", "attempt": 1, "meta": {"trace": "x"}, "max": 9, "worker": "w"}


async def test_a_task_id_without_the_mark_is_an_ordinary_argument(app: App) -> None:
    @app.task
    async def follow(other: TaskId) -> str:
        return other

    handle = await follow.push(TaskId("abc"))
    await drain(app)
    assert await handle.result(0) == "abc"


async def test_missing_data_is_found_before_anything_is_claimed(app: App) -> None:
    @app.task
    async def send(*, smtp: Annotated[Smtp, Data()] = INJECTED) -> None: ...

    await send.push()
    with pytest.raises(
        MissingData, match=r"send\(smtp\) asks for a Smtp, but the worker was given nothing\. Call app\.provide\(Smtp\(…\)\) before it starts\."
    ):
        app.worker()


async def test_the_mark_needs_a_type(memory_app: App) -> None:
    @memory_app.task
    async def vague(what=INJECTED) -> None: ...  # type: ignore[no-untyped-def]

    with pytest.raises(InvalidValue, match="vague: what = INJECTED needs a type"):
        await vague.push()


async def test_annotations_that_cannot_be_resolved_are_named(memory_app: App) -> None:
    @memory_app.task
    async def lost(x: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InvalidValue, match="lost: its annotations cannot be resolved: name 'Nowhere' is not defined"):
        await lost.push(x=1)


async def test_the_context_knows_when_its_task_was_pushed_came_due_and_how_long_it_may_run(app: App) -> None:
    @app.task
    async def tell(ctx: WorkerContext = INJECTED) -> dict[str, Any]:
        return {
            "due": ctx.run_at,
            "pushed": ctx.created_at,
            "priority": ctx.priority,
            "crashes": ctx.crashes,
            "left": ctx.remaining,
            "end": ctx.ending,
        }

    limited, free = await tell.using(priority=3, timeout=60).push(), await tell.push()
    async with working(app):
        told = await limited.result(timeout=PATIENCE)
        assert (await free.result(timeout=PATIENCE))["left"] is None
    task = await limited.fetch()
    assert told["pushed"] == task.created_at.isoformat().replace("+00:00", "Z")
    assert (told["priority"], told["crashes"], told["end"]) == (3, 0, None)
    assert 0 < told["left"] <= 60


# --- metadata and progress ------------------------------------------------------------------------------


@dataclass
class TraceInfo:
    id: int
    sampled: bool = False


async def test_metadata_comes_as_a_whole_and_by_entry_as_the_annotated_type(app: App) -> None:
    @app.task
    async def traced(
        n: int,
        *,
        trace: Annotated[TraceInfo, Meta("trace")] = INJECTED,
        tenant: Annotated[str | None, Meta("tenant")] = None,
        any: Annotated[Any, Meta("trace")] = INJECTED,
        metadata: Metadata = INJECTED,
    ) -> list[Any]:
        assert trace == TraceInfo(7, True)
        return [n, tenant, any, dict(metadata)]

    entry = {"id": 7, "sampled": True}
    handle = await traced.using(metadata={"trace": entry, "other": 1}).push(5)
    async with working(app):
        assert await handle.result(timeout=PATIENCE) == [5, None, entry, {"trace": entry, "other": 1}]


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"other": 1}, "traced(trace) asks for the metadata 'trace', and this task has other. Push it with metadata={'trace': …}."),
        ({"trace": {"id": "x"}}, "traced(trace): the metadata 'trace' must be TraceInfo, got {'id': 'x'}."),
    ],
)
async def test_metadata_that_is_missing_or_wrong_ends_the_task_at_once(app: App, metadata: dict[str, Any], sentence: str) -> None:
    @app.task
    def traced(trace: Annotated[TraceInfo, Meta("trace")] = INJECTED) -> None: ...

    handle = await traced.using(metadata=metadata).push()
    async with working(app):
        task = await becomes(handle, Status.KILLED)
    assert (task.reason, task.attempts) == (KillReason.ABORTED, 1)
    assert str(task.error).startswith(f"MetadataError: {sentence}")


def halve_in_a_child(progress: Progress = INJECTED) -> None:
    progress(0.5, "in a child")


async def test_progress_is_reported_by_a_reporter_of_its_own(app: App) -> None:
    @app.task
    async def halve(progress: Progress) -> None:
        assert await progress(0.5, "on the loop")

    @app.task
    def halve_in_a_thread(progress: Progress = INJECTED) -> None:
        progress(0.5, "in a thread")

    untyped: Any = halve
    child = app.task(executor="process")(halve_in_a_child)
    handles = [await untyped.push(), await halve_in_a_thread.push(), await child.push()]
    async with working(app):
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    tasks = [await handle.fetch() for handle in handles]
    assert [(task.progress, task.progress_note) for task in tasks] == [(0.5, f"{where}") for where in ("on the loop", "in a thread", "in a child")]
