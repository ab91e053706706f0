"""Middleware: async functions around every run of a handler.

The way of one run, from the outside in:

1. its arguments are decoded; what cannot be decoded never reaches middleware, because there is nothing to call it with;
2. the middleware of the app in its order, then that of the worker: the first listed is outermost;
3. the handler, with its result judged: ``False`` raises HandlerReturnedFalse and what cannot be stored raises UnstorableResult, so that
   middleware sees failures as failures;
4. back out through the middleware, the last to see the result being the first listed;
5. what came out is judged again, turned into an outcome, shown to the ``on_ack`` hooks, and stored.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial, reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from queue_core.errors import InvalidValue, several
from queue_core.inject import Ending, WorkerContext
from queue_core.task import NewTask

if TYPE_CHECKING:
    from queue_core.events import TaskEnded
    from queue_core.middleware.catch import Catch
    from queue_core.middleware.circuit_breaker import CircuitBreaker
    from queue_core.middleware.concurrency import Concurrency
    from queue_core.middleware.filter import Filter
    from queue_core.middleware.listener import Listener
    from queue_core.middleware.load_shed import LoadShed
    from queue_core.middleware.logging import Logging
    from queue_core.middleware.long_running import LongRunning
    from queue_core.middleware.opentelemetry import OpenTelemetry as OpenTelemetry
    from queue_core.middleware.outcomes import outcome_of
    from queue_core.middleware.prometheus import Prometheus as Prometheus
    from queue_core.middleware.rate_limit import RateLimit
    from queue_core.middleware.retries import Retries
    from queue_core.middleware.sentry import Sentry as Sentry
    from queue_core.middleware.timeout import Timeout
    from queue_core.middleware.tracing import Tracing

__all__ = [
    "AckHook",
    "Call",
    "Catch",
    "CircuitBreaker",
    "Concurrency",
    "Filter",
    "Gate",
    "Listener",
    "LoadShed",
    "Logging",
    "LongRunning",
    "Middleware",
    "Next",
    "PushHook",
    "RateLimit",
    "Retries",
    "Timeout",
    "Tracing",
    "outcome_of",
]
"""All that needs no extra: ``from queue_core.middleware import *`` works everywhere. OpenTelemetry, Prometheus and Sentry are imported by name."""

_HOMES: Final = {
    "Catch": "catch",
    "CircuitBreaker": "circuit_breaker",
    "Concurrency": "concurrency",
    "Filter": "filter",
    "Listener": "listener",
    "LoadShed": "load_shed",
    "Logging": "logging",
    "LongRunning": "long_running",
    "OpenTelemetry": "opentelemetry",
    "outcome_of": "outcomes",
    "Prometheus": "prometheus",
    "RateLimit": "rate_limit",
    "Retries": "retries",
    "Sentry": "sentry",
    "Timeout": "timeout",
    "Tracing": "tracing",
}
"""Names that are imported when somebody asks for them, and the modules they are in: what an app does not use costs it nothing."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import what is asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a handler on its way through the middleware. ``dataclasses.replace(call, arguments=…)`` changes what the handler gets.

    >>> async def shout(call: Call, next: Next) -> Any:
    ...     return await next(replace(call, arguments={"name": call.arguments["name"].upper()}))
    >>> app.middleware = (shout,)
    >>> await run_inline(greet, "Ada")
    'Hello, ADA.'
    """

    context: WorkerContext
    """The facts: task id, name, queue, attempt and its maximum, metadata, worker."""
    arguments: Mapping[str, Any]
    """The decoded arguments by parameter name, without what the worker fills in."""

    @property
    def extensions(self) -> dict[type, Any]:
        """What middleware adds to this run, by type; never stored, and the same for all calls of one run.

        A handler gets it like other data, ``span: Annotated[Span, Data()] = INJECTED``, if the middleware that puts it here says so
        in an attribute ``provides = (Span,)``; that is how the worker knows at its start that nothing will be missing.
        """
        return self.context.hooks.extensions

    @property
    def remaining(self) -> float | None:
        """Seconds until the time limit of this attempt, at least 0; None without a limit. The time in middleware counts."""
        return self.context.remaining

    @property
    def ending(self) -> Ending | None:
        """Why this run was asked to end: timeout, killed, stopped or lost; None while it was not.

        Such a run is ended by a CancelledError, which should pass through. A middleware that swallows it, or raises something else,
        changes nothing about what becomes of the task, and calling ``next`` again raises it again.
        """
        return self.context.ending

    @property
    def repeatable(self) -> bool:
        """Whether to call ``next`` once more: not when this run was asked to end, nor while the worker stops, nor while the thread of the
        try before goes on because it cannot be stopped."""
        return self.context.hooks.repeatable


Next = Callable[[Call], Awaitable[Any]]
"""The rest of the way: the middleware further in, then the handler. What it returns is the handler's result.

