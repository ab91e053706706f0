"""The event loop of a program that runs tasks: uvloop's where it is installed (``prinia[fast]``), else Python's own."""

import asyncio
import importlib.util
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(program: Coroutine[Any, Any, T]) -> T:
    """Run ``program`` to its end, and return what it returns."""
    with asyncio.Runner(loop_factory=_factory()) as runner:
        return runner.run(program)


def name() -> str:
    """What the loop is called, for people."""
    return "uvloop" if _is_fast() else "asyncio"


def _factory() -> Any:
    if not _is_fast():
        return None
    import uvloop

    return uvloop.new_event_loop


def _is_fast() -> bool:
    return importlib.util.find_spec("uvloop") is not None
