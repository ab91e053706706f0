"""The app: a store, the handlers of its tasks, and the workers that run them."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, Unpack, cast, overload

from queue_core.backend import Backend, Capabilities
from queue_core.backoff import Retry
from queue_core.codec import CODECS, Codec, Guarded, JsonCodec, MsgPackCodec
from queue_core.definition import STREAM_BATCH, AsyncTaskDefinition, Options, PlainTaskDefinition, TaskDefinition
from queue_core.errors import InvalidValue, UnknownTask, not_negative, several
from queue_core.expose import Expose, connect
from queue_core.handle import TaskHandle, check_id
from queue_core.handler import DEFAULT_RETRY, Executor, Handler, place_of
from queue_core.ids import QueueName, TaskId
from queue_core.inject import Depends
from queue_core.limits import Limits, Rate
from queue_core.loops import Loops, running
from queue_core.middleware import AckHook, Middleware, PushHook, checked, pushed_through
from queue_core.registry import Registry
from queue_core.streams import Stream, gathered
from queue_core.task import DEFAULT_MAX_ATTEMPTS, DEFAULT_QUEUE, NewTask, Pushed, Task, check_name

if TYPE_CHECKING:
    from queue_core.schedule import Cron, Every, Missed, Schedule
    from queue_core.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
_PUSHES: Final = "{0}.push(…), or app.push([{0}.new(…)])"
Hook = TypeVar("Hook", bound=Callable[..., Any])


class Decorator(Protocol):
    """What ``app.task(...)`` returns."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # an async function is also a plain one that returns a coroutine
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTaskDefinition[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> PlainTaskDefinition[P, R]: ...


class App:
    """A queue: push tasks through its definitions, run them with its workers.

    ``url`` names the store: ``sqlite:///tasks.db``, ``postgresql://host/database`` or ``memory://``. ``codec`` encodes arguments: ``json``,
    ``msgpack`` or a Codec of your own; ``codecs`` are others that stored tasks are read with. ``middleware`` goes around every run of a task,
    the first outermost, and around that of a single worker; ``on_ack`` are hooks that see how each attempt ended, before those of a single
    worker. Both hold wherever tasks of the app are run. ``on_push`` are hooks that see each task that is pushed through the app before it is
    stored, and may change it. ``options`` go to the backend. It connects when first used; ``close`` disconnects, as does leaving
    ``async with app``.

    One App serves all threads: each event loop connects when it first uses the app, and disconnects for itself. A program without a loop runs one
    for each call, in any thread: ``asyncio.run(greet.push(name="Olga"))``.

    Raises UnknownScheme for a URL that no backend serves, InvalidValue for an unknown codec or what cannot be middleware.

    >>> app = App("memory://")
    >>> @app.task(queue="email", max_attempts=3)
    ... async def greet(name: str) -> str:
    ...     return f"Hello, {name}."
    """

    def __init__(
        self,
        url: str,
        *,
        codec: str | Codec = "json",
        codecs: Iterable[Codec] = (),
        middleware: Iterable[Middleware] = (),
        on_ack: AckHook | Sequence[AckHook] = (),
        on_push: PushHook | Sequence[PushHook] = (),
        **options: Any,
    ) -> None:
        self._codecs: Final = dict(CODECS)
        for other in codecs:
            self._codec(other)
        self.codec: Codec = self._codec(codec)
        """What arguments are encoded with, unless a handler has a codec of its own."""
        connected = connect(url, codecs=self._codecs, **options)
        self.url = url
        self.backend: Backend = connected.backend
        """The store's write contract; ``open`` it first."""
        self.expose: Expose = connected.expose
        """The store's read-and-act contract, which a board takes; ``open`` it first."""
        self.registry = Registry()
        self.tasks: dict[str, TaskDefinition[..., Any]] = {}
        """Its definitions by name."""
        self.data: dict[type, Any] = {}
        """What handlers get by type; ``provide`` adds to it."""
        self.overrides: Mapping[Callable[..., Any], Callable[..., Any]] = {}
        """Dependencies of handlers by what takes their place; ``override`` sets it."""
        self.middleware: tuple[Middleware, ...] = checked(middleware)
        """Around every run of its tasks, the first outermost."""
        self.on_ack: tuple[AckHook, ...] = _several(on_ack)
        """Called with how each attempt ended, before that is stored."""
        self.schedules: dict[str, Schedule] = {}
        """Its schedules by name; a worker stores them when it starts."""
        self.on_push: tuple[PushHook, ...] = _several(on_push)
        """Called with each task that is pushed through the app, before it is stored."""
        self.limits: dict[QueueName, Limits] = {}
        """What ``queue`` declared."""
        self._undeclared: dict[QueueName, Limits] = {}
        self._loops = Loops()

    @property
    def codecs(self) -> Mapping[str, Codec]:
        """The codecs by name with which stored tasks are read: the built-in ones, and all that this app was given."""
        return self._codecs

    def _codec(self, given: str | Codec) -> Codec:
        """The codec that was given or named; from now on stored tasks are read with it too. Raises InvalidValue."""
        if isinstance(given, str):
            if given not in self._codecs:
                raise InvalidValue(f"codec must be one of {', '.join(sorted(self._codecs))}, or a Codec, got {given!r}.")
            return self._codecs[given]
        guarded = given if type(given) in {JsonCodec, MsgPackCodec} else Guarded(given)
        if _kind(self._codecs.setdefault(guarded.name, guarded)) is not type(given):
            raise InvalidValue(
                f"Two codecs are called {given.name!r}, and stored tasks know theirs by its name. Give {type(given).__name__} another."
            )
        return self._codecs[guarded.name]

    # --- the connection ------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, unless that is done in this event loop. Raises StoreUnavailable, InvalidValue where limits are declared and the store has none.

        >>> async with app:
        ...     await app.open()
        """
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            await self.backend.open()
            self._loops.enter(loop)
        for queue in self._undeclared:
            self.backend.capabilities.require("limits", f"The queue {queue} has limits", "Take app.queue out.")
        while self._undeclared:
            await self.backend.declare(*self._undeclared.popitem())

    async def close(self) -> None:
        """Disconnect this event loop; other loops go on. Safe to call twice.

        >>> await app.open()
        >>> await app.close()
        """
        self._loops.leave(running())
        await self.backend.close()

    async def __aenter__(self) -> "App":
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    # --- defining ------------------------------------------------------------------------------------

    @overload
    def task(  # type: ignore[overload-overlap]  # as in Decorator
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTaskDefinition[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> PlainTaskDefinition[P, R]: ...
    @overload
    def task(
        self,
        /,
        *,
        queue: str = DEFAULT_QUEUE,
        name: str | None = None,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        timeout: float | None = None,
        retry: Retry = DEFAULT_RETRY,
        executor: Executor | None = None,
        priority: int = 0,
        keep_result: bool = True,
        codec: str | Codec | None = None,
    ) -> Decorator: ...
    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        queue: str = DEFAULT_QUEUE,
        name: str | None = None,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        timeout: float | None = None,
        retry: Retry = DEFAULT_RETRY,
        executor: Executor | None = None,
        priority: int = 0,
        keep_result: bool = True,
        codec: str | Codec | None = None,
    ) -> Any:
        """Make a function the handler of tasks: ``@app.task(queue="email", timeout=30)``.

        ``name``: of its tasks, the function's by default; two handlers of an app cannot share one. ``max_attempts``: how often a task may
        start. ``timeout``: seconds for one attempt. ``retry``: the pause between attempts. ``executor``: ``async`` functions run on the event
        loop and plain ones in a thread; ``"process"`` runs a plain one in a child process. ``keep_result``: whether what it returns is stored.
        ``codec``: what its arguments and results are stored in, instead of the app's codec.

        Raises InvalidValue for settings or parameters that break a rule, and for a name that is taken.

        >>> @app.task(queue="images", timeout=30, retry=Retry(min=1, max=60))
        ... def resize(path: str, width: int = 200) -> str:
        ...     return f"{path} at {width}"
        >>> resize.queue
        'images'
        """

        def define(function: Callable[..., Any]) -> TaskDefinition[Any, Any]:
            called = name if name is not None else _name_of(function)
            handler = Handler(
                name=called,
                function=function,
                place=place_of(called, function, executor),
                queue=QueueName(queue),
                max_attempts=max_attempts,
                timeout=timeout,
                retry=retry,
                priority=priority,
                keep_result=keep_result,
                codec=self._codec(codec) if codec is not None else None,
            )
            self.registry.add(handler)
            kind = AsyncTaskDefinition if inspect.iscoroutinefunction(function) else PlainTaskDefinition
            return self.tasks.setdefault(called, kind(self, handler))

        return define if function is None else define(function)

    def queue(
        self,
        name: str,
        *,
        concurrency: int | None = None,
        rate: Rate | None = None,
        group_concurrency: int | None = None,
        group_rate: Rate | None = None,
        ordered: bool = False,
    ) -> Limits:
        """Declare the limits of a queue, which hold over all workers and machines: ``app.queue("email", rate=Rate(10, per=60))``.

        They are stored when a worker of this app starts, or the app is used, and replace those before; see ``Limits`` for what each means. A queue
        that is not declared keeps those it has. Raises InvalidValue for a value that breaks a rule; where the store has no limits, its first use
        does.

        >>> limits = app.queue("email", concurrency=5, rate=Rate(10, per=60))
        >>> limits.concurrency
        5
        """
        check_name("queue", name)
        limits = Limits(concurrency=concurrency, rate=rate, group_concurrency=group_concurrency, group_rate=group_rate, ordered=ordered)
        self.limits[QueueName(name)] = self._undeclared[QueueName(name)] = limits
        return limits

    def provide(self, value: T, *, kind: type[Any] | None = None) -> T:
        """Give ``value`` to handlers that ask for data of its type, or of ``kind``. Returns it.

        >>> class Smtp: ...
        >>> smtp = app.provide(Smtp())
        >>> app.data[Smtp] is smtp
        True
        """
        self.data[kind or type(value)] = value
        return value

    @contextmanager
    def override(self, dependency: Callable[..., Any], replacement: Callable[..., Any]) -> Iterator[None]:
        """Let ``replacement`` take the place of ``dependency`` for workers that are made, and tasks that run inline, within the block. For tests.

        ``replacement`` may be any function that Depends takes, with other parameters too. Raises InvalidValue for what cannot be called.

        >>> def price_of_gold() -> float:
        ...     raise RuntimeError("This would ask the market.")
        >>> @app.task
        ... async def buy(ounces: int, price: Annotated[float, Depends(price_of_gold)] = INJECTED) -> float:
        ...     return ounces * price
        >>> with app.override(price_of_gold, lambda: 2_000.0):
        ...     await run_inline(buy, 3)
        6000.0
        """
        before = self.overrides
        self.overrides = {**before, Depends(dependency).function: Depends(replacement).function}
        try:
            yield
        finally:
            self.overrides = before

    @contextmanager
    def stored_in(self, url: str, **options: Any) -> Iterator["App"]:
        """Let the store at ``url`` take the place of the app's own within the block, for what is pushed, asked and worked there. For tests.

        ``options`` go to its backend, as ``clock=HandWoundClock()``. A board that was made of the app before shows the app's own store.
        What connected within the block should ``close`` there; a store in memory is gone with the block. Raises UnknownScheme.

        >>> app = App("sqlite:///tasks.db")
        >>> with app.stored_in("memory://"):
        ...     print(app.url)
        memory://
        """
        before = self.url, self.backend, self.expose, self._loops, self._undeclared
        connected = connect(url, codecs=self._codecs, **options)
        self.url, self.backend, self.expose, self._loops, self._undeclared = url, connected.backend, connected.expose, Loops(), dict(self.limits)
        try:
            yield self
        finally:
            self.url, self.backend, self.expose, self._loops, self._undeclared = before

    # --- scheduling ----------------------------------------------------------------------------------

    def schedule(
        self,
        when: "Cron | Every | str",
        task: TaskDefinition[..., Any],
        *,
        name: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        missed: "Missed" = "latest",
        **options: Unpack[Options],
    ) -> "Schedule":
        """Push ``task`` again and again: ``app.schedule(Cron("0 6 * * *", "Europe/Berlin"), report, arguments={"kind": "daily"})``.

        ``when``: a Cron, an Every, or the text of a cron expression in UTC. ``name``: of the schedule, the task's by default; it is stored under
        it, and two schedules of an app cannot share one. ``missed``: what becomes of ticks that came while no worker lived: ``"latest"`` makes one
        task for the newest, ``"all"`` one for each of the newest 100, ``"skip"`` none for those more than 10 seconds late. ``options``: those of
        ``using`` but for what every tick would share: ``key``, ``id``, ``run_at`` and ``expires_at``.

        A worker of the app stores it when it starts. From then on any worker on the store pushes its tasks, exactly one for each tick, whether it
        knows the app or not.

        Raises InvalidValue for arguments that do not fit the task, options that break a rule, and a name that is taken.

        >>> daily = app.schedule(Cron("0 6 * * *", "Europe/Berlin"), greet, arguments={"name": "Ada"})
        >>> daily.name, daily.when.english
        ('greet', 'At 06:00 every day, Europe/Berlin')
        """
        from queue_core.schedule import Entry, Schedule, as_when  # only where something is scheduled

        if not isinstance(task, TaskDefinition) or self.tasks.get(task.name) is not task:
            raise InvalidValue(f"A schedule needs a task of its own app, made by @app.task, got {task!r}.")
        called = task.name if name is None else name
        if called in self.schedules:
            raise InvalidValue(f"The schedule name {called!r} is taken. Pass name= to tell them apart.")
        if "id" in options:
            raise InvalidValue(f"The schedule {called} cannot set id, which would be the same for every tick. Leave it out.")
        new = task.using(**options).new(**(arguments or {}))
        schedule = Schedule(name=called, when=as_when(when), task=new, missed=missed)
        Entry.of(schedule)  # raises for options that no store can keep
        return self.schedules.setdefault(called, schedule)

    # --- pushing -------------------------------------------------------------------------------------

    async def push(self, tasks: Sequence[NewTask], connection: Any = None) -> list[Pushed]:
        """Store ready-made tasks, of one definition or of several, all or none: ``await app.push([greet.new("Ada"), resize.new(42)])``.

        ``connection``: an open connection to the same store, whose transaction the push joins. Raises InvalidValue, StoreUnavailable.

        >>> stored = await app.push([greet.new("Ada"), greet.using(run_after=60).new("Grace")])
        >>> len(stored)
        2
        """
        _check_tasks(tasks)
        await self.open()
        tasks = pushed_through(self.on_push, tasks)
        if not self.backend.capabilities.key_rules:
            _check_keys(self.backend.capabilities, tasks)
        return await (self.backend.push(tasks) if connection is None else self.backend.push_in(connection, tasks))

    async def push_stream(self, tasks: Stream[NewTask]) -> AsyncGenerator[Pushed, None]:
        """Store ready-made tasks as they come, and yield each once it is stored; see ``TaskDefinition.push_stream``.

        >>> async for pushed in app.push_stream(greet.new(name) for name in ("Ada", "Grace")):
        ...     print(pushed.task.args)
        b'{"name":"Ada"}'
        b'{"name":"Grace"}'
        """
        async with aclosing(gathered(tasks, STREAM_BATCH)) as batches:
            async for batch in batches:
                for pushed in await self.push(batch):
                    yield pushed

    # --- following -----------------------------------------------------------------------------------

    async def handle(self, id: str) -> TaskHandle[Any]:
        """The task with this id, whoever pushed it, to follow it: its ``result``, ``status``, ``kill``, ``retry``, ``update``.

        Where a definition of its name is here, its result is of the annotated type; ``definition.handle(id)`` tells type checkers so too.
        Raises UnknownTask when no stored task has this id, InvalidValue for what is no text.

        >>> pushed = await greet.push("Ada")
        >>> task = await app.handle(pushed.id)
        >>> task.task.name
        'greet'
        """
        check_id(id)
        await self.open()
        task = await self.expose.fetch(TaskId(id))
        if task is None:
            raise UnknownTask([id])
        definition = self.tasks.get(task.name)
        return TaskHandle(self, Pushed(task=task), None if definition is None else definition.handler.parameters)

    async def wait_for(self, tasks: Iterable[TaskHandle[Any] | str], *, timeout: float | None = None) -> AsyncGenerator[Task, None]:
        """Yield each of these tasks, given by handle or id, once it is Done or Killed; those that are already, at once.

        Raises UnknownTask for an id that is not stored, ResultTimeout when ``timeout`` seconds passed with some unfinished, InvalidValue for what is
        neither handle nor id, and for a ``timeout`` that is no number of seconds.

        >>> tasks = await greet.push_many({"name": name} for name in ("Ada", "Grace"))
        >>> ran = await drain(app)
        >>> async for task in app.wait_for(tasks, timeout=60):
        ...     print(task.name, task.status)
        greet Done
        greet Done
        """
        several("tasks", tasks, what="handles or ids")
        if timeout is not None:
            not_negative("timeout", timeout)
        ids = [_id_of(task) for task in tasks]
        await self.open()
        async with aclosing(cast("AsyncGenerator[Task, None]", self.backend.wait_for(ids, timeout=timeout))) as finished:
            async for task in finished:
                yield task

    # --- working -------------------------------------------------------------------------------------

    def worker(
        self,
        name: str | None = None,
        *,
        data: Iterable[Any] = (),
        middleware: Iterable[Middleware] = (),
        on_ack: AckHook | Sequence[AckHook] = (),
        **options: Any,
    ) -> "Worker":
        """A worker for this app's tasks. ``data`` comes beside what was provided, ``middleware`` inside that of the app, ``on_ack`` after its
        hooks; ``options`` are those of ``Worker``.

        Raises InvalidValue for settings that break a rule, MissingData when a handler asks for data that nobody provided.

        >>> worker = app.worker("mail-1", queues=["email"], concurrency=20)
        >>> worker.name
        'mail-1'
        """
        from queue_core.worker import Worker  # only where tasks are run: programs that push start a quarter faster without it

        _check_options("worker", options, inspect.signature(Worker).parameters)
        given = self.data | {type(value): value for value in data}
        layers, hooks = (*self.middleware, *checked(middleware)), (*self.on_ack, *_several(on_ack))
        return Worker(
            name,
            self.backend,
            self.registry,
            data=given,
            middleware=layers,
            on_ack=hooks,
            overrides=self.overrides,
            codecs=self.codecs,
            schedules=self.schedules.values(),
            limits=self.limits,
            **options,
        )

    async def work(self, name: str | None = None, **options: Any) -> None:
        """Run a worker until it is stopped by SIGTERM or SIGINT; a second one cancels what runs. For programs that do nothing else.

        >>> async def main() -> None:
        ...     await app.work(concurrency=20)
        """
        await self.worker(name, **options).run(signals=True)

    @asynccontextmanager
    async def running(self, name: str | None = None, **options: Any) -> AsyncIterator["Worker"]:
        """Run a worker within a host's lifespan: ``async with app.running(concurrency=5):``. Leaving it stops the worker gracefully, and
        disconnects an app that was not connected before.

        Raises what keeps the worker from starting. When it fails later, that is raised at the end.

        >>> async with app.running(concurrency=5) as worker:
        ...     task = await greet.push("Ada")
        ...     print(await task.result())
        Hello, Ada.
        """
        connected_before = self._loops.here
        worker = self.worker(name, **options)
        working = asyncio.ensure_future(worker.run())
        try:
            await _ready(worker, working)
            try:
                yield worker
            finally:
                if not working.done():
                    worker.stop()
                await working
        finally:
            if not connected_before:
                await self.close()


async def _ready(worker: "Worker", working: "asyncio.Future[None]") -> None:
    ready = asyncio.ensure_future(worker.ready())
    try:
        await asyncio.wait([ready, working], return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        working.cancel()
        raise
    finally:
        ready.cancel()
    if working.done():
        working.result()


def _check_tasks(tasks: object) -> None:
    if isinstance(tasks, TaskDefinition):
        raise InvalidValue(f"app.push takes ready-made tasks, got {tasks!r}. Write {_PUSHES.format(tasks.name)}.")
    several("tasks", tasks, what="ready-made tasks")
    for task in cast("Iterable[object]", tasks):
        if not isinstance(task, NewTask):
            name = task.name if isinstance(task, TaskDefinition) else "f"
            raise InvalidValue(f"app.push takes ready-made tasks, got {task!r}. Write {_PUSHES.format(name)}.")


def _check_options(of: str, options: Iterable[str], known: Iterable[str]) -> None:
    for name in options:
        if name not in (names := list(known)):
            import difflib  # only where a name is wrong

            near = difflib.get_close_matches(name, names, 1)
            raise InvalidValue(f"{of}() has no option {name}. " + (f"Did you mean {near[0]}?" if near else "Its options are those of Worker."))


def _id_of(task: object) -> TaskId:
    if not isinstance(task, str | TaskHandle):
        raise InvalidValue(f"tasks must be several handles or ids, got {task!r} among them.")
    return TaskId(task) if isinstance(task, str) else task.id


def _check_keys(can: Capabilities, tasks: Sequence[NewTask]) -> None:
    for task in tasks:
        if task.unique != "ever" or task.debounce is not None:
            can.require("key_rules", f"{task.name} is pushed with unique or debounce", "Leave them out: a key then belongs to its task for ever.")


def _several(hooks: Hook | Sequence[Hook]) -> tuple[Hook, ...]:
    return (hooks,) if callable(hooks) else tuple(hooks)


def _kind(codec: Codec) -> type:
    return type(codec.inner if isinstance(codec, Guarded) else codec)


def _name_of(function: Callable[..., Any]) -> str:
    if not callable(function):
        raise InvalidValue(f"app.task needs a function, got {function!r}.")
    return cast("str", getattr(function, "__name__", type(function).__name__))
