"""How a run ended, for middleware that counts, logs or reports."""

from typing import assert_never

from queue_core.errors import AbortError, DeferredError, RetryAfterError, TaskTimeout, verdict_of
from queue_core.inject import Ending
from queue_core.middleware import Call
from queue_core.task import AttemptOutcome


def outcome_of(call: Call, error: BaseException | None) -> AttemptOutcome:
    """How the run of ``call`` ended that raised ``error``, or returned, seen from where it is asked: middleware further out may still change it.

    A lost lease is ``crashed``, as history has it.

    >>> async def tell(call: Call, next: Next) -> Any:
    ...     try:
    ...         result = await next(call)
    ...     except BaseException as error:
    ...         print(call.context.name, outcome_of(call, error))
    ...         raise
    ...     print(call.context.name, outcome_of(call, None))
    ...     return result
    >>> app.middleware = (tell,)
    >>> await run_inline(greet, "Ada")
    greet succeeded
    'Hello, Ada.'
    """
    match call.ending:
        case Ending.TIMEOUT:
            return AttemptOutcome.TIMED_OUT
        case Ending.KILLED:
            return AttemptOutcome.KILLED
        case Ending.LOST:
            return AttemptOutcome.CRASHED
        case Ending.STOPPED if error is not None:
            return AttemptOutcome.RELEASED
        case Ending.STOPPED | None:
            return AttemptOutcome.SUCCEEDED if error is None else _said(error)
        case _:
            assert_never(call.ending)


def is_trouble(outcome: AttemptOutcome) -> bool:
    """Whether a person may want to hear of it: it failed, was aborted or ran out of time."""
    return outcome in {AttemptOutcome.FAILED, AttemptOutcome.ABORTED, AttemptOutcome.TIMED_OUT}


def _said(error: BaseException) -> AttemptOutcome:
    match verdict_of(error):
        case AbortError():
            return AttemptOutcome.ABORTED
        case DeferredError():
            return AttemptOutcome.DEFERRED
        case RetryAfterError() | None:
            return AttemptOutcome.TIMED_OUT if isinstance(error, TaskTimeout) else AttemptOutcome.FAILED
