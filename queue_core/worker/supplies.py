"""What a worker can fill in: its data, what middleware adds to a run, the facts and metadata of the run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from queue_core.codec import convert
from queue_core.errors import DecodeError, MetadataError, MissingData
from queue_core.inject import FACTS, INJECTED, Data, Depends, Meta, WorkerContext, find_data
from queue_core.inject import Fact as Take
from queue_core.parameters import Fact, Injected, kind_name, short

Need = Callable[[Depends, str], int]
"""Finds the number of the step that makes a dependency."""


@dataclass(frozen=True, slots=True)
class Supplies:
    """Where a worker takes what functions ask for."""

    data: Mapping[type, Any] = field(default_factory=dict)
    provided: Sequence[type] = ()
    """The types that middleware puts into the extensions of each call."""
    overrides: Mapping[Callable[..., Any], Callable[..., Any]] = field(default_factory=dict)
    """Dependencies by what replaces them."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What is added to the arguments of one function."""

    data: Mapping[str, Any]
    facts: tuple[tuple[str, Take], ...]
    needs: tuple[tuple[str, int], ...]
    """Dependencies, by the number of the step that makes them."""

    def fill(self, context: WorkerContext, made: Sequence[Any]) -> dict[str, Any]:
        """The arguments, where ``made`` are the dependencies by number."""
        facts = {name: take(context) for name, take in self.facts}
        return {**self.data, **facts, **{name: made[number] for name, number in self.needs}}


def filling(wishes: Iterable[Injected], supplies: Supplies, asked_by: str, need: Need) -> Filling:
    """How to fill in ``wishes``. Raises MissingData when one asks for data that nobody has; what ``need`` raises."""
    data: dict[str, Any] = {}
    facts: list[tuple[str, Take]] = []
    needs: list[tuple[str, int]] = []
    for wish in wishes:
        asked = f"{asked_by}({wish.name})"
        match wish.source:
            case Fact():
                facts.append((wish.name, FACTS[wish.kind]))
            case Meta(key):
                facts.append((wish.name, _entry(wish, key, asked)))
            case Depends():
                needs.append((wish.name, need(wish.source, asked)))
            case Data():
                if extension := _extension(wish.kind, supplies.provided, asked):
                    facts.append((wish.name, extension))
                else:
                    data[wish.name] = find_data(wish.kind, supplies.data, asked_by=asked)
            case _:
                assert_never(wish.source)
    return Filling(data, tuple(facts), tuple(needs))


def _entry(wish: Injected, key: str, asked: str) -> Take:
    """How to take one entry of the metadata."""

    def take(context: WorkerContext) -> Any:
        if key not in context.metadata:
            if wish.default is not INJECTED:
                return wish.default
            has = ", ".join(sorted(context.metadata)) or "none"
            raise MetadataError(f"{asked} asks for the metadata {key!r}, and this task has {has}. Push it with metadata={{{key!r}: …}}.")
        value = context.metadata[key]
        try:
            return value if wish.kind is Any else convert(value, wish.kind)
        except DecodeError as error:
            raise MetadataError(f"{asked}: the metadata {key!r} must be {kind_name(wish.kind)}, got {short(value)}. {error}") from error

    return take


def _extension(kind: Any, provided: Sequence[type], asked: str) -> Take | None:
    """How to take an object of type ``kind`` from what middleware adds to a run; None when none provides it."""
    candidates = [one for one in provided if one is kind or (isinstance(kind, type) and issubclass(one, kind))]
    if not candidates:
        return None
    key = kind if kind in candidates else candidates[0]

    def take(context: WorkerContext) -> Any:
        try:
            return context.hooks.extensions[key]
        except KeyError:
            raise MissingData(f"{asked} asks for a {key.__name__}, but the middleware that provides it put none into call.extensions.") from None

    return take
