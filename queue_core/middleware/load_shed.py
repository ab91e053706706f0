"""Starts nothing while this process has too much to do."""

from collections.abc import Callable
from typing import Any

from queue_core.backoff import spread
from queue_core.errors import DeferredError, not_negative, plain
from queue_core.middleware import Call, Gate, Next
from queue_core.middleware.sharing import is_first_visit


class LoadShed(Gate):
    """Leaves work to others while ``overloaded()`` is true, a quick function: nothing is claimed, and what was claimed just before goes back.

    What goes back is due again after about ``delay`` seconds, and no attempt is used. The worker asks again after its ``poll`` seconds,
    or at once when ``changed()`` of this object is called. Runs that go on are left alone.

    Raises InvalidValue for settings that break a rule.

    >>> import os
    >>> careful = LoadShed(lambda: os.getloadavg()[0] > 2 * (os.cpu_count() or 1))
    """

    def __init__(self, overloaded: Callable[[], bool], *, delay: float = 5.0) -> None:
        plain("overloaded", overloaded)
        self._overloaded, self._delay = overloaded, not_negative("delay", delay)

    def room(self) -> int | None:
        """Nothing while there is too much to do."""
        return 0 if self._overloaded() else None

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, unless there is too much to do already."""
        if is_first_visit(call, self) and self._overloaded():
            raise DeferredError(f"{call.context.worker} has too much to do already.", delay=spread(self._delay, 0.5))
        return await next(call)
