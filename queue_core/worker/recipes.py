"""How a worker calls each handler: what to decode, and what to add."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from queue_core.errors import MissingData
from queue_core.handler import Handler
from queue_core.inject import FACTS, WorkerContext, find_data
from queue_core.parameters import Parameters

Fact = Callable[[WorkerContext], Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A handler, with everything resolved that does not change from task to task."""

    handler: Handler
    parameters: Parameters
    data: Mapping[str, Any]
    facts: tuple[tuple[str, Fact], ...]

    def complete(self, stored: Mapping[str, Any], context: Callable[[], WorkerContext]) -> Mapping[str, Any]:
        """All arguments of the handler: the stored ones and those that the worker fills in."""
        if not self.data and not self.facts:
            return stored
        arguments = {**stored, **self.data}
        if self.facts:
            now = context()
            for name, fact in self.facts:
                arguments[name] = fact(now)
        return arguments


def prepare(handlers: Iterable[Handler], data: Mapping[type, Any], provided: Sequence[type] = ()) -> dict[str, Recipe]:
    """The recipes of ``handlers`` by task name; ``provided`` are the types that middleware puts into each call's extensions.

    Raises MissingData when one asks for data that nobody has.
    """
    return {handler.name: _recipe(handler, data, provided) for handler in handlers}


def _recipe(handler: Handler, data: Mapping[type, Any], provided: Sequence[type]) -> Recipe:
    found: dict[str, Any] = {}
    facts: list[tuple[str, Fact]] = []
    for wish in handler.parameters.injected:
        asked_by = f"{handler.name}({wish.name})"
        if not wish.is_data:
            facts.append((wish.name, FACTS[wish.kind]))
        elif extension := _extension(wish.kind, provided, asked_by):
            facts.append((wish.name, extension))
        else:
            found[wish.name] = find_data(wish.kind, data, asked_by=asked_by)
    return Recipe(handler, handler.parameters, found, tuple(facts))


def _extension(kind: Any, provided: Sequence[type], asked_by: str) -> Fact | None:
    """How to take an object of type ``kind`` from what middleware adds to a run; None when none provides it."""
    candidates = [one for one in provided if one is kind or (isinstance(kind, type) and issubclass(one, kind))]
    if not candidates:
        return None
    key = kind if kind in candidates else candidates[0]

    def take(context: WorkerContext) -> Any:
        try:
            return context.hooks.extensions[key]
        except KeyError:
            raise MissingData(f"{asked_by} asks for a {key.__name__}, but the middleware that provides it put none into call.extensions.") from None

    return take
