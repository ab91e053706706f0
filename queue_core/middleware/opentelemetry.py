"""OpenTelemetry: spans from the push to the end of each attempt, and metrics. Needs ``pip install 'prinia[otel]'``; exporters are the program's."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import perf_counter
from typing import Any, Final

from queue_core.errors import InvalidValue, TaskTimeout, words
from queue_core.middleware import Call, Next
from queue_core.middleware.outcomes import is_trouble, outcome_of
from queue_core.task import AttemptOutcome, NewTask

try:
    from opentelemetry import context, metrics, propagate, trace
    from opentelemetry.trace import Link, Span, SpanKind, StatusCode
except ImportError as absent:
    raise InvalidValue("The middleware OpenTelemetry needs opentelemetry-api. Install it: pip install 'prinia[otel]'.") from absent

SCOPE: Final = "prinia"


class OpenTelemetry:
    """Spans and metrics for pushes and runs, by the semantic conventions for messaging.

    ``App(url, middleware=[telemetry], on_push=telemetry.on_push)``: as middleware it makes a consumer span for each run, and counts and times
    it; as a hook it makes a producer span for each pushed task and writes its context into the task's metadata, as ``traceparent``,
    ``tracestate`` and whatever else the program's propagators write. A run continues the trace of its push; with ``link=True`` it has a
    trace of its own, linked to that, which suits tasks that wait for days.

    A deferred run, and one that ended because its worker stops, is no error. ``tracer_provider`` and ``meter_provider``: the program's
    own, else the global ones. Metrics: ``messaging.client.sent.messages``, ``messaging.client.consumed.messages``, and
    ``messaging.process.duration`` in seconds.

    >>> telemetry = OpenTelemetry(link=True)
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        link: bool = False,
    ) -> None:
        self._link = link
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        self._sent = meter.create_counter("messaging.client.sent.messages", "{message}", "Tasks pushed")
        self._consumed = meter.create_counter("messaging.client.consumed.messages", "{message}", "Runs of handlers that ended")
        self._duration = meter.create_histogram("messaging.process.duration", "s", "How long runs of handlers took")

    def on_push(self, task: NewTask) -> NewTask:
        """``task`` with the context of its span in its metadata."""
        facts = _facts(task.queue, task.name, "push", "create")
        carrier: dict[str, str] = {}
        with self._tracer.start_as_current_span(f"push {task.queue}", kind=SpanKind.PRODUCER, attributes=facts | _message(task.id)):
            propagate.inject(carrier)
        self._sent.add(1, facts)
        return replace(task, metadata={**task.metadata, **carrier}) if carrier else task

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows within a span."""
        queue, began = call.context.queue, perf_counter()
        facts = _facts(queue, call.context.name, "process", "process")
        with self._span(call, facts) as span:
            try:
                result = await next(call)
            except BaseException as error:
                self._ended(span, facts, perf_counter() - began, outcome_of(call, error), error)
                raise
            self._ended(span, facts, perf_counter() - began, outcome_of(call, None), None)
            return result

    @contextmanager
    def _span(self, call: Call, facts: dict[str, str]) -> Iterator[Span]:
        """The span of this run, with what came along with the task as its surroundings."""
        came = propagate.extract({key: value for key, value in call.context.metadata.items() if isinstance(value, str)})
        pushed = trace.get_current_span(came).get_span_context()
        links = [Link(pushed)] if self._link and pushed.is_valid else []
        token = context.attach(trace.set_span_in_context(trace.INVALID_SPAN, came) if self._link else came)
        try:
            with self._tracer.start_as_current_span(
                f"process {call.context.queue}",
                kind=SpanKind.CONSUMER,
                attributes=facts | _message(call.context.task_id),
                links=links,
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                span.set_attribute("messaging.client.id", call.context.worker)
                span.set_attribute("prinia.attempt", call.context.attempt)
                yield span
        finally:
            context.detach(token)

    def _ended(self, span: Span, facts: dict[str, str], seconds: float, outcome: AttemptOutcome, error: BaseException | None) -> None:
        facts = {**facts, "prinia.outcome": outcome.value}
        if error is not None and is_trouble(outcome):
            kind = TaskTimeout if outcome is AttemptOutcome.TIMED_OUT else type(error)
            facts["error.type"] = f"{kind.__module__}.{kind.__qualname__}"
            with suppress(Exception):  # it asks the error for words, which may fail
                span.record_exception(error)
            span.set_status(StatusCode.ERROR, words(error))
        span.set_attributes(facts)
        self._consumed.add(1, facts)
        self._duration.record(seconds, facts)


def _facts(queue: str, name: str, operation: str, kind: str) -> dict[str, str]:
    """What spans and metrics have in common, by the semantic conventions."""
    return {
        "messaging.system": "prinia",
        "messaging.destination.name": queue,
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "prinia.task.name": name,
    }


def _message(id: str) -> dict[str, str]:
    return {"messaging.message.id": id}
