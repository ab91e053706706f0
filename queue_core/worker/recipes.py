"""How a worker calls each handler: what to decode, and what to add."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from queue_core.handler import Handler
from queue_core.inject import FACTS, WorkerContext, find_data
from queue_core.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Recipe:
    """A handler, with everything resolved that does not change from task to task."""

    handler: Handler
    parameters: Parameters
    data: Mapping[str, Any]
    facts: tuple[tuple[str, Callable[[WorkerContext], Any]], ...]

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


def prepare(handlers: Iterable[Handler], data: Mapping[type, Any]) -> dict[str, Recipe]:
    """The recipes of ``handlers`` by task name. Raises MissingData when one asks for data that is not there."""
    return {handler.name: _recipe(handler, data) for handler in handlers}


def _recipe(handler: Handler, data: Mapping[type, Any]) -> Recipe:
    parameters = handler.parameters
    found = {wish.name: find_data(wish.kind, data, asked_by=f"{handler.name}({wish.name})") for wish in parameters.injected if wish.is_data}
    facts = tuple((wish.name, FACTS[wish.kind]) for wish in parameters.injected if not wish.is_data)
    return Recipe(handler, parameters, found, facts)
