"""The handlers of an app by the name of their tasks."""

import difflib
from collections.abc import Iterator

from queue_core.errors import InvalidValue, UnknownTaskName
from queue_core.handler import Handler
from queue_core.ids import QueueName


class Registry:
    """Handlers, each under its own name."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, handler: Handler) -> None:
        """Register ``handler``. Raises InvalidValue when its name is taken."""
        taken = self._handlers.get(handler.name)
        if taken is not None:
            where = f"{taken.function.__module__}.{taken.function.__qualname__}"
            raise InvalidValue(f"The task name {handler.name!r} is taken by {where}. Pass name= to tell them apart.")
        self._handlers[handler.name] = handler

    def find(self, name: str) -> Handler:
        """The handler called ``name``. Raises UnknownTaskName, with the nearest names."""
        try:
            return self._handlers[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._handlers, n=3, cutoff=0.5) or sorted(self._handlers)[:10]
            hint = f"Did you mean {' or '.join(near)}?" if near else "No task is registered."
            raise UnknownTaskName(f"No task is called {name!r} here. {hint}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """Every registered name, in order of registration."""
        return tuple(self._handlers)

    @property
    def queues(self) -> tuple[QueueName, ...]:
        """The queues that the handlers name, in order of registration."""
        return tuple(dict.fromkeys(handler.queue for handler in self))

    def __iter__(self) -> Iterator[Handler]:
        return iter(self._handlers.values())

    def __len__(self) -> int:
        return len(self._handlers)

    def __contains__(self, name: object) -> bool:
        return name in self._handlers
