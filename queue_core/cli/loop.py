"""The event loop of a program that runs tasks: uvloop's where it is installed (``prinia[fast]``), else Python's own."""

import asyncio
import importlib.util
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
GRACE: Final = 0.5
"""Seconds that what still goes on may take to end, cancelled once more."""


def run(program: Coroutine[Any, Any, T]) -> T:
    """Run ``program`` to its end, and return what it returns."""
    with asyncio.Runner(loop_factory=_factory()) as runner:
        return runner.run(program)


async def leave_behind(code: int, said: str) -> None:
    """Once a program has nothing left to do: end the process with ``code``, saying ``said``, if anything in its event loop cannot be ended.

    ``run`` would wait for that, however long it ignores that it is cancelled. Returns if there is nothing like it.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if not others or not (await asyncio.wait(others, timeout=GRACE))[1]:
        return
    print(said, flush=True)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


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
