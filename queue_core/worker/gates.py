"""The gates among a worker's middleware: what may be claimed while they limit what may start."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from queue_core.ids import TaskId
from queue_core.middleware import Call, Gate, Middleware, Next


@dataclass(frozen=True, slots=True)
class Entrance:
    """A gate, and who is on the way to it: launched, and held up by middleware further out, or not yet begun."""

    gate: Gate
    coming: set[TaskId] = field(default_factory=set)

    async def __call__(self, call: Call, next: Next) -> Any:
        """Pass the gate, which counts from here on."""
        self.coming.discard(call.context.task_id)
        return await self.gate(call, next)  # type: ignore[operator]  # gates are middleware; Gate leaves __call__ to its subclasses


class Gates:
    """All entrances of a worker."""

    def __init__(self, middleware: Iterable[Middleware]) -> None:
        self.layers: list[Middleware] = [Entrance(layer) if isinstance(layer, Gate) else layer for layer in middleware]
        """The middleware, with those on the way to a gate counted."""
        self._entrances = [layer for layer in self.layers if isinstance(layer, Entrance)]

    def __bool__(self) -> bool:
        return bool(self._entrances)

    def room(self, free: int) -> int:
        """How many of ``free`` slots may be filled now."""
        for entrance in self._entrances:
            room = entrance.gate.room()
            if room is not None:
                free = min(free, room - len(entrance.coming))
        return free

    def closed_names(self) -> frozenset[str]:
        """The names of tasks of which none may start now."""
        return frozenset().union(*(entrance.gate.closed_names() for entrance in self._entrances))

    def launched(self, task: TaskId) -> None:
        """``task`` is on its way to every gate."""
        for entrance in self._entrances:
            entrance.coming.add(task)

    def ended(self, task: TaskId) -> None:
        """``task`` comes no more."""
        for entrance in self._entrances:
            entrance.coming.discard(task)

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` when there may be more room. Returns a function that ends this."""
        undo = [entrance.gate.on_change(listener) for entrance in self._entrances]

        def forget() -> None:
            for one in undo:
                one()

        return forget
