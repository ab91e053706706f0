"""Logging, Listener, Tracing and LongRunning: middleware that looks on and changes nothing."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from queue_core import App, Call, DeferredError, InvalidValue, Next, Retry, Status
from queue_core.middleware import Listener, Logging, LongRunning, Retries, Tracing, outcome_of
from queue_core.task import AttemptOutcome
from queue_core.testing import run_inline
from tests.core.steps import PATIENCE, becomes, eventually, working

# --- Logging -----------------------------------------------------------------------------------------------


async def test_a_run_is_logged_with_its_facts_at_its_start_and_its_end(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "prinia.tasks")

    @app.task(queue="mail", max_attempts=1)
    async def send(fails: bool) -> None:
        if fails:
            raise ConnectionError("away")

    good, bad = await send.push(False), await send.push(True)
    async with working(app, name="anna", middleware=[Logging()], concurrency=1):
        await good.result(timeout=PATIENCE)
        await becomes(bad, Status.KILLED)
    lines = [record for record in caplog.records if record.name == "prinia.tasks"]
    assert [(line.levelname, getattr(line, "outcome", None)) for line in lines] == [
        ("INFO", None),
        ("INFO", "succeeded"),
        ("INFO", None),
        ("WARNING", "failed"),
    ]
    assert lines[0].getMessage() == f"send {good.id} started, attempt 1 of 1"
    assert lines[3].getMessage().startswith(f"send {bad.id} failed after 0.")
    facts = {"task_id": good.id, "task_name": "send", "queue": "mail", "attempt": 1, "max_attempts": 1, "worker": "anna"}
    assert {key: lines[1].__dict__[key] for key in facts} == facts
    assert lines[1].__dict__["seconds"] >= 0
    assert json.dumps({key: lines[1].__dict__[key] for key in (*facts, "outcome", "seconds")})


async def test_who_logs_elsewhere_and_at_another_level_says_so(memory_app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "shop")
    memory_app.middleware = (Logging(logging.getLogger("shop"), level=logging.ERROR),)

    @memory_app.task
    async def later() -> None:
        raise DeferredError(delay=1)

    with pytest.raises(DeferredError):
        await run_inline(later)
    assert [(record.levelname, record.name) for record in caplog.records] == [("ERROR", "shop")] * 2
    assert "deferred" in caplog.text


# --- Listener ----------------------------------------------------------------------------------------------


async def test_listeners_are_told_of_start_success_and_failure(app: App) -> None:
    told: list[str] = []

    async def succeeded(call: Call, result: Any) -> None:
        told.append(f"{call.context.name} gave {result}")

    listener = Listener(
        on_start=lambda call: told.append(f"{call.context.name} starts"),
        on_success=succeeded,
        on_failure=lambda call, error: told.append(f"{call.context.name} raised {error}"),
    )

    @app.task(max_attempts=1)
    async def work(fails: bool) -> int:
        if fails:
            raise ConnectionError("away")
        return 42

    good, bad = await work.push(False), await work.push(True)
    async with working(app, middleware=[listener], concurrency=1):
        await good.result(timeout=PATIENCE)
        await becomes(bad, Status.KILLED)
    assert told == ["work starts", "work gave 42", "work starts", "work raised away"]


async def test_a_listener_that_fails_is_logged_and_changes_nothing(memory_app: App, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the radio is silent")

    memory_app.middleware = (Listener(on_start=broken, on_success=broken), Listener())

    @memory_app.task
    async def work() -> int:
        return 42

    assert await run_inline(work) == 42
    assert caplog.text.count("RuntimeError: the radio is silent") == 2
    assert "The listener broken failed at task" in caplog.text


# --- Tracing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_there_is_a_span_for_each_attempt_outside_retries_and_for_each_try_inside(memory_app: App, kind: str) -> None:
    spans: list[str] = []

    def noting(what: str) -> Any:
        @contextlib.contextmanager
        def plain(call: Call) -> Iterator[None]:
            try:
                yield
            except ConnectionError as error:
                spans.append(f"{what} {call.context.attempt} saw {error}")
                raise

        @contextlib.asynccontextmanager
        async def asynchronous(call: Call) -> AsyncIterator[None]:
            with plain(call):
                yield

        return plain if kind == "plain" else asynchronous

    memory_app.middleware = (Tracing(noting("attempt")), Retries(2, retry=Retry(min=0, max=0)), Tracing(noting("try")))

    @memory_app.task
    async def fail() -> None:
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        await run_inline(fail)
    assert spans == ["try 1 saw away"] * 3 + ["attempt 1 saw away"]


# --- LongRunning -------------------------------------------------------------------------------------------


async def test_a_run_that_goes_on_for_long_is_told_of_again_and_again_and_not_after_its_end(app: App) -> None:
    told: list[str] = []
    go_on = asyncio.Event()

    @app.task
    async def work() -> None:
        await go_on.wait()

    handle = await work.push()
    async with working(app, middleware=[LongRunning(0.02, tell=lambda call, seconds: told.append(call.context.task_id))]):
        await eventually(lambda: len(told) >= 3)
        go_on.set()
        await handle.result(timeout=PATIENCE)
        count = len(told)
        await asyncio.sleep(0.05)
    assert told == [handle.id] * count


async def test_names_have_limits_of_their_own_and_a_warning_is_logged(memory_app: App, caplog: pytest.LogCaptureFixture) -> None:
    memory_app.middleware = (LongRunning(0.01, names={"render": 3_600}),)
    waited = asyncio.Event()

    @memory_app.task
    async def render() -> None:
        await waited.wait()

    @memory_app.task
    async def work() -> None:
        await eventually(lambda: "work" in caplog.text)
        waited.set()

    await asyncio.gather(run_inline(render), run_inline(work))
    assert "(work), attempt 1, has been running for 0 s on inline." in caplog.text
    assert "render" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"after": 0}, "after must be a number of seconds above zero"),
        ({"after": 1, "names": {"render": -1}}, "the limit of render must be a number of seconds above zero"),
        ({"after": 1, "tell": "me"}, "tell must be a function, got 'me'."),
    ],
)
def test_wrong_settings_get_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        LongRunning(**settings)
    assert sentence in str(refused.value)


# --- outcome_of --------------------------------------------------------------------------------------------


async def test_how_a_run_ended_is_told_by_one_function(app: App) -> None:
    outcomes: list[AttemptOutcome] = []
    started: list[str] = []

    async def note(call: Call, next: Next) -> Any:
        try:
            result = await next(call)
        except BaseException as error:
            outcomes.append(outcome_of(call, error))
            raise
        outcomes.append(outcome_of(call, None))
        return result

    @app.task(max_attempts=1)
    async def work(how: str) -> None:
        started.append(how)
        if how == "fail":
            raise ConnectionError("away")
        if how == "cancel":
            raise asyncio.CancelledError
        if how:
            await asyncio.sleep(3_600)

    async with working(app, name="a", middleware=[note], shutdown_timeout=0):
        for how in ("", "fail", "cancel"):
            handle = await work.push(how)
            await becomes(handle, Status.DONE, Status.KILLED)
        timed = await work.using(timeout=0.05).push("time")
        await becomes(timed, Status.KILLED)
        killed = await work.push("kill")
        await eventually(lambda: "kill" in started)
        await killed.kill()
        await becomes(killed, Status.KILLED)
        await work.push("stop")
        await eventually(lambda: "stop" in started)
    assert outcomes == [
        AttemptOutcome.SUCCEEDED,
        AttemptOutcome.FAILED,
        AttemptOutcome.FAILED,
        AttemptOutcome.TIMED_OUT,
        AttemptOutcome.KILLED,
        AttemptOutcome.RELEASED,
    ]
