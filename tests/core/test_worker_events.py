"""What a worker tells its listeners."""

import pytest

from queue_core import App, Retry
from queue_core.events import Custom, Error, Event, GivenBack, HeartBeat, Idle, Start, Stop, Success, TaskStarted
from tests.core.steps import PATIENCE, eventually, working


async def test_a_stream_gives_every_event_in_order_and_ends_with_the_worker(app: App) -> None:
    @app.task(max_attempts=1)
    async def work(n: int) -> int:
        if n == 2:
            raise ValueError("no two")
        return n

    handles = await work.push_many({"n": n} for n in (1, 2))
    worker = app.worker("w", concurrency=1)
    told: list[Event] = []
    async for event in worker.stream():
        told.append(event)
        if isinstance(event, Idle):
            worker.stop()
    kinds = [type(event) for event in told if not isinstance(event, HeartBeat)]
    assert kinds == [Start, TaskStarted, Success, TaskStarted, Error, Idle, Stop]
    assert {event.worker for event in told} == {"w"}
    success = next(event for event in told if isinstance(event, Success))
    failure = next(event for event in told if isinstance(event, Error))
    assert (success.task_id, failure.task_id) == (handles[0].id, handles[1].id)
    assert failure.error.message == "no two"


async def test_leaving_a_stream_stops_the_worker(app: App) -> None:
    @app.task
    async def work() -> None: ...

    worker = app.worker()
    stream = worker.stream()
    assert isinstance(await anext(stream), Start)
    await stream.aclose()  # type: ignore[attr-defined]
    assert worker.phase == "stopped"


async def test_one_failing_listener_harms_neither_the_others_nor_the_worker(app: App, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Event] = []

    def fail(event: Event) -> None:
        raise RuntimeError("bad listener")

    @app.task
    async def work() -> int:
        return 1

    async with working(app, on_event=[fail, told.append]):
        assert await (await work.push()).result(timeout=PATIENCE) == 1
    assert any(isinstance(event, Success) for event in told)
    assert "the worker goes on" in caplog.text


async def test_heartbeats_deferrals_and_custom_events_are_told(app: App) -> None:
    from queue_core import DeferredError

    told: list[Event] = []

    @app.task(retry=Retry(min=0, max=0))
    async def put_off() -> None:
        raise DeferredError(delay=60)

    await put_off.push()
    async with working(app, heartbeat_every=0.05) as worker:
        worker.listen(told.append)
        worker.emit("cache-warmed", {"entries": 3})
        await eventually(lambda: any(isinstance(event, HeartBeat) for event in told))
    custom = next(event for event in told if isinstance(event, Custom))
    assert (custom.name, custom.payload) == ("cache-warmed", {"entries": 3})
    assert isinstance(told[-1], Stop)


async def test_a_deferral_is_neither_success_nor_error(app: App) -> None:
    from queue_core import DeferredError

    told: list[Event] = []

    @app.task
    async def put_off() -> None:
        raise DeferredError(delay=60)

    await put_off.push()
    async with working(app, on_event=told.append):
        await eventually(lambda: any(isinstance(event, Idle) for event in told))
    assert [type(event) for event in told if isinstance(event, GivenBack | Success | Error)] == [GivenBack]
