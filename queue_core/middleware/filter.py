"""Lets only some runs reach their handler."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, get_args

from queue_core.errors import AbortError, DeferredError, InvalidValue, not_negative
from queue_core.middleware import Call, Next, middleware_name

Otherwise = Literal["abort", "defer"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Asks ``predicate``, a plain or async function of the call, whether a handler may run.

    ``otherwise``: what becomes of the task if not: ``"abort"`` ends it Killed with reason ``aborted``; ``"defer"`` gives it back for
    ``delay`` seconds, and no attempt is used. What ``predicate`` raises counts as raised by the handler.

    Raises InvalidValue for settings that break a rule.

    >>> async def paid(call: Call) -> bool:
    ...     return call.arguments["customer"] != "free"
    ...
    >>> only_paid = Filter(paid, otherwise="defer", delay=3600)
    """

    predicate: Callable[[Call], bool | Awaitable[bool]]
    _: KW_ONLY
    otherwise: Otherwise = "abort"
    delay: float = 60.0

    def __post_init__(self) -> None:
        if not callable(self.predicate):
            raise InvalidValue(f"Filter needs a function of a call, got {self.predicate!r}.")
        if self.otherwise not in get_args(Otherwise):
            raise InvalidValue(f'otherwise must be "abort" or "defer", got {self.otherwise!r}.')
        not_negative("delay", self.delay)

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, if ``predicate`` agrees."""
        answer = self.predicate(call)
        if await answer if inspect.isawaitable(answer) else answer:
            return await next(call)
        said = f"{call.context.name} was refused by {middleware_name(self.predicate)}."
        raise AbortError(said) if self.otherwise == "abort" else DeferredError(said, delay=self.delay)
