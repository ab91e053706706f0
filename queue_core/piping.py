"""Piping: what another system yields becomes tasks, once each."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar, Unpack, cast

from queue_core.backoff import Retry
from queue_core.definition import Options, Producer, TaskDefinition
from queue_core.errors import InvalidValue, StoreUnavailable
from queue_core.outage import Outage
from queue_core.schedule import Tick
from queue_core.streams import Stream, each, gathered
from queue_core.task import NewTask, check_name

T = TypeVar("T")
PIPE_BATCH: Final = 100
"""How many items are stored together at most, and so how many wait in memory."""
TROUBLE: Final = Retry(backoff="exponential", min=0.05, max=5.0, jitter=0.5)
"""The pause while the store is unavailable."""
_log = logging.getLogger("prinia.pipe")


async def pipe(
    source: Stream[T],
    definition: TaskDefinition[..., Any],
    *,
    id_of: Callable[[T], object] | None = None,
    arguments: Callable[[T], Mapping[str, Any]] | None = None,
    name: str | None = None,
    batch: int = PIPE_BATCH,
    **options: Unpack[Options],
) -> int:
    """Push a task for each item of ``source``, until that ends. Returns how many tasks were new.

    ``source``: an async or plain iterable, as a consumer of another queue, a reader of a file or the ticks of a ``Cron``. ``id_of``: the
    source's own id of an item. With it the task has the key ``NAME:ID`` and both in its metadata, as ``source`` and ``source_id``, so that
    the pipe can be started again, or run in many places, and each item still becomes one task for as long as the key holds; see ``unique`` in
    ``options``, which are those of ``using``. ``name``: of the source, the task's by default. ``arguments``: from an item to the arguments of the
    task; by default an item is the mapping of them, or the one argument. A tick is its own id, and is injected into the handler as that of a
    schedule.

    What came while others were stored is stored together, at most ``batch`` items, each time all or none; the source is not read further ahead.
    While the store is unavailable the pipe waits, and tries again. An error of ``source``, or InvalidValue for an item that does not fit
    the task, ends the pipe once all that came before is stored; a worker beside it goes on.

    >>> async def import_all(rows):
    ...     return await pipe(rows, import_row, id_of=lambda row: row["number"], name="orders")
    """
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise InvalidValue(f"batch must be a number of items, one or more, got {batch!r}.")
    items = _Items(definition, id_of, arguments, name if name is not None else definition.name, options)
    pusher, stored = _Pusher(definition.app, items.name), 0
    async with aclosing(gathered(_made(source, items), batch)) as batches:
        async for tasks in batches:
            stored += await pusher.push(tasks)
    return stored


async def _made(source: Stream[T], items: "_Items") -> AsyncGenerator[NewTask, None]:
    async with aclosing(each(source)) as given:
        async for item in given:
            yield items.task_of(item)


class _Items:
    """Makes tasks of items."""

    def __init__(
        self,
        definition: TaskDefinition[..., Any],
        id_of: Callable[[Any], object] | None,
        arguments: Callable[[Any], Mapping[str, Any]] | None,
        name: str,
        options: Options,
    ) -> None:
        check_name("The name of a source", name)
        for option in ("id", "key"):
            if option in options:
                raise InvalidValue(f"A pipe cannot set {option}, which would be the same for every item. Pass id_of= instead.")
        definition.using(**options)  # raises for unknown options before anything is read
        self.name: Final = name
        self._prefix: Final = name.replace("%", "%25").replace(":", "%3A")  # so that no two names and ids make the same key
        self._definition, self._options = definition, options
        self._id_of, self._arguments = id_of, arguments

    def task_of(self, item: Any) -> NewTask:
        """The task of one item. Raises InvalidValue for one that does not fit."""
        options, metadata = self._options.copy(), dict(self._options.get("metadata", {}))
        if isinstance(item, Tick):
            metadata |= {"schedule": self.name, "tick": item.at.isoformat()}
        id = self._id(item)
        if id is not None:
            options["key"] = f"{self._prefix}:{id}"
            metadata |= {"source": self.name, "source_id": id}
        if metadata:
            options["metadata"] = metadata
        return self._definition.using(**options).new(**self._given(item))

    def _id(self, item: Any) -> str | None:
        if self._id_of is None:
            return item.at.isoformat() if isinstance(item, Tick) else None
        id = self._id_of(item)
        if isinstance(id, bool) or not isinstance(id, str | int) or not str(id).strip():
            raise InvalidValue(f"id_of must give the text or the number that the source {self.name} knows an item by, got {id!r} for {item!r:.200}.")
        return str(id)

    def _given(self, item: Any) -> Mapping[str, Any]:
        if self._arguments is not None:
            return self._mapping(self._arguments(item))
        if isinstance(item, Tick):
            return {}
        if isinstance(item, Mapping):
            return self._mapping(item)
        parameters = self._definition.handler.parameters.stored
        if len(parameters) != 1:
            raise InvalidValue(
                f"{self._definition.name} takes {len(parameters)} arguments, so each item must be a mapping of their names to values, "
                f"got {item!r:.200}. Pass arguments= to make one of it."
            )
        return {parameters[0].name: item}

    def _mapping(self, given: object) -> Mapping[str, Any]:
        if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
            raise InvalidValue(f"The arguments of {self._definition.name} must be a mapping of their names to values, got {given!r:.200}.")
        return cast("Mapping[str, Any]", given)


class _Pusher:
    """Pushes until it is stored."""

    def __init__(self, app: Producer, name: str) -> None:
        self._app = app
        self._outage = Outage(_log, f"The pipe from {name}", "store tasks")

    async def push(self, tasks: Sequence[NewTask]) -> int:
        """Store tasks, however long that takes. How many were new."""
        failures = 0
        while True:
            try:
                new = await self._push(tasks, again=failures > 0)
            except StoreUnavailable as error:
                failures += 1
                self._outage.failed(error)
                await asyncio.sleep(TROUBLE.delay(failures))
            else:
                self._outage.worked()
                return new

    async def _push(self, tasks: Sequence[NewTask], *, again: bool) -> int:
        """``again``: a connection may have broken after they were stored, and before it was said."""
        if again:
            await self._app.open()
            stored = {task.id for task in await self._app.expose.summaries([task.id for task in tasks])}
            if stored:
                return len(stored)
        return sum(pushed.created for pushed in await self._app.push(tasks))
