"""A span for each attempt, of whatever tracing library."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from queue_core.middleware import Call, Next

Span: TypeAlias = AbstractContextManager[Any] | AbstractAsyncContextManager[Any]


@dataclass(frozen=True, slots=True)
class Tracing:
    """Runs a handler within ``span(call)``: a context manager, plain or async, which sees what is raised.

    Innermost it is a span for each try, outside Retries one for each attempt.

    >>> @contextlib.contextmanager
    ... def span(call: Call):
    ...     print(f"{call.context.name} begins")
    ...     yield
    ...     print(f"{call.context.name} ends")
    >>> app.middleware = (Tracing(span),)
    >>> await run_inline(greet, "Ada")
    greet begins
    greet ends
    'Hello, Ada.'
    """

    span: Callable[[Call], Span]

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows within a span of its own."""
        span = self.span(call)
        if isinstance(span, AbstractAsyncContextManager):
            async with span:
                return await next(call)
        with span:
            return await next(call)
