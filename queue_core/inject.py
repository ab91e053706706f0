"""What a handler may ask for beside its stored arguments: data, facts about its own run, the task's metadata, and dependencies."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, NewType, Protocol, TypeVar, overload

from queue_core.codec import convert
from queue_core.errors import AbortError, InvalidValue, MissingData, OperationTimeout, not_negative
from queue_core.ids import QueueName, TaskId
from queue_core.schedule import Tick, tick_in

T = TypeVar("T")
AttemptNumber = NewType("AttemptNumber", int)
"""The number of the attempt that runs, 1 for the first; a handler gets it with ``attempt: AttemptNumber = INJECTED``.

>>> @app.task
... async def count(attempt: AttemptNumber = INJECTED) -> int:
...     return attempt
>>> await run_inline(count)
1
"""

Metadata = NewType("Metadata", Mapping[str, Any])
"""All metadata of the task; a handler gets it with ``metadata: Metadata = INJECTED``.

>>> @app.task
... async def source(metadata: Metadata = INJECTED) -> str:
...     return metadata.get("source", "unknown")
>>> task = await source.using(metadata={"source": "import"}).push()
>>> ran = await drain(app)
>>> await task.result()
'import'
"""

INJECTED: Final[Any] = type("Injected", (), {"__repr__": lambda _: "INJECTED"})()
"""Default of a parameter that the worker fills in, so that ``push`` and the type checkers do not ask for it.

>>> @app.task
... async def whoami(id: TaskId = INJECTED) -> str:
...     return id
>>> task = await whoami.push()
>>> ran = await drain(app)
>>> await task.result() == task.id
True
"""


@dataclass(frozen=True, slots=True)
class Data:
    """Marks a parameter that gets an object of its type from ``app.provide(...)`` or ``Worker(data=...)``.

    >>> class Smtp:
    ...     def send(self, address: str) -> str:
    ...         return f"sent to {address}"
    >>> smtp = app.provide(Smtp())
    >>> @app.task
    ... async def send(address: str, *, smtp: Annotated[Smtp, Data()] = INJECTED) -> str:
    ...     return smtp.send(address)
    >>> await run_inline(send, "ada@example.com")
    'sent to ada@example.com'
    """


@dataclass(frozen=True, slots=True)
class Meta:
    """Marks a parameter that gets one entry of the task's metadata, as the annotated type.

    Without the entry it gets its default, if it has another than INJECTED. An entry that is missing or does not fit ends the task: it is Killed
    with a MetadataError, because another attempt would find the same.

    >>> @app.task
    ... async def send(user_id: int, *, language: Annotated[str, Meta("language")] = "en") -> str:
    ...     return language
    >>> task = await send.using(metadata={"language": "de"}).push(7)
    >>> ran = await drain(app)
    >>> await task.result()
    'de'
    """

    key: str


@dataclass(frozen=True, slots=True)
class Depends:
    """Marks a parameter that gets what ``function`` gives, made anew for each run of the handler.

    ``function`` is an ordinary or async function, or a generator of either kind that yields once: what follows its ``yield`` is the clean-up,
    which comes after the handler, also after errors, time limits and kills, and before the end is stored. Such an end is raised at the
    ``yield``. A generator cannot make it undone: it counts although clean-up swallows it or fails itself. Clean-up that fails after
    a success makes a failure of it.

    ``function`` may itself ask for Data, facts, Meta and Depends; it takes nothing else without a default. Handlers and functions that
    depend on the same one share what it gave, within a run; ``cached=False`` makes one for each.

    Plain functions run where the handler does, in its thread too, except those that an async one needs; async ones run on the event
    loop. For a handler in a child process all of them run in the worker, and what they give must be picklable.

    Raises InvalidValue for what cannot be called.

    >>> def open_session():
    ...     print("opened")
    ...     yield "a session"
    ...     print("closed")
    >>> @app.task
    ... async def store(order: int, session: Annotated[str, Depends(open_session)] = INJECTED) -> str:
    ...     return f"{order} by {session}"
    >>> await run_inline(store, 7)
    opened
    closed
    '7 by a session'
    """

    function: Callable[..., Any]
    _: KW_ONLY
    cached: bool = True

    def __post_init__(self) -> None:
        if not callable(self.function) or not isinstance(self.function, Hashable):
            raise InvalidValue(f"Depends needs a function, got {self.function!r}.")


class Ending(StrEnum):
    """Why a run is ended before its handler returned.

    >>> async def tell(call: Call, next: Next) -> Any:
    ...     try:
    ...         return await next(call)
    ...     finally:
    ...         if call.ending is Ending.TIMEOUT:
    ...             print("ran out of time")
    >>> app = App("memory://", middleware=[tell])
    >>> @app.task(timeout=0.01)
    ... async def sleep() -> None:
    ...     await asyncio.sleep(60)
    >>> task = await sleep.push()
    >>> ran = await drain(app)
    ran out of time
    """

    TIMEOUT = "timeout"
    """It ran out of time."""
    KILLED = "killed"
    """A person or a program killed its task."""
    STOPPED = "stopped"
    """The worker stops; the task is given back, and the attempt with it."""
    LOST = "lost"
    """The lease is gone: the task is another worker's by now, and nothing may be written about this run."""


