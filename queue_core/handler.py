"""A handler: the function that runs tasks of one name, and the defaults of these tasks."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Literal

from queue_core.backoff import Retry
from queue_core.codec import Codec
from queue_core.errors import InvalidValue
from queue_core.ids import QueueName
from queue_core.parameters import Parameters, check_signature, parameters_of
from queue_core.task import DEFAULT_MAX_ATTEMPTS, DEFAULT_QUEUE, check_max_attempts, check_name, check_priority, check_retry, check_timeout

DEFAULT_RETRY: Final = Retry()
Executor = Literal["thread", "process"]


class Place(StrEnum):
    """Where a handler runs."""

    LOOP = "loop"
    """On the worker's event loop: ``async def`` functions."""
    THREAD = "thread"
    PROCESS = "process"
    """In a child process of the worker: for work that keeps a CPU busy."""


@dataclass(frozen=True, kw_only=True)
class Handler:
    """A function and how its tasks are run. Raises InvalidValue for settings that break a rule.

    ``timeout``: seconds that one attempt may take. ``retry``: the pause between attempts. ``keep_result``: whether what it returns is stored.
    ``codec``: what its arguments and results are stored in; None for the app's.
    """

    name: str
    function: Callable[..., Any]
    place: Place
    queue: QueueName = DEFAULT_QUEUE
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    timeout: float | None = None
    retry: Retry = DEFAULT_RETRY
    priority: int = 0
    keep_result: bool = True
    codec: Codec | None = None

    def __post_init__(self) -> None:
        check_name("task name", self.name)
        check_name("queue", self.queue)
        check_max_attempts(self.max_attempts)
        check_timeout(self.timeout)
        check_priority(self.priority)
        check_retry(self.retry)
        if not isinstance(self.keep_result, bool):
            raise InvalidValue(f"{self.name}: keep_result must be True or False, got {self.keep_result!r}.")
        check_signature(self.name, self.function)
        if self.place is Place.PROCESS:
            _check_importable(self.name, self.function)

    @cached_property
    def parameters(self) -> Parameters:
        """What it takes; read when first needed, because annotations may name what its module defines later."""
        return parameters_of(self.name, self.function)


def place_of(name: str, function: Callable[..., Any], executor: Executor | None) -> Place:
    """Where ``function`` is to run. Raises InvalidValue where that cannot be."""
    if executor not in {None, "thread", "process"}:
        raise InvalidValue(f"{name}: executor must be 'thread' or 'process', or left out, got {executor!r}.")
    if inspect.iscoroutinefunction(function):
        if executor is not None:
            raise InvalidValue(f"{name} is an async function, which runs on the event loop; executor={executor!r} needs a plain function.")
        return Place.LOOP
    return Place(executor or "thread")


def _check_importable(name: str, function: Callable[..., Any]) -> None:
    if "<" in function.__qualname__ or function.__module__ not in sys.modules:
        raise InvalidValue(f"{name}: executor='process' needs a function at the top level of a module, got {function.__qualname__}.")
