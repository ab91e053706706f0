"""A task definition: a handler that can be called like its function, or pushed."""

from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, Generic, ParamSpec, Protocol, TypedDict, TypeVar, Unpack

from queue_core.backoff import Retry
from queue_core.codec import Codec
from queue_core.errors import InvalidValue, UnknownTask, several
from queue_core.handle import Store, TaskHandle, check_id
from queue_core.handler import Handler
from queue_core.ids import QueueName, TaskId
from queue_core.streams import Stream, each, gathered
from queue_core.task import NewTask, Pushed, Unique

P = ParamSpec("P")
R = TypeVar("R")
STREAM_BATCH: Final = 1_000
"""How many tasks of a stream are stored together at most, and so how many wait in memory."""


class Options(TypedDict, total=False):
    """What ``using`` takes: everything that one push may set, in place of the handler's defaults."""

    run_after: float
    """Seconds from now."""
    run_at: datetime
    """Aware."""
    priority: int
    key: str
    unique: Unique
    """``"ever"``, ``"live"`` or seconds: for how long the key belongs to the task."""
    debounce: float
    """Seconds for which a task with the key waits for the next push, which then replaces its arguments."""
    debounce_max: float
    """Seconds from its first push after which a debounced task is due in any case."""
    group: str
    """Whose tasks share the limits that the queue has for each group."""
    max_attempts: int
    timeout: float
    retry: Retry
    queue: str
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    expires_at: datetime
    id: str


class Producer(Store, Protocol):
    """What a definition needs of its app."""

    @property
    def codec(self) -> Codec:
        """What arguments are encoded with, unless a handler has a codec of its own."""
        ...

    async def push(self, tasks: Sequence[NewTask], connection: Any = None) -> list[Pushed]:
        """Store tasks, inside the transaction of ``connection`` if there is one."""
        ...


