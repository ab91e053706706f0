"""A line for the start and the end of each run, with the facts beside the words."""

import logging
from dataclasses import KW_ONLY, dataclass, field
from time import perf_counter
from typing import Any

from queue_core.middleware import Call, Next
from queue_core.middleware.outcomes import is_trouble, outcome_of


@dataclass(frozen=True, slots=True)
class Logging:
    """Logs when a run starts and how it ended: at ``level``, and as a warning if it failed, was aborted or ran out of time.

    Each record carries ``task_id``, ``task_name``, ``queue``, ``attempt``, ``max_attempts`` and ``worker``, and at the end ``outcome`` and
    ``seconds``, for formatters that write JSON; structlog takes them from the standard library like any ``extra``.

    >>> chatty = Logging(logging.getLogger("shop.tasks"), level=logging.DEBUG)
    """

    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("prinia.tasks"))
    _: KW_ONLY
    level: int = logging.INFO

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, between two lines."""
        facts, began = _facts(call), perf_counter()
        self.logger.log(self.level, "%(task_name)s %(task_id)s started, attempt %(attempt)d of %(max_attempts)d", facts, extra=facts)
        try:
            result = await next(call)
        except BaseException as error:
            self._log_end(call, facts, perf_counter() - began, error)
            raise
        self._log_end(call, facts, perf_counter() - began, None)
        return result

    def _log_end(self, call: Call, facts: dict[str, Any], seconds: float, error: BaseException | None) -> None:
        outcome = outcome_of(call, error)
        facts = facts | {"outcome": outcome.value, "seconds": seconds}
        level = max(self.level, logging.WARNING) if is_trouble(outcome) else self.level
        self.logger.log(level, "%(task_name)s %(task_id)s %(outcome)s after %(seconds).3f s", facts, extra=facts)


def _facts(call: Call) -> dict[str, Any]:
    context = call.context
    return {
        "task_id": context.task_id,
        "task_name": context.name,
        "queue": context.queue,
        "attempt": context.attempt,
        "max_attempts": context.max_attempts,
        "worker": context.worker,
    }
