"""Prometheus: counts and times of runs. Needs ``pip install 'prinia[prometheus]'``."""

from time import perf_counter
from typing import Any, Final

from queue_core.errors import InvalidValue
from queue_core.middleware import Call, Next
from queue_core.middleware.outcomes import outcome_of

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
except ImportError as absent:
    raise InvalidValue("The middleware Prometheus needs prometheus-client. Install it: pip install 'prinia[prometheus]'.") from absent

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0)
"""Seconds."""


class Prometheus:
    """Counts runs in ``registry``, the client library's own by default; the program serves it, as with ``prometheus_client.start_http_server``.

    - ``prinia_tasks_total``, by ``queue``, ``name`` and ``status``: runs that ended; ``status`` is succeeded, failed, timed out, aborted,
      deferred, killed, released or crashed;
    - ``prinia_task_duration_seconds``, by the same: how long they took, with ``buckets`` in seconds;
    - ``prinia_tasks_running``, by ``queue`` and ``name``: runs that go on.

    They are of this process; the queues as a whole are what a board counts. One object for each registry: the library refuses a second.

    >>> counting = Prometheus(CollectorRegistry(), buckets=(0.1, 1, 10))
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, buckets: tuple[float, ...] = BUCKETS) -> None:
        given = REGISTRY if registry is None else registry
        by = ("queue", "name")
        self._ended = Counter("prinia_tasks", "Runs of tasks that ended", (*by, "status"), registry=given)
        self._seconds = Histogram("prinia_task_duration_seconds", "Seconds that runs of tasks took", (*by, "status"), registry=given, buckets=buckets)
        self._running = Gauge("prinia_tasks_running", "Runs of tasks that go on", by, registry=given)

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, and count it."""
        by, began = (call.context.queue, call.context.name), perf_counter()
        running = self._running.labels(*by)
        running.inc()
        try:
            result = await next(call)
        except BaseException as error:
            self._count(call, by, perf_counter() - began, error)
            raise
        finally:
            running.dec()
        self._count(call, by, perf_counter() - began, None)
        return result

    def _count(self, call: Call, by: tuple[str, str], seconds: float, error: BaseException | None) -> None:
        status = outcome_of(call, error).value
        self._ended.labels(*by, status).inc()
        self._seconds.labels(*by, status).observe(seconds)