class TaskDefinition(Generic[P, R]):
    """A registered function. ``push`` stores a task for it; calling it runs the function here and now.

    >>> task = await greet.push("Ada")
    >>> task.task.queue
    'email'
    >>> await greet("Ada")
    'Hello, Ada.'
    """

    def __init__(self, app: Producer, handler: Handler) -> None:
        self.handler: Final = handler
        self.app: Final = app
        self.codec: Final[Codec] = handler.codec or app.codec
        """What its arguments are encoded with."""
        self._plain: Final[Push[P, R]] = Push(self)
        self.__doc__ = handler.function.__doc__
        self.__name__ = getattr(handler.function, "__name__", handler.name)
        self.__module__ = handler.function.__module__
        self.__wrapped__ = handler.function

    @property
    def name(self) -> str:
        """The name of its tasks."""
        return self.handler.name

    @property
    def queue(self) -> QueueName:
        """The queue that its tasks go to."""
        return self.handler.queue

    @property
    def function(self) -> Any:
        """The function itself."""
        return self.handler.function

    async def push(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """Store a task with these arguments; a worker will run it.

        Raises InvalidValue when the arguments do not fit the function (nothing is stored then), StoreUnavailable.

        >>> task = await greet.push("Ada")
        >>> await task.status()
        <Status.PENDING: 'Pending'>
        """
        return await self._plain.push(*args, **kwargs)

    async def push_many(self, arguments: Iterable[Mapping[str, Any]]) -> list[TaskHandle[R]]:
        """Store a task for each mapping of parameter names to values: all of them, or none when one is wrong.

        >>> tasks = await greet.push_many({"name": name} for name in ("Ada", "Grace"))
        >>> len(tasks)
        2
        """
        return await self._plain.push_many(arguments)

    def push_stream(self, arguments: Stream[Mapping[str, Any]]) -> AsyncGenerator[TaskHandle[R], None]:
        """Store a task for each mapping as it comes, and yield it once it is stored; for sources that are long, slow or endless.

        ``arguments``: an async or plain iterable. What comes while others are stored is stored together, up to 1,000 tasks, each time all or none;
        no more wait in memory. Raises what ``push`` raises and what ``arguments`` raises; everything that came before is stored then.

        >>> async def newcomers() -> AsyncIterator[dict[str, str]]:
        ...     yield {"name": "Ada"}
        ...     yield {"name": "Grace"}
        >>> async for task in greet.push_stream(newcomers()):
        ...     print(task.task.args)
        b'{"name":"Ada"}'
        b'{"name":"Grace"}'
        """
        return self._plain.push_stream(arguments)

    def new(self, *args: P.args, **kwargs: P.kwargs) -> NewTask:
        """A task with these arguments, stored by nobody yet: ``await app.push([greet.new("Ada"), resize.new(42)])`` stores several as one.

        Raises InvalidValue when the arguments do not fit the function.

        >>> task = greet.new("Ada")
        >>> task.name, task.queue, task.args
        ('greet', 'email', b'{"name":"Ada"}')
        """
        return self._plain.new(*args, **kwargs)

    async def handle(self, id: str) -> TaskHandle[R]:
        """A task of this definition that was pushed before, to follow it: ``await (await greet.handle(id)).result()``.

        Raises UnknownTask when none has this id, InvalidValue when it is a task of another name.

        >>> pushed = await greet.push("Ada")
        >>> task = await greet.handle(pushed.id)
        >>> await task.status()
        <Status.PENDING: 'Pending'>
        """
        check_id(id)
        await self.app.open()
        task = await self.app.expose.fetch(TaskId(id))
        if task is None:
            raise UnknownTask([id])
        if task.name != self.name:
            raise InvalidValue(f"Task {id} is one of {task.name}, not of {self.name}. Ask that definition, or app.handle, which takes any.")
        return TaskHandle(self.app, Pushed(task=task), self.handler.parameters)

    def using(self, *, connection: Any = None, **options: Unpack[Options]) -> "Push[P, R]":
        """The same with other options: ``await f.using(run_after=60, priority=10, key="welcome-42").push(user_id=42)``.

        ``connection``: an open connection to the same store, whose transaction the push joins. Raises InvalidValue for unknown options.

        >>> task = await greet.using(run_after=60, priority=10, key="welcome-42").push("Ada")
        >>> again = await greet.using(key="welcome-42").push("Ada")
        >>> again.created, again.id == task.id
        (False, True)
        """
        return Push(self, connection, _checked(self.name, options))

    def __repr__(self) -> str:
        return f"<task {self.name} in queue {self.handler.queue}>"


class AsyncTaskDefinition(TaskDefinition[P, R]):
    """The definition of an ``async def`` function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Run the function here, without a queue."""
        running: Coroutine[Any, Any, R] = self.function(*args, **kwargs)
        return running


class PlainTaskDefinition(TaskDefinition[P, R]):
    """The definition of a plain function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here, without a queue."""
        result: R = self.function(*args, **kwargs)
        return result


class Push(Generic[P, R]):
    """How tasks of a definition are pushed; made by ``using``."""

    __slots__ = ("_connection", "_definition", "_options", "_template")

    def __init__(self, definition: TaskDefinition[P, R], connection: Any = None, options: Options | None = None) -> None:
        self._definition = definition
        self._connection = connection
        self._options = options or Options()
        self._template: NewTask | None = None
        """What is pushed this way, without arguments; the tasks are copies, so that what they share is checked once."""

    async def push(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """Store a task with these arguments. Raises InvalidValue, StoreUnavailable."""
        return (await self._store([self._encoded(args, kwargs)]))[0]

    async def push_many(self, arguments: Iterable[Mapping[str, Any]]) -> list[TaskHandle[R]]:
        """Store a task for each mapping of parameter names to values: all of them, or none when one is wrong."""
        if not isinstance(arguments, Iterable):
            raise InvalidValue(
                f"{self._definition.name}: push_many takes mappings that are all there, got {arguments!r}. Use push_stream for what comes."
            )
        return await self._store([self._encoded((), _mapping(self._definition.name, given)) for given in arguments])

    async def push_stream(self, arguments: Stream[Mapping[str, Any]]) -> AsyncGenerator[TaskHandle[R], None]:
        """Store a task for each mapping as it comes, and yield it once it is stored; see ``TaskDefinition.push_stream``."""
        async with aclosing(gathered(self._encoded_each(arguments), STREAM_BATCH)) as batches:
            async for batch in batches:
                for handle in await self._store(batch):
                    yield handle

    def new(self, *args: P.args, **kwargs: P.kwargs) -> NewTask:
        """A task with these arguments, stored by nobody yet. Raises InvalidValue."""
        return self._new_tasks([self._encoded(args, kwargs)])[0]

    async def _encoded_each(self, arguments: Stream[Mapping[str, Any]]) -> AsyncGenerator[bytes, None]:
        async with aclosing(each(arguments)) as given:
            async for one in given:
                yield self._encoded((), _mapping(self._definition.name, one))

    async def _store(self, arguments: Sequence[bytes]) -> list[TaskHandle[R]]:
        app, parameters = self._definition.app, self._definition.handler.parameters
        return [TaskHandle(app, pushed, parameters) for pushed in await app.push(self._new_tasks(arguments), self._connection)]

    def _encoded(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        parameters = self._definition.handler.parameters
        return parameters.encode(parameters.bind(args, kwargs), self._definition.codec)

    def _new_tasks(self, arguments: Sequence[bytes]) -> list[NewTask]:
        if "id" in self._options:
            return [self._new_task(args) for args in arguments]
        if self._template is None:
            self._template = self._new_task(b"")
        return self._template.again(arguments)

    def _new_task(self, args: bytes) -> NewTask:
        return NewTask(args=args, codec=self._definition.codec.name, **self._fields())

    def _fields(self) -> dict[str, Any]:
        handler = self._definition.handler
        defaults = {"name": handler.name, "queue": handler.queue, "priority": handler.priority, "max_attempts": handler.max_attempts}
        fields: dict[str, Any] = {**defaults, **self._options}
        fields["tags"] = tuple(fields.get("tags", ()))
        return fields


def _checked(name: str, options: Options) -> Options:
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise InvalidValue(f"{name}: using() has no option {', '.join(sorted(unknown))}; it takes connection, {', '.join(Options.__annotations__)}.")
    if "tags" in options:
        several(f"{name}: tags", options["tags"])
    return options


def _mapping(name: str, given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidValue(f"{name}: push_many and push_stream take mappings of parameter names to values, got {given!r}.")
    return given
