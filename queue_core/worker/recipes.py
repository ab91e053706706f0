"""How a worker calls each handler: what to decode, and what to add."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from queue_core.handler import Handler, Place
from queue_core.inject import WorkerContext
from queue_core.parameters import Parameters
from queue_core.worker.dependencies import Plan, Planner
from queue_core.worker.supplies import Filling, Supplies, filling


@dataclass(frozen=True, slots=True)
class Recipe:
    """A handler, with everything resolved that does not change from task to task."""

    handler: Handler
    parameters: Parameters
    filling: Filling
    plan: Plan | None
    """What it depends on."""

    def complete(self, stored: Mapping[str, Any], context: Callable[[], WorkerContext]) -> Mapping[str, Any]:
        """The stored arguments of the handler and those that the worker fills in, except for dependencies."""
        if not self.filling.data and not self.filling.facts:
            return stored
        arguments = {**stored, **self.filling.data}
        if self.filling.facts:
            now = context()
            for name, fact in self.filling.facts:
                arguments[name] = fact(now)
        return arguments


def prepare(handlers: Iterable[Handler], supplies: Supplies) -> dict[str, Recipe]:
    """The recipes of ``handlers`` by task name.

    Raises MissingData when one asks for data that nobody has, InvalidValue when a dependency needs itself or takes what nobody fills in.
    """
    return {handler.name: _recipe(handler, supplies) for handler in handlers}


def _recipe(handler: Handler, supplies: Supplies) -> Recipe:
    planner = Planner(supplies)
    own = filling(handler.parameters.injected, supplies, handler.name, planner.need)
    return Recipe(handler, handler.parameters, own, planner.plan(own, in_thread=handler.place is Place.THREAD))