>>> async def twice(call: Call, next: Next) -> Any:
...     return await next(call) + await next(call)
>>> app.middleware = (twice,)
>>> await run_inline(greet, "Ada")
'Hello, Ada.Hello, Ada.'
"""

Middleware = Callable[[Call, Next], Awaitable[Any]]
"""``async def middleware(call, next)``: does something, awaits ``next(call)``, does something, and returns a result.

What it raises counts as raised by the handler: AbortError, RetryAfterError and DeferredError too. It may call ``next`` several times, or
never. An object with an async ``__call__`` does as well, and may have three things more:

- ``provides``: the types that it puts into ``call.extensions``;
- ``__aenter__`` and ``__aexit__``: entered once per run of a worker before it claims, in order, and left in reverse when all is stored.
  The same object in several workers is entered by each of them;
- the base class Gate, to say how much may start.

>>> async def tell(call: Call, next: Next) -> Any:
...     print(f"{call.context.name} begins")
...     return await next(call)
>>> app.middleware = (tell,)
>>> await run_inline(greet, "Ada")
greet begins
'Hello, Ada.'
"""

AckHook = Callable[["TaskEnded"], Awaitable[None]]
"""``async def on_ack(ended)``: called when an attempt has ended, before that is stored. ``ended`` is a Success, an Error or a GivenBack.

What it raises turns a success into that failure, as if the handler had raised it; of an attempt that did not succeed it changes nothing and
is logged. It counts within the time limit. It is not called for a lost lease, of which nothing is stored. It may run again for a task whose
worker dies before the end is stored, so what it does should bear repetition.

>>> async def tell(ended: TaskEnded) -> None:
...     print(ended.task.name, ended.ack.status)
>>> app = App("memory://", on_ack=tell)
>>> @app.task
... async def greet(name: str) -> None: ...
>>> task = await greet.push("Ada")
>>> ran = await drain(app)
greet Done
"""


PushHook = Callable[[NewTask], NewTask]
"""``def on_push(task)``: called with each task that is pushed through the app, before it is stored; returns it, or another in its place.

``dataclasses.replace(task, metadata={**task.metadata, "tenant": tenant})`` makes another. It is a plain function, and should be quick. What it
raises, the pusher gets, and nothing is stored.

