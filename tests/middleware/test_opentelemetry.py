"""OpenTelemetry: from the push to the end of each attempt."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from queue_core import AbortError, App, DeferredError, Retry, Status
from queue_core.middleware import OpenTelemetry, Timeout
from tests.core.steps import PATIENCE, becomes, eventually, working


class Told:
    """A telemetry, and what it told."""

    def __init__(self, **settings: Any) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._reader])
        self.telemetry = OpenTelemetry(tracer_provider=self.tracers, meter_provider=self.meters, **settings)

    def spans(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self._spans.get_finished_spans() if span.kind is kind]

    def metric(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        assert data is not None
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return [point for scope in scopes for metric in scope.metrics if metric.name == name for point in metric.data.data_points]

    def close(self) -> None:
        self.tracers.shutdown()
        self.meters.shutdown()


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    yield told
    told.close()


def hooked(app: App, told: Told) -> None:
    app.middleware, app.on_push = (told.telemetry,), (told.telemetry.on_push,)


async def test_a_run_continues_the_trace_of_its_push(app: App, told: Told) -> None:
    hooked(app, told)
    seen: list[Any] = []

    @app.task(queue="mail")
    async def work() -> None:
        seen.append((trace.get_current_span().get_span_context().span_id, baggage.get_baggage("tenant")))

    token = context.attach(baggage.set_baggage("tenant", "acme"))
    with told.tracers.get_tracer("test").start_as_current_span("request") as request:
        handle = await work.push()
    context.detach(token)
    async with working(app):
        await handle.result(timeout=PATIENCE)
    (push,), (run,) = told.spans(SpanKind.PRODUCER), told.spans(SpanKind.CONSUMER)
    assert push.parent is not None
    assert run.parent is not None
    assert push.context is not None
    assert run.context is not None
    assert push.parent.span_id == request.get_span_context().span_id
    assert (run.parent.span_id, run.context.trace_id) == (push.context.span_id, request.get_span_context().trace_id)
    assert seen == [(run.context.span_id, "acme")]
    assert (push.name, run.name) == ("push mail", "process mail")
    metadata = (await handle.fetch()).metadata
    assert metadata["traceparent"].split("-")[1:3] == [f"{push.context.trace_id:032x}", f"{push.context.span_id:016x}"]


async def test_spans_and_metrics_carry_the_conventional_attributes(app: App, told: Told) -> None:
    hooked(app, told)

    @app.task(queue="mail")
    async def work() -> None: ...

    handle = await work.push()
    async with working(app, name="anna"):
        await handle.result(timeout=PATIENCE)
    (run,) = told.spans(SpanKind.CONSUMER)
    common = {
        "messaging.system": "prinia",
        "messaging.destination.name": "mail",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "prinia.task.name": "work",
        "prinia.outcome": "succeeded",
    }
    own = {"messaging.message.id": handle.id, "messaging.client.id": "anna", "prinia.attempt": 1}
    assert dict(run.attributes or {}) == common | own
    (consumed,), (duration,), (sent,) = (
        told.metric("messaging.client.consumed.messages"),
        told.metric("messaging.process.duration"),
        told.metric("messaging.client.sent.messages"),
    )
    assert (consumed.value, consumed.attributes) == (1, common)
    assert (duration.count, duration.attributes) == (1, common)
    assert (sent.value, sent.attributes["messaging.operation.type"]) == (1, "create")


async def test_each_attempt_is_a_span_and_a_failure_is_an_error_with_its_type(app: App, told: Told) -> None:
    hooked(app, told)

    @app.task(max_attempts=2, retry=Retry(min=0, max=0))
    async def fail() -> None:
        raise ConnectionError("away")

    handle = await fail.push()
    async with working(app):
        await becomes(handle, Status.KILLED)
    runs = told.spans(SpanKind.CONSUMER)
    assert [(run.attributes or {})["prinia.attempt"] for run in runs] == [1, 2]
    for run in runs:
        assert run.status.status_code is StatusCode.ERROR
        assert (run.attributes or {})["error.type"] == "builtins.ConnectionError"
        assert [event.name for event in run.events] == ["exception"]
    (failed,) = told.metric("messaging.process.duration")
    assert (failed.count, failed.attributes["prinia.outcome"]) == (2, "failed")


@pytest.mark.parametrize(
    ("error", "outcome", "is_error"),
    [(AbortError("never"), "aborted", True), (DeferredError(delay=60), "deferred", False), (TimeoutError("own"), "failed", True)],
)
async def test_what_a_handler_decides_is_an_outcome_and_a_deferral_is_no_error(
    app: App, told: Told, error: Exception, outcome: str, is_error: bool
) -> None:
    hooked(app, told)

    @app.task
    async def decide() -> None:
        raise error

    await decide.push()
    async with working(app):
        await eventually(lambda: bool(told.spans(SpanKind.CONSUMER)))
    (run,) = told.spans(SpanKind.CONSUMER)
    assert (run.attributes or {})["prinia.outcome"] == outcome
    assert (run.status.status_code is StatusCode.ERROR) is is_error


@pytest.mark.parametrize("inner", [True, False], ids=["our limit", "the task's limit"])
async def test_a_run_out_of_time_is_told_as_such(app: App, told: Told, inner: bool) -> None:
    hooked(app, told)

    @app.task(timeout=None if inner else 0.05, max_attempts=1)
    async def work() -> None:
        await asyncio.sleep(3_600)

    handle = await work.push()
    async with working(app, middleware=[Timeout(0.05)] if inner else []):
        await becomes(handle, Status.KILLED)
    (run,) = told.spans(SpanKind.CONSUMER)
    assert (run.attributes or {})["prinia.outcome"] == "timed out"
    assert (run.attributes or {})["error.type"] == "queue_core.errors.TaskTimeout"


async def test_with_links_a_run_has_a_trace_of_its_own(memory_app: App) -> None:
    told = Told(link=True)
    hooked(memory_app, told)

    @memory_app.task
    async def work() -> None: ...

    handle = await work.push()
    async with working(memory_app):
        await handle.result(timeout=PATIENCE)
    (push,), (run,) = told.spans(SpanKind.PRODUCER), told.spans(SpanKind.CONSUMER)
    assert push.context is not None
    assert run.context is not None
    assert run.parent is None
    assert run.context.trace_id != push.context.trace_id
    assert [link.context.span_id for link in run.links] == [push.context.span_id]
    told.close()


async def test_a_task_that_somebody_else_pushed_has_a_trace_of_its_own_whatever_its_metadata_says(memory_app: App, told: Told) -> None:
    memory_app.middleware = (told.telemetry,)

    @memory_app.task
    async def work() -> None: ...

    handles = [await work.push(), await work.using(metadata={"traceparent": "nonsense", "tracestate": 7, "n": [1]}).push()]
    async with working(memory_app):
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert [run.parent for run in told.spans(SpanKind.CONSUMER)] == [None, None]


async def test_without_an_sdk_nothing_is_stored_and_nothing_is_told(memory_app: App) -> None:
    telemetry = OpenTelemetry(tracer_provider=trace.NoOpTracerProvider())
    memory_app.middleware, memory_app.on_push = (telemetry,), (telemetry.on_push,)

    @memory_app.task
    async def work() -> None: ...

    handle = await work.push()
    async with working(memory_app):
        await handle.result(timeout=PATIENCE)
    assert (await handle.fetch()).metadata == {}
