"""Dependencies of handlers: planned when the worker starts, made before the handler runs, cleaned up after it."""

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, assert_never

from queue_core.errors import InvalidValue
from queue_core.inject import Depends, WorkerContext
from queue_core.parameters import injected_of, name_of, written
from queue_core.worker.supplies import Filling, Supplies, filling
from queue_core.worker.tracebacks import error_info

_log = logging.getLogger("prinia.worker")
Judge = Callable[[Any], object]
"""Raises when what a handler returned is a failure, so that clean-up knows."""


class Way(Enum):
    """How a dependency is made."""

    CALL = auto()
    AWAIT = auto()
    ENTER = auto()
    """A generator: made at its ``yield``, cleaned up by what follows."""
    ENTER_ASYNC = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """The making of one dependency."""

    number: int
    way: Way
    make: Callable[..., Any]
    filling: Filling

    @property
    def is_async(self) -> bool:
        """Whether it needs the event loop."""
        return self.way in {Way.AWAIT, Way.ENTER_ASYNC}

    def open(self, context: WorkerContext, made: list[Any], stack: ExitStack) -> None:
        """Make it, where the function is a plain one."""
        given = self.make(**self.filling.fill(context, made))
        made[self.number] = stack.enter_context(given) if self.way is Way.ENTER else given

    async def open_async(self, context: WorkerContext, made: list[Any], stack: AsyncExitStack) -> None:
        """Make it, on the event loop."""
        given = self.make(**self.filling.fill(context, made))
        match self.way:
            case Way.CALL:
                made[self.number] = given
            case Way.AWAIT:
                made[self.number] = await given
            case Way.ENTER:
                made[self.number] = stack.enter_context(given)
            case Way.ENTER_ASYNC:
                made[self.number] = await stack.enter_async_context(given)
            case _:
                assert_never(self.way)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a handler depends on, in the order in which it is made."""

    filling: Filling
    early: tuple[Step, ...]
    """Those made on the event loop."""
    late: tuple[Step, ...]
    """Those made where a handler in a thread runs."""

    async def around(
        self,
        context: WorkerContext,
        arguments: Mapping[str, Any],
        function: Callable[..., Any],
        call: Callable[[Callable[..., Any], Mapping[str, Any]], Awaitable[Any]],
        judge: Judge,
    ) -> Any:
        """``call`` the handler's ``function`` while all that it depends on is open. Returns and raises what that does."""
        first = First(context)
        made: list[Any] = [None] * (len(self.early) + len(self.late))
        value: Any = None
        with first.prevails():
            async with AsyncExitStack() as stack:
                with first.noted():
                    for step in self.early:
                        await step.open_async(context, made, stack)
                    if self.late:
                        value = await call(lambda **given: self._around_in_thread(context, given, made, function, judge), arguments)
                    else:
                        value = await call(function, self._complete(arguments, made))
                        judge(value)
        return value

    def _around_in_thread(
        self, context: WorkerContext, arguments: Mapping[str, Any], made: list[Any], function: Callable[..., Any], judge: Judge
    ) -> Any:
        first = First(context)
        value: Any = None
        with first.prevails(), ExitStack() as stack, first.noted():
            for step in self.late:
                step.open(context, made, stack)
            value = function(**self._complete(arguments, made))
            judge(value)
        return value

    def _complete(self, arguments: Mapping[str, Any], made: Sequence[Any]) -> dict[str, Any]:
        return {**arguments, **{name: made[number] for name, number in self.filling.needs}}


@dataclass(slots=True)
class First:
    """The first error of a run, which counts whatever clean-up makes of it."""

    context: WorkerContext
    error: BaseException | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Remember what is raised within."""
        try:
            yield
        except BaseException as error:
            self.error = error
            raise

    @contextmanager
    def prevails(self) -> Iterator[None]:
        """Let what was noted be raised, and nothing else."""
        try:
            yield
        except Exception as error:
            if self.error is None or error is self.error:
                raise
            _log.warning(
                "The clean-up after task %s (%s), which did not succeed anyhow, failed: %s",
                self.context.task_id,
                self.context.name,
                error_info(error).line,
            )
        if self.error is not None:
            raise self.error


class Planner:
    """Numbers what one handler depends on: each after those that it needs itself."""

    def __init__(self, supplies: Supplies) -> None:
        self._supplies = supplies
        self._steps: list[Step] = []
        self._shared: dict[Callable[..., Any], int] = {}
        self._path: list[Callable[..., Any]] = []

    def need(self, depends: Depends, asked_by: str) -> int:
        """The number of the step that makes ``depends``. Raises InvalidValue for circles and unfillable parameters, MissingData."""
        function = self._supplies.overrides.get(depends.function, depends.function)
        if depends.cached and function in self._shared:
            return self._shared[function]
        if function in self._path:
            circle = " needs ".join(name_of(one) for one in [*self._path[self._path.index(function) :], function])
            raise InvalidValue(f"{asked_by} depends on itself: {circle}.")
        self._path.append(function)
        own = filling(injected_of(function, asked_by), self._supplies, name_of(function), self.need)
        self._path.pop()
        way = _way(function)
        self._steps.append(Step(len(self._steps), way, _maker(function, way), own))
        if depends.cached:
            self._shared[function] = len(self._steps) - 1
        return len(self._steps) - 1

    def plan(self, own: Filling, *, in_thread: bool) -> Plan | None:
        """The plan for a handler with this filling; None for one without dependencies."""
        if not self._steps:
            return None
        early = self._early() if in_thread else set(range(len(self._steps)))
        return Plan(
            own,
            tuple(step for step in self._steps if step.number in early),
            tuple(step for step in self._steps if step.number not in early),
        )

    def _early(self) -> set[int]:
        """The async ones, and all that these need."""
        early: set[int] = set()
        for step in reversed(self._steps):
            if step.is_async or step.number in early:
                early |= {step.number, *(number for _, number in step.filling.needs)}
        return early


def _way(function: Callable[..., Any]) -> Way:
    code = written(function)
    if inspect.isasyncgenfunction(code):
        return Way.ENTER_ASYNC
    if inspect.isgeneratorfunction(code):
        return Way.ENTER
    return Way.AWAIT if inspect.iscoroutinefunction(code) else Way.CALL


def _maker(function: Callable[..., Any], way: Way) -> Callable[..., Any]:
    match way:
        case Way.ENTER:
            return _entering(function)
        case Way.ENTER_ASYNC:
            return _entering_async(function)
        case _:
            return function


def _entering(function: Callable[..., Any]) -> Callable[..., Any]:
    manager = contextmanager(function)

    @contextmanager
    def make(**given: Any) -> Iterator[Any]:
        with _one_yield(function), manager(**given) as made:
            yield made

    return make


def _entering_async(function: Callable[..., Any]) -> Callable[..., Any]:
    manager = asynccontextmanager(function)

    @asynccontextmanager
    async def make(**given: Any) -> AsyncIterator[Any]:
        with _one_yield(function):
            async with manager(**given) as made:
                yield made

    return make


@contextmanager
def _one_yield(function: Callable[..., Any]) -> Iterator[None]:
    """Name the dependency where Python says only that a generator yielded never, or more than once."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("generator didn't "):
            raise
        raise InvalidValue(f"The dependency {name_of(function)} must yield once: what it made. What follows the yield is its clean-up.") from error
