"""Prometheus: counts and times of runs."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from queue_core import AbortError, App, DeferredError, Retry, Status
from queue_core.middleware import Prometheus
from tests.core.steps import PATIENCE, becomes, eventually, working


async def test_runs_are_counted_by_queue_name_and_how_they_ended(app: App) -> None:
    registry = CollectorRegistry()
    app.middleware = (Prometheus(registry, buckets=(60.0,)),)

    @app.task(queue="mail", max_attempts=2, retry=Retry(min=0, max=0))
    async def send(how: str) -> None:
        match how:
            case "fail":
                raise ConnectionError("away")
            case "abort":
                raise AbortError("never")
            case "defer":
                raise DeferredError(delay=3_600)

    handles = {how: await send.push(how) for how in ("", "fail", "abort", "defer")}
    async with working(app):
        await handles[""].result(timeout=PATIENCE)
        await becomes(handles["fail"], Status.KILLED)
        await becomes(handles["abort"], Status.KILLED)
        await eventually(lambda: counted(registry, "deferred") == 1)
    text = generate_latest(registry).decode()
    for line in (
        'prinia_tasks_total{name="send",queue="mail",status="succeeded"} 1.0',
        'prinia_tasks_total{name="send",queue="mail",status="failed"} 2.0',
        'prinia_tasks_total{name="send",queue="mail",status="aborted"} 1.0',
        'prinia_tasks_total{name="send",queue="mail",status="deferred"} 1.0',
        'prinia_task_duration_seconds_bucket{le="60.0",name="send",queue="mail",status="failed"} 2.0',
        'prinia_task_duration_seconds_count{name="send",queue="mail",status="succeeded"} 1.0',
        'prinia_tasks_running{name="send",queue="mail"} 0.0',
    ):
        assert line in text.splitlines(), text


def counted(registry: CollectorRegistry, status: str) -> float | None:
    return registry.get_sample_value("prinia_tasks_total", {"queue": "mail", "name": "send", "status": status})


async def test_what_runs_is_on_the_gauge_and_leaves_it_however_it_ends(app: App) -> None:
    registry = CollectorRegistry()
    app.middleware = (Prometheus(registry),)

    @app.task
    async def work() -> None:
        await asyncio.sleep(3_600)

    labels = {"queue": "default", "name": "work"}
    handles = await work.push_many({} for _ in range(3))
    async with working(app, shutdown_timeout=0):
        await eventually(lambda: registry.get_sample_value("prinia_tasks_running", labels) == 3)
        await handles[0].kill()
        await eventually(lambda: registry.get_sample_value("prinia_tasks_running", labels) == 2)
    assert registry.get_sample_value("prinia_tasks_running", labels) == 0
    assert registry.get_sample_value("prinia_tasks_total", labels | {"status": "killed"}) == 1
    assert registry.get_sample_value("prinia_tasks_total", labels | {"status": "released"}) == 2


def test_one_registry_takes_one_object() -> None:
    registry = CollectorRegistry()
    Prometheus(registry)
    with pytest.raises(ValueError, match="prinia_tasks"):
        Prometheus(registry)
