"""What a push gives back: the stored task, and the ways to follow it."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypedDict, TypeVar, Unpack, cast

from queue_core.backend import Backend
from queue_core.backoff import Retry
from queue_core.codec import codec_named, convert
from queue_core.errors import InvalidValue, ResultTimeout, TaskKilled, UnknownTask, not_negative, several
from queue_core.expose import Actor, Codec, Expose, Report, Status, Task, TaskId
from queue_core.parameters import Parameters
from queue_core.task import Pushed, TaskChange

R_co = TypeVar("R_co", covariant=True)
PROGRAM: Final = Actor(name="program")
"""Who acts when a program calls ``kill`` or ``retry`` without saying for whom."""


class Store(Protocol):
    """What a handle needs of its app."""

    @property
    def backend(self) -> Backend:
        """The store's write contract."""
        ...

    @property
    def expose(self) -> Expose:
        """The store's read-and-act contract."""
        ...

    @property
    def codecs(self) -> Mapping[str, Codec]:
        """Codecs by name."""
        ...

    async def open(self) -> None:
        """Connect."""
        ...


class Changes(TypedDict, total=False):
    """What ``TaskHandle.update`` takes. None for ``timeout``, ``retry`` or ``expires_at`` takes it away."""

    arguments: Mapping[str, Any]
    """All of them, by the names of the handler's parameters."""
    run_at: datetime
    """Aware."""
    priority: int
    max_attempts: int
    timeout: float | None
    retry: Retry | None
    expires_at: datetime | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]


class TaskHandle(Generic[R_co]):
    """A task that was pushed, with the type of its result.

    >>> async with app.running():
    ...     task = await greet.push("Ada")
    ...     print(await task.result(timeout=5))
    Hello, Ada.
    """

    __slots__ = ("_parameters", "_pushed", "_store")

    def __init__(self, store: Store, pushed: Pushed, parameters: Parameters | None) -> None:
        self._store = store
        self._parameters = parameters
        self._pushed = pushed

    @property
    def task(self) -> Task:
        """The task as it was stored; ``fetch`` gives it as it is now."""
        return self._pushed.task

    @property
    def created(self) -> bool:
        """False when a task with the same key was there already: then this is that one."""
        return self._pushed.created

    @property
    def id(self) -> TaskId:
        """The task's id."""
        return self.task.id

    async def result(self, timeout: float | None = None) -> R_co:
        """Wait until the task is Done, and return what its handler returned.

        Raises TaskKilled when it ended Killed, ResultTimeout when ``timeout`` seconds passed first, UnknownTask when it was deleted,
        DecodeError when the result does not fit the handler's return annotation, InvalidValue for a ``timeout`` that is no number of seconds.

        >>> task = await greet.push("Ada")
        >>> ran = await drain(app)
        >>> await task.result()
        'Hello, Ada.'
        """
        if timeout is not None:
            not_negative("timeout", timeout)
        await self._store.open()
        waiting = self._store.backend.wait_for([self.id], timeout=timeout)
        async with contextlib.aclosing(cast("Any", waiting)):
            async for task in waiting:
                return self._decode(task)
        raise ResultTimeout(f"Task {self.id} ({self.task.name}) was not finished when the store was closed.")

    async def fetch(self) -> Task:
        """The task as it is now. Raises UnknownTask when it was deleted.

        >>> task = await greet.push("Ada")
        >>> ran = await drain(app)
        >>> (await task.fetch()).attempts
        1
        """
        await self._store.open()
        task = await self._store.expose.fetch(self.id)
        if task is None:
            raise UnknownTask([self.id])
        return task

    async def status(self) -> Status:
        """The state that the task is in now. Raises UnknownTask when it was deleted.

        >>> task = await greet.push("Ada")
        >>> ran = await drain(app)
        >>> await task.status()
        <Status.DONE: 'Done'>
        """
        await self._store.open()
        found = await self._store.expose.summaries([self.id])
        if not found:
            raise UnknownTask([self.id])
        return found[0].status

    async def update(self, *, actor: Actor = PROGRAM, **changes: Unpack[Changes]) -> Report:
        """Change the task while it waits: ``await task.update(priority=10, arguments={"user_id": 43})``. What is left out stays.

        Raises IllegalTransition when it runs or is final, InvalidValue for arguments that do not fit the handler, for values that break a
        rule and where the store has no updates, UnknownTask when it was deleted. Nothing is changed then.

        >>> task = await greet.push("Ada")
        >>> report = await task.update(priority=10, arguments={"name": "Grace"})
        >>> (await task.fetch()).priority
        10
        """
        self._store.backend.capabilities.require("updates", f"{self.task.name} {self.id} is to be changed", "Kill it, and push another.")
        await self._store.open()
        return (await self._store.expose.update([self.id], self._change(changes), actor=actor)).raise_if_skipped()

    def _change(self, changes: Changes) -> TaskChange:
        unknown = changes.keys() - Changes.__annotations__.keys()
        if unknown:
            raise InvalidValue(f"update() has no option {', '.join(sorted(unknown))}; it takes {', '.join(Changes.__annotations__)}.")
        fields: dict[str, Any] = {name: value for name, value in changes.items() if name != "arguments"}
        if "tags" in changes:
            several("tags", changes["tags"])
            fields["tags"] = tuple(changes["tags"])
        if "arguments" in changes:
            fields |= {"args": self._encoded(changes["arguments"]), "codec": self.task.codec}
        return TaskChange(**fields)

    def _encoded(self, arguments: Mapping[str, Any]) -> bytes:
        codec = codec_named(self.task.codec, self._store.codecs)
        if self._parameters is None:
            return codec.encode(dict(arguments))
        return self._parameters.encode(self._parameters.bind((), arguments), codec)

    async def kill(self, *, actor: Actor = PROGRAM) -> Report:
        """Kill the task: at once if it waits; if it runs, its worker stops it next. Raises IllegalTransition when it is final.

        >>> task = await greet.push("Ada")
        >>> report = await task.kill()
        >>> await task.status()
        <Status.KILLED: 'Killed'>
        """
        await self._store.open()
        return (await self._store.expose.kill([self.id], actor=actor)).raise_if_skipped()

    async def retry(self, *, actor: Actor = PROGRAM) -> Report:
        """Let a Failed, Killed or Done task run again now. Raises IllegalTransition when it waits or runs.

        >>> task = await greet.push("Ada")
        >>> report = await task.kill()
        >>> report = await task.retry()
        >>> await task.status()
        <Status.PENDING: 'Pending'>
        """
        await self._store.open()
        return (await self._store.expose.retry([self.id], actor=actor)).raise_if_skipped()

    def _decode(self, task: Task) -> R_co:
        if task.status is Status.KILLED:
            why = f": {task.error.rstrip('.')}" if task.error else ""
            raise TaskKilled(f"Task {task.id} ({task.name}) was killed ({task.reason}) after {task.attempts} of {task.max_attempts} attempts{why}.")
        if task.result is None:
            return cast("R_co", None)
        plain = codec_named(task.codec, self._store.codecs).decode(task.result)
        returns = Any if self._parameters is None else self._parameters.returns
        return cast("R_co", plain if returns is Any else convert(plain, returns))

    def __repr__(self) -> str:
        return f"<TaskHandle {self.task.name} {self.id} {self.task.status}>"


def check_id(id: object) -> None:
    """Raise InvalidValue unless ``id`` is text."""
    if not isinstance(id, str):
        raise InvalidValue(f"id must be the text of a task's id, got {id!r}.")
