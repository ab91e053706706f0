"""What mypy and pyright must accept, with the types that they must see. Never run."""

from typing import Annotated, Any, assert_type

from queue_core import INJECTED, App, Data, Retry, Status, TaskDefinition, TaskHandle, TaskId, WorkerContext

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
