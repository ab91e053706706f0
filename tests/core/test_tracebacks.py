"""Errors as history keeps them."""

import asyncio
import traceback
from collections.abc import Callable

import pytest

from queue_core import App, KillReason, Status
from queue_core.inject import Ending
from queue_core.worker.running import Run
from queue_core.worker.tracebacks import MAX_TRACEBACK, error_info, remember
from tests.core.steps import attempts, becomes, working


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Closed(Exception):
    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


class Long(Exception):
    def __str__(self) -> str:
        return "x" * 10_000_000


def deep(n: int) -> None:
    if n == 0:
        raise ValueError("bottom \udcff")
    deep(n - 1)


STRANGE: dict[str, Callable[[], Exception]] = {
    "mute": Mute,
    "closed": lambda: Closed("shut"),
    "long": Long,
    "recursion": lambda: RecursionError("deep"),
    "group": lambda: ExceptionGroup("several", [ValueError("a"), Mute()]),
    "no text": lambda: ValueError("\udcff\x00"),
}


@pytest.mark.parametrize("kind", STRANGE)
async def test_no_error_is_too_strange_to_be_stored(app: App, kind: str) -> None:
    error = STRANGE[kind]()

    @app.task(max_attempts=1)
    async def odd() -> None:
        raise error

    handle = await odd.push()
    async with working(app):
        await becomes(handle, Status.KILLED)
    info = (await attempts(app, handle))[0].error
    assert info is not None
    assert type(error).__name__ in info.type
    assert len(info.traceback.encode()) < MAX_TRACEBACK + 200


async def test_the_causes_stay_and_our_own_frames_go(app: App) -> None:
    @app.task(max_attempts=1)
    async def fail() -> None:
        try:
            deep(3)
        except ValueError as error:
            raise LookupError("above") from error

    handle = await fail.push()
    async with working(app):
        await becomes(handle, Status.KILLED)
    info = (await attempts(app, handle))[0].error
    assert info is not None
    assert "queue_core" not in info.traceback
    assert "direct cause" in info.traceback
    assert info.traceback.index("bottom ?") < info.traceback.index("LookupError: above")
    assert info.line == "LookupError: above"


def test_a_long_traceback_keeps_its_ends() -> None:
    names = [f"def f{n}(): f{n + 1}()" for n in range(900)]
    source = "\n".join([*names, "def f900(): raise KeyError('end')", "f0()"])
    with pytest.raises(KeyError) as raised:
        exec(compile(source, "<user code>", "exec"), {})
    info = error_info(raised.value)
    assert info.traceback.rstrip().endswith("KeyError: 'end'")
    assert len(info.traceback) <= len("".join(traceback.format_exception(raised.value)))


def test_what_was_told_elsewhere_is_believed() -> None:
    info = error_info(ValueError("there"))
    assert error_info(remember(KeyError("here"), info)) is info


async def test_a_run_that_is_ended_before_its_first_step_reaches_its_end(app: App) -> None:
    """Cancelling a task that has not begun skips its body, and with it the ack."""

    @app.task
    async def never() -> None:
        raise AssertionError("must not run")

    handle = await never.push()
    worker = app.worker()
    add = worker._running.add

    def add_and_end(run: Run) -> None:
        add(run)
        asyncio.get_running_loop().call_soon(run.end, Ending.KILLED)  # comes before the task's first step

    worker._running.add = add_and_end  # type: ignore[method-assign]
    task = await worker.run_until(becomes(handle, Status.KILLED))
    assert task.reason is KillReason.KILLED
    assert worker.running == 0
