"""Sentry: what went wrong in runs, and how long they take. Needs ``pip install 'prinia[sentry]'`` and the program's ``sentry_sdk.init``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from queue_core.errors import InvalidValue
from queue_core.middleware import Call, Next
from queue_core.middleware.outcomes import is_trouble, outcome_of
from queue_core.task import AttemptOutcome, NewTask

try:
    import sentry_sdk
except ImportError as absent:
    raise InvalidValue("The middleware Sentry needs sentry-sdk. Install it: pip install 'prinia[sentry]'.") from absent

STATUS: Final[Mapping[AttemptOutcome, str]] = {
    AttemptOutcome.SUCCEEDED: "ok",
    AttemptOutcome.FAILED: "internal_error",
    AttemptOutcome.ABORTED: "aborted",
    AttemptOutcome.TIMED_OUT: "deadline_exceeded",
    AttemptOutcome.KILLED: "cancelled",
}
"""How a transaction ends. Of runs that ended otherwise, as deferred or released, there is none: they did not take place, in a way."""
TRACE: Final = {"sentry-trace": "sentry-trace", "baggage": "sentry-baggage"}
"""What carries a trace, and where it is in a task's metadata."""


class Sentry:
    """Reports the errors of runs to Sentry, each in a scope of its own, and makes one transaction of each run.

    Tags: ``prinia.task``, ``prinia.queue``, ``prinia.worker``, ``prinia.outcome``; the context ``task`` has its id, attempt and maximum. What
    failed, was aborted or ran out of time is reported; what was deferred, killed, or given back because the worker stops, is not. Each failed
    attempt is reported; ``last_only=True`` reports those after which none is left. With ``App(on_push=Sentry.on_push)`` a run continues the
    trace of its push.

    >>> reporting = Sentry(last_only=True)
    """

    def __init__(self, *, last_only: bool = False) -> None:
        self._last_only = last_only

    @staticmethod
    def on_push(task: NewTask) -> NewTask:
        """``task`` with the trace of who pushes it in its metadata."""
        carried = {"sentry-trace": sentry_sdk.get_traceparent(), "baggage": sentry_sdk.get_baggage()}
        found = {TRACE[key]: value for key, value in carried.items() if value}
        return replace(task, metadata={**task.metadata, **found}) if found else task

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows within a transaction."""
        with sentry_sdk.isolation_scope() as scope:
            _describe(call, scope)
            came = {header: call.context.metadata[key] for header, key in TRACE.items() if key in call.context.metadata}
            transaction = sentry_sdk.continue_trace(came, op="queue.process", name=call.context.name, source="task", origin="auto.queue.prinia")
            with sentry_sdk.start_transaction(transaction) as span:
                try:
                    result, error = await next(call), None
                except BaseException as raised:
                    result, error = None, raised  # raised again below, because the span would call every exception an internal error
                self._tell(call, span, error)
            if error is None:
                return result
            try:
                raise error
            finally:
                del error  # which holds this frame, which holds it

    def _tell(self, call: Call, span: Any, error: BaseException | None) -> None:
        outcome = outcome_of(call, error)
        sentry_sdk.set_tag("prinia.outcome", outcome.value)
        if outcome in STATUS:
            span.set_status(STATUS[outcome])
        else:
            span.sampled = False
        is_last = outcome is AttemptOutcome.ABORTED or call.context.attempt >= call.context.max_attempts
        if error is not None and is_trouble(outcome) and (is_last or not self._last_only):
            sentry_sdk.capture_exception(error)


def _describe(call: Call, scope: sentry_sdk.Scope) -> None:
    context = call.context
    scope.clear_breadcrumbs()
    scope.set_tag("prinia.task", context.name)
    scope.set_tag("prinia.queue", context.queue)
    scope.set_tag("prinia.worker", context.worker)
    scope.set_context("task", {"id": context.task_id, "attempt": context.attempt, "max_attempts": context.max_attempts})
