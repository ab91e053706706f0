"""What mypy and pyright must accept, with the types that they must see. Never run."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, assert_type

from queue_core import (
    INJECTED,
    App,
    Call,
    Data,
    Depends,
    Gate,
    Meta,
    Metadata,
    Next,
    Progress,
    Retry,
    Status,
    TaskDefinition,
    TaskHandle,
    TaskId,
    WorkerContext,
)
from queue_core.events import TaskEnded

app = App("memory://")


class Smtp:
    """Some service."""


@app.task
async def bare(n: int) -> str:
    """A definition without options."""
    return str(n)


@app.task(queue="email", max_attempts=5, timeout=30, retry=Retry(backoff="exponential", min=1, max=300))
async def send(user_id: int, *, subject: str = "Hello", smtp: Annotated[Smtp, Data()] = INJECTED, ctx: WorkerContext = INJECTED) -> float:
    """A definition with everything."""
    return 1.0


@app.task(executor="process", keep_result=False)
def crunch(numbers: list[int]) -> int:
    """A plain function."""
    return sum(numbers)


class AtMost(Gate):
    """A middleware with a lifespan and a gate."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def room(self) -> int:
        """Some."""
        return 1

    async def __call__(self, call: Call, next: Next) -> Any:
        """Go on."""
        return await next(call)


async def through(call: Call, next: Next) -> Any:
    """A plain middleware."""
    return await next(call)


async def audit(ended: TaskEnded) -> None:
    """A hook."""


around = App("memory://", middleware=[through, AtMost()], on_ack=audit)


async def open_session(ctx: WorkerContext) -> AsyncIterator[Smtp]:
    """A dependency."""
    yield Smtp()


@app.task
async def everything(
    user_id: int,
    *,
    session: Annotated[Smtp, Depends(open_session)] = INJECTED,
    trace: Annotated[str | None, Meta("trace")] = None,
    metadata: Metadata = INJECTED,
    progress: Progress = INJECTED,
) -> str:
    """All that can be injected."""
    await progress(0.5, str(metadata))
    return f"{session} {trace}"


async def inject() -> None:
    """Nothing of it is asked for."""
    assert_type(await everything.push(42), TaskHandle[str])
    with app.override(open_session, Smtp):
        assert_type(await everything(42, session=Smtp()), str)
    around.worker(middleware=[through], on_ack=[audit, audit])


async def use() -> None:
    """Every way to push, call and follow."""
    handle = await send.push(user_id=42)
    assert_type(handle, TaskHandle[float])
    assert_type(await handle.result(timeout=10), float)
    assert_type(await send.using(run_after=60, priority=10, key="welcome-42", tags=["a"]).push(42, subject="Hi"), TaskHandle[float])
    assert_type(await send.push_many({"user_id": n} for n in range(10)), list[TaskHandle[float]])
    assert_type(await send(1), float)
    assert_type(await bare(1), str)
    assert_type(await bare.push(n=1), TaskHandle[str])
    assert_type(crunch([1]), int)
    assert_type(await (await crunch.push([1, 2])).result(), int)
    definitions: list[TaskDefinition[..., Any]] = [bare, send, crunch]
    assert definitions
    assert_type(await send.handle(handle.id), TaskHandle[float])
    assert_type(await app.handle("some id"), TaskHandle[Any])
    assert_type([task.id async for task in app.wait_for([handle, "some id"], timeout=3)], list[TaskId])
    assert_type(await handle.status(), Status)
    await handle.update(arguments={"user_id": 43}, priority=1, timeout=None)
    await send.using(key="user-42", unique="live").push(42)
    await send.using(key="user-42", unique=60.0).push(42)
    await send.using(key="user-42", debounce=5, debounce_max=60).push(42)