>>> def tenant(task: NewTask) -> NewTask:
...     return replace(task, metadata={**task.metadata, "tenant": "acme"})
>>> app = App("memory://", on_push=tenant)
>>> [stored] = await app.push([NewTask(name="greet", args=b'{"name": "Ada"}')])
>>> stored.task.metadata
{'tenant': 'acme'}
"""


class Gate:
    """Base of middleware that limits what may *start*: what it holds back stays in the store, for other workers and in its order.

    The worker asks before each claim. A gate counts what has passed it; what is claimed and on its way to it the worker counts. The limit
    is still the middleware's own to enforce, since tasks of one name may come together; asking only keeps them from waiting in slots.

    >>> class AtMost(Gate):
    ...     def __init__(self, most: int) -> None:
    ...         self.most = most
    ...         self.running = 0
    ...
    ...     def room(self) -> int:
    ...         return self.most - self.running
    ...
    ...     async def __call__(self, call: Call, next: Next) -> Any:
    ...         self.running += 1
    ...         try:
    ...             return await next(call)
    ...         finally:
    ...             self.running -= 1
    ...             self.changed()
    """

    _listeners: list[Callable[[], None]]

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        """Here, so that a subclass is free to have any ``__init__``, a dataclass's too."""
        gate = super().__new__(cls)
        gate._listeners = []
        return gate

    def room(self) -> int | None:
        """How many more runs may start now; None for as many as there are slots. Asked before each claim, so it should be quick."""
        return None

    def closed_names(self) -> Collection[str]:
        """The names of tasks of which none may start now. Asked before each claim."""
        return ()

    def changed(self) -> None:
        """There is more room, or a name is open again: for subclasses to call, in any thread. Calling it too often is harmless.

        Without it the worker looks again after its ``poll`` seconds.
        """
        for listener in list(self._listeners):
            listener()

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` at each change. Returns a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


def pushed_through(hooks: Sequence[PushHook], tasks: Sequence[NewTask]) -> Sequence[NewTask]:
    """``tasks`` as ``hooks`` leave them, called in order for each. Raises InvalidValue for what is no task."""
    for hook in hooks:
        tasks = [_after(hook, task) for task in tasks]
    return tasks


def _after(hook: PushHook, task: NewTask) -> NewTask:
    changed: object = hook(task)
    if isinstance(changed, NewTask):
        return changed
    if isinstance(changed, Coroutine):
        changed.close()
    raise InvalidValue(f"An on_push hook must return a NewTask, got {changed!r} from {middleware_name(hook)}. Hooks are plain functions.")


def compose(middleware: Sequence[Middleware], innermost: Next) -> Next:
    """One function out of many: the first of ``middleware`` is outermost, ``innermost`` runs the handler."""
    return reduce(_around, reversed(middleware), innermost)


def _around(following: Next, layer: Middleware) -> Next:
    return lambda call: layer(call, following)


def checked(middleware: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """``middleware`` as a tuple. Raises InvalidValue for what cannot be called with a call and awaited."""
    several("middleware", middleware, what="async functions")
    layers = tuple(middleware)
    for layer in layers:
        if isinstance(layer, type):
            raise InvalidValue(f"middleware must be functions or objects, got the class {layer.__name__}. Make an object of it: {layer.__name__}(…).")
        if not callable(layer):
            raise InvalidValue(f"middleware must be async functions of a call and what follows, got {layer!r}.")
        if not _is_async(layer):
            raise InvalidValue(f"middleware must be async functions of a call and what follows, got the plain {middleware_name(layer)}.")
    for place, layer in enumerate(layers):
        if isinstance(layer, Gate) and any(layer is other for other in layers[:place]):
            raise InvalidValue(f"The same {middleware_name(layer)} is listed twice, so a run would wait behind itself. List it once.")
    return layers


def _is_async(layer: Callable[..., Any]) -> bool:
    while isinstance(layer, partial):
        layer = layer.func
    return inspect.iscoroutinefunction(layer) or inspect.iscoroutinefunction(getattr(layer, "__call__", None))  # noqa: B004


@asynccontextmanager
async def entered(middleware: Iterable[Middleware]) -> AsyncIterator[None]:
    """Enter those that are async context managers, in order; leave them in reverse."""
    async with AsyncExitStack() as stack:
        for layer in middleware:
            if isinstance(layer, AbstractAsyncContextManager):
                await stack.enter_async_context(layer)
        yield


def provided(middleware: Iterable[Middleware]) -> tuple[type, ...]:
    """The types that ``middleware`` puts into the extensions of every call."""
    return tuple(kind for layer in middleware for kind in getattr(layer, "provides", ()))


def middleware_name(middleware: object) -> str:
    """How lists call it."""
    name: str = getattr(middleware, "__name__", type(middleware).__name__)
    return name
