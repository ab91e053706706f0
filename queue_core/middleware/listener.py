"""Calls functions when a run starts and ends."""

import inspect
import logging
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from queue_core.middleware import Call, Next, middleware_name

_log = logging.getLogger("prinia.middleware")


@dataclass(frozen=True, slots=True)
class Listener:
    """Calls ``on_start(call)``, then ``on_success(call, result)`` or ``on_failure(call, error)``: plain or async functions, each may be left out.

    They see what is known where this middleware stands; how the attempt went in the end, a worker's ``on_event`` and ``on_ack`` say.
    What they raise is logged and changes nothing, except that a CancelledError passes.

    >>> counted = Listener(on_failure=lambda call, error: print(call.context.name, error))
    """

    _: KW_ONLY
    on_start: Callable[[Call], Any] | None = None
    on_success: Callable[[Call, Any], Any] | None = None
    on_failure: Callable[[Call, BaseException], Any] | None = None

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, and tell."""
        await _tell(self.on_start, call)
        try:
            result = await next(call)
        except BaseException as error:
            await _tell(self.on_failure, call, error)
            raise
        await _tell(self.on_success, call, result)
        return result


async def _tell(listener: Callable[..., Any] | None, call: Call, *more: Any) -> None:
    if listener is None:
        return
    try:
        told = listener(call, *more)
        if inspect.isawaitable(told):
            await told
    except Exception:
        _log.exception("The listener %s failed at task %s (%s).", middleware_name(listener), call.context.task_id, call.context.name)