Verb = Literal["stop", "pause", "resume"]
"""What a run can ask of its worker."""


class Hooks(Protocol):
    """What a context needs of the worker that made it."""

    @property
    def ending(self) -> Ending | None:
        """Why the run was asked to end."""
        ...

    @property
    def remaining(self) -> float | None:
        """Seconds left of its time limit."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether the handler may be run once more within this attempt."""
        ...

    @property
    def extensions(self) -> dict[type, Any]:
        """What middleware adds to the run."""
        ...

    def progress(self, fraction: float, note: str | None) -> Awaitable[bool]:
        """Store how far the run is."""
        ...

    def checkpoint(self, value: Any) -> Awaitable[bool]:
        """Store ``value`` for the next attempt."""
        ...

    def last_checkpoint(self) -> Any:
        """What was stored last, as plain values; None for nothing."""
        ...

    def steer(self, verb: Verb) -> None:
        """Ask the worker to stop, pause or resume."""
        ...

    def track(self, work: Awaitable[Any]) -> None:
        """Let the worker wait for ``work`` when it stops."""
        ...

    def emit(self, name: str, payload: Any) -> None:
        """Tell the worker's listeners a Custom event."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """The run of one attempt, as its handler sees it. Asked for by a parameter of this type.

    >>> @app.task
    ... async def resize(images: int, *, ctx: WorkerContext = INJECTED) -> str:
    ...     for done in range(images):
    ...         await ctx.progress((done + 1) / images)
    ...     return f"{ctx.name}, attempt {ctx.attempt} of {ctx.max_attempts}"
    >>> await run_inline(resize, 2)
    'resize, attempt 1 of 5'
    """

    task_id: TaskId
    name: str
    queue: QueueName
    attempt: AttemptNumber
    max_attempts: int
    metadata: Mapping[str, Any]
    priority: int
    run_at: datetime
    """When this attempt came due."""
    created_at: datetime
    """When the task was pushed."""
    crashes: int
    """How many workers died while they held the task."""
    worker: str
    """Name of the worker."""
    hooks: Hooks

    @property
    def cancelled(self) -> bool:
        """Whether this run was asked to end: killed, out of time, or its worker stops. For loops in plain functions."""
        return self.hooks.ending is not None

    @property
    def ending(self) -> Ending | None:
        """Why this run was asked to end; None while it was not. In a child process always None: that is ended from outside."""
        return self.hooks.ending

    @property
    def remaining(self) -> float | None:
        """Seconds until the time limit of this attempt, at least 0; None without a limit."""
        return self.hooks.remaining

    def progress(self, fraction: float, note: str | None = None) -> Awaitable[bool]:
        """Record how far the run is, 0 to 1, with a word about it. ``async`` handlers await it; plain functions just call it.

        Gives whether the task is still this worker's. Raises InvalidValue for a number outside 0 to 1, StoreUnavailable.
        """
        return self.hooks.progress(fraction, note)

    def checkpoint(self, value: Any) -> Awaitable[bool]:
        """Keep ``value`` with the task, so that the next attempt can go on from there, whatever ends this one; None forgets what was kept.

        ``async`` handlers await it; plain functions just call it. Once it returns, the value is stored, in place of the one before. A task
        that is Done keeps none. Gives whether the task is still this worker's: False kept nothing.
        Raises EncodeError for what the task's codec cannot hold, InvalidValue for more than 1 MiB and where the store has no checkpoints,
        StoreUnavailable.
        """
        return self.hooks.checkpoint(value)

    @overload
    def last_checkpoint(self, /) -> Any: ...
    @overload
    def last_checkpoint(self, kind: type[T], /) -> T | None: ...
    def last_checkpoint(self, kind: Any = Any, /) -> Any:
        """What this attempt or one before kept last by ``checkpoint``, as a ``kind``: ``ctx.last_checkpoint(Place)``. None when nothing was.

        Raises DecodeError for what is no ``kind``, as after its definition has changed.
        """
        value = self.hooks.last_checkpoint()
        return None if value is None else convert(value, kind)

    def limit(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """A time limit for a part of an ``async`` handler: ``async with ctx.limit(5): …``. When it is exceeded, the part is cancelled.

        Raises OperationTimeout then, a TaskTimeout, which fails the attempt unless the handler catches it; InvalidValue for no number of seconds.
        """
        return _limited(not_negative("limit", seconds))

    def track(self, work: Awaitable[Any]) -> None:
        """Let ``work`` go on beside and beyond this run: a coroutine, a task or a future. A worker that stops waits for it, within its shutdown
        timeout, and cancels it then. What it raises is logged. It is not part of the task: nothing of it is stored or tried again.

        Raises InvalidValue for what cannot be awaited, WorkerStateError in a child process.
        """
        self.hooks.track(work)

    def emit(self, name: str, payload: Any = None) -> None:
        """Tell the listeners of the worker a Custom event. From a child process its payload must be picklable."""
        self.hooks.emit(name, payload)

    def stop_worker(self) -> None:
        """Ask the worker to stop gracefully; this run is finished first."""
        self.hooks.steer("stop")

    def pause_worker(self) -> None:
        """Ask the worker to claim nothing more; what runs goes on. Of no effect unless it is running."""
        self.hooks.steer("pause")

    def resume_worker(self) -> None:
        """Ask the worker to claim again. Of no effect unless it is paused."""
        self.hooks.steer("resume")


@dataclass(frozen=True, slots=True)
class Progress:
    """Reports how far a run is: ``await progress(0.4, "almost half")``. Asked for by a parameter of this type; plain functions just call it.

    >>> @app.task
    ... async def resize(*, progress: Progress = INJECTED) -> None:
    ...     await progress(0.4, "almost half")
    >>> await run_inline(resize)
    """

    context: WorkerContext

    def __call__(self, fraction: float, note: str | None = None) -> Awaitable[bool]:
        """As ``WorkerContext.progress``."""
        return self.context.progress(fraction, note)


@asynccontextmanager
async def _limited(seconds: float) -> AsyncIterator[None]:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise OperationTimeout(seconds) from error
        raise


def _tick(context: WorkerContext) -> Tick:
    """The tick that the task is for. Raises AbortError for a task that no schedule pushed."""
    tick = tick_in(context.metadata)
    if tick is None:
        raise AbortError(f"{context.name} asks for a Tick, and no schedule pushed this task. For None instead: `tick: Tick | None = INJECTED`.")
    return tick


Fact = Callable[[WorkerContext], Any]
FACTS: Final[Mapping[Any, Fact]] = {
    WorkerContext: lambda context: context,
    Progress: Progress,
    Metadata: lambda context: context.metadata,
    AttemptNumber: lambda context: context.attempt,
    TaskId: lambda context: context.task_id,
    QueueName: lambda context: context.queue,
    Tick: _tick,
    Tick | None: lambda context: tick_in(context.metadata),
}
"""Types of parameters that are filled in from the context."""


def find_data(kind: Any, data: Mapping[type, Any], *, asked_by: str) -> Any:
    """The object of type ``kind``: the one provided as exactly that, else the first that is an instance. Raises MissingData."""
    if kind in data:
        return data[kind]
    if isinstance(kind, type):
        for value in data.values():
            if isinstance(value, kind):
                return value
    name = getattr(kind, "__name__", str(kind))
    given = ", ".join(sorted(known.__name__ for known in data)) or "nothing"
    raise MissingData(f"{asked_by} asks for a {name}, but the worker was given {given}. Call app.provide({name}(…)) before it starts.")
