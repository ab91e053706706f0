"""Says which runs go on for long."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from time import perf_counter
from typing import Any

from queue_core.errors import plain
from queue_core.middleware import Call, Next
from queue_core.task import check_period

_log = logging.getLogger("prinia.tasks")


def warn(call: Call, seconds: float) -> None:
    """Log that a run goes on."""
    run = call.context
    _log.warning("Task %s (%s), attempt %d, has been running for %.0f s on %s.", run.task_id, run.name, run.attempt, seconds, run.worker)


@dataclass(frozen=True, slots=True)
class LongRunning:
    """Logs a warning when a run has gone on for ``after`` seconds, and again each time so many more have passed.

    ``names``: other limits by the names of tasks. ``tell``: a plain function to call instead, as
    ``lambda call, seconds: worker.emit("long", call.context.task_id)``; what it raises is logged by the event loop. Nothing is stopped: for that
    there is ``timeout=`` of a task, and Timeout for each try. A handler that keeps the event loop from turning is told of when it lets go.

    Raises InvalidValue for settings that break a rule.

    >>> patient = LongRunning(60, names={"render": 600})
    """

    after: float
    _: KW_ONLY
    names: Mapping[str, float] = field(default_factory=dict)
    tell: Callable[[Call, float], Any] = warn

    def __post_init__(self) -> None:
        check_period("after", self.after)
        for name, seconds in self.names.items():
            check_period(f"the limit of {name}", seconds)
        plain("tell", self.tell)

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, with an eye on the clock."""
        watch = Watch(call, self.names.get(call.context.name, self.after), self.tell)
        try:
            return await next(call)
        finally:
            watch.end()


class Watch:
    """A timer for one run."""

    def __init__(self, call: Call, after: float, tell: Callable[[Call, float], Any]) -> None:
        self._call, self._after, self._tell = call, after, tell
        self._loop, self._began = asyncio.get_running_loop(), perf_counter()
        self._timer = self._loop.call_later(after, self._ring)

    def end(self) -> None:
        """The run is over."""
        self._timer.cancel()

    def _ring(self) -> None:
        self._timer = self._loop.call_later(self._after, self._ring)
        self._tell(self._call, perf_counter() - self._began)
