"""Middleware: async functions around every run of a handler."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from queue_core.inject import WorkerContext


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a handler on its way through the middleware."""

    context: WorkerContext
    arguments: Mapping[str, Any]
    """The decoded arguments by parameter name, without what the worker fills in."""


Next = Callable[[Call], Awaitable[Any]]
"""The rest of the way: the middleware further in, then the handler. What it returns is the handler's result."""

Middleware = Callable[[Call, Next], Awaitable[Any]]
"""``async def middleware(call, next)``: does something, awaits ``next(call)``, does something, and returns a result.

What it raises counts as raised by the handler.
"""


def compose(middleware: Sequence[Middleware], innermost: Next) -> Next:
    """One function out of many: the first of ``middleware`` is outermost, ``innermost`` runs the handler."""
    return reduce(_around, reversed(middleware), innermost)


def _around(following: Next, layer: Middleware) -> Next:
    return lambda call: layer(call, following)


def middleware_name(middleware: Middleware) -> str:
    """How lists call it."""
    return getattr(middleware, "__name__", type(middleware).__name__)
