"""Functions around every run."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest

from queue_core import (
    INJECTED,
    AbortError,
    App,
    Call,
    Data,
    DeferredError,
    Ending,
    InvalidValue,
    KillReason,
    MissingData,
    Next,
    Retry,
    RetryAfterError,
    Status,
    WorkerNameTaken,
)
from queue_core.errors import HandlerReturnedFalse, UnstorableResult
from queue_core.middleware import compose
from queue_core.testing import drain, run_inline
from tests.core.steps import PATIENCE, becomes, working


async def test_the_first_is_outermost_and_sees_call_and_result(app: App) -> None:
    told: list[str] = []

    async def outer(call: Call, next: Next) -> Any:
        told.append(f"outer before {call.context.name} {dict(call.arguments)} {call.context.attempt}")
        result = await next(call)
        told.append(f"outer after {result}")
        return result

    class Inner:
        async def __call__(self, call: Call, following: Next) -> Any:
            told.append("inner before")
            try:
                return await following(call) * 10
            finally:
                told.append("inner after")

    @app.task
    async def double(n: int) -> int:
        told.append("handler")
        return 2 * n

    handle = await double.push(4)
    async with working(app, middleware=[outer, Inner()]):
        assert await handle.result(timeout=PATIENCE) == 80
        (info,) = await app.expose.list_workers()
        assert info.middleware == ("outer", "Inner")
    assert told == ["outer before double {'n': 4} 1", "inner before", "handler", "inner after", "outer after 80"]


async def test_what_a_middleware_raises_fails_the_attempt_like_the_handler(app: App) -> None:
    async def refuse(call: Call, next: Next) -> Any:
        raise PermissionError("not on Sundays")

    async def forget(call: Call, next: Next) -> Any:
        asyncio.get_running_loop()  # never calls next
        return "nothing ran"

    @app.task(max_attempts=1, retry=Retry(min=0, max=0))
    async def work() -> str:
        raise AssertionError("must not run")

    handle = await work.push()
    async with working(app, middleware=[refuse]):
        assert "PermissionError: not on Sundays" in str((await becomes(handle, Status.KILLED)).error)
    other = await work.push()
    async with working(app, middleware=[forget]):
        assert await other.result(timeout=PATIENCE) == "nothing ran"


async def test_a_time_limit_counts_the_middleware_and_cancels_it(app: App) -> None:
    cancelled = asyncio.Event()

    async def dawdle(call: Call, next: Next) -> Any:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    @app.task(timeout=0.05, max_attempts=1)
    def work() -> None: ...

    handle = await work.push()
    async with working(app, middleware=[dawdle]):
        assert "TaskTimeout" in str((await becomes(handle, Status.KILLED)).error)
    assert cancelled.is_set()


async def test_middleware_wraps_thread_handlers_and_injection_too(app: App) -> None:
    async def upper(call: Call, next: Next) -> Any:
        return await next(replace(call, arguments={"text": str(call.arguments["text"]).upper()}))

    @app.task
    def echo(text: str) -> str:
        return text

    handle = await echo.push("hi")
    async with working(app, middleware=[upper]):
        assert await handle.result(timeout=PATIENCE) == "HI"


async def test_composing_nothing_is_the_innermost() -> None:
    async def innermost(call: Call) -> str:
        return "in"

    assert compose([], innermost) is innermost


# --- what middleware is told about failures -------------------------------------------------------------


@pytest.mark.parametrize(("returned", "seen"), [(False, HandlerReturnedFalse), (object(), UnstorableResult)])
async def test_a_result_that_is_a_failure_is_one_for_middleware_too(app: App, returned: object, seen: type[Exception]) -> None:
    errors: list[BaseException] = []

    async def watch(call: Call, next: Next) -> Any:
        try:
            return await next(call)
        except Exception as error:
            errors.append(error)
            raise

    @app.task(max_attempts=1)
    async def wrong() -> object:
        return returned

    handle = await wrong.push()
    async with working(app, middleware=[watch]):
        task = await becomes(handle, Status.KILLED)
    assert [type(error) for error in errors] == [seen]
    assert str(task.error).startswith(seen.__name__)
    assert task.reason is (KillReason.EXHAUSTED if returned is False else KillReason.ABORTED)


async def test_a_middleware_may_turn_a_failure_into_a_success_and_back(app: App) -> None:
    async def mend(call: Call, next: Next) -> Any:
        try:
            return await next(call)
        except HandlerReturnedFalse:
            return True

    async def deny(call: Call, next: Next) -> Any:
        await next(call)
        return False

    @app.task(max_attempts=1)
    async def no() -> bool:
        return False

    mended, denied = await no.push(), await no.using(queue="other").push()
    async with working(app, name="a", queues=["default"], middleware=[mend]):
        assert await mended.result(timeout=PATIENCE) is True
    async with working(app, name="b", queues=["other"], middleware=[deny, mend]):
        assert "HandlerReturnedFalse" in str((await becomes(denied, Status.KILLED)).error)


@pytest.mark.parametrize(
    ("error", "status"),
    [(AbortError("never"), Status.KILLED), (RetryAfterError("in a minute", delay=60), Status.FAILED), (DeferredError(delay=60), Status.PENDING)],
)
async def test_a_middleware_decides_about_the_task_like_a_handler(app: App, error: Exception, status: Status) -> None:
    tried = asyncio.Event()

    async def decide(call: Call, next: Next) -> Any:
        tried.set()
        raise error

    @app.task
    async def work() -> None: ...

    handle = await work.push()
    async with working(app, middleware=[decide]):
        await asyncio.wait_for(tried.wait(), PATIENCE)
    task = await handle.fetch()
    assert (task.status, task.attempts) == (status, 0 if status is Status.PENDING else 1)


# --- why a run is ended ---------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True], ids=["async", "thread"])
async def test_a_middleware_learns_that_time_is_up_and_cannot_change_it(app: App, plain: bool) -> None:
    told: list[object] = []

    async def swallow(call: Call, next: Next) -> Any:
        assert call.remaining is not None
        assert 0 <= call.remaining <= 0.3
        assert call.ending is None
        try:
            return await next(call)
        except asyncio.CancelledError:
            told.append(call.ending)
            return "as if nothing had been"

    async def sleep() -> None:
        await asyncio.sleep(3_600)

    def spin() -> None:
        while True:
            pass

    handle = await app.task(timeout=0.3, max_attempts=1)(spin if plain else sleep).push()
    async with working(app, middleware=[swallow]):
        assert "TaskTimeout" in str((await becomes(handle, Status.KILLED)).error)
    assert told == [Ending.TIMEOUT]


async def test_a_middleware_learns_that_its_task_was_killed_and_starts_the_handler_no_more(app: App) -> None:
    started = asyncio.Event()
    told: list[object] = []

    async def insist(call: Call, next: Next) -> Any:
        while len(told) < 3:
            try:
                return await next(call)
            except asyncio.CancelledError:
                told.append(call.ending)
        return "I did what I could"

    runs = 0

    @app.task
    async def endless() -> None:
        nonlocal runs
        runs += 1
        started.set()
        await asyncio.sleep(3_600)

    handle = await endless.push()
    async with working(app, middleware=[insist]):
        await asyncio.wait_for(started.wait(), PATIENCE)
        await handle.kill()
        assert (await becomes(handle, Status.KILLED)).reason is KillReason.KILLED
    assert told == [Ending.KILLED] * 3
    assert runs == 1


async def test_a_middleware_that_hides_the_end_of_the_worker_does_not_make_a_success_of_it(app: App) -> None:
    started = asyncio.Event()
    told: list[object] = []

    async def swallow(call: Call, next: Next) -> Any:
        try:
            return await next(call)
        except asyncio.CancelledError:
            told.append(call.ending)

    @app.task
    async def endless() -> None:
        started.set()
        await asyncio.sleep(3_600)

    handle = await endless.push()
    async with working(app, middleware=[swallow], shutdown_timeout=0):
        await asyncio.wait_for(started.wait(), PATIENCE)
    assert told == [Ending.STOPPED]
    task = await handle.fetch()
    assert (task.status, task.attempts) == (Status.PENDING, 0)


async def test_a_handler_that_finishes_while_its_worker_stops_has_succeeded_through_middleware_too(app: App) -> None:
    started = asyncio.Event()

    async def through(call: Call, next: Next) -> Any:
        return await next(call)

    @app.task
    async def tidy() -> str:
        started.set()
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            return "tidied up"
        return "never"

    handle = await tidy.push()
    async with working(app, middleware=[through], shutdown_timeout=0):
        await asyncio.wait_for(started.wait(), PATIENCE)
    assert await handle.result(timeout=0) == "tidied up"


# --- extensions -----------------------------------------------------------------------------------------


@dataclass
class Span:
    name: str


class Spans:
    """Gives each run a span."""

    provides = (Span,)

    async def __call__(self, call: Call, next: Next) -> Any:
        call.extensions[Span] = Span(f"{call.context.name} {call.context.attempt}")
        return await next(Call(call.context, call.arguments))  # a call made anew knows the same extensions


async def test_a_handler_asks_for_what_middleware_put_into_the_run(app: App) -> None:
    @app.task
    async def traced(n: int, *, span: Annotated[Span, Data()] = INJECTED) -> str:
        return f"{span.name} {n}"

    @app.task
    def in_a_thread(span: Annotated[object, Data()] = INJECTED) -> str:
        assert isinstance(span, Span)
        return span.name

    app.provide(Span("not this one"))
    first, second = await traced.push(1), await in_a_thread.push()
    async with working(app, middleware=[Spans()]):
        assert await first.result(timeout=PATIENCE) == "traced 1 1"
        assert await second.result(timeout=PATIENCE) == "in_a_thread 1"


async def test_what_middleware_puts_into_a_run_is_of_that_run_and_not_stored(app: App) -> None:
    found: list[bool] = []

    async def look(call: Call, next: Next) -> Any:
        found.append(Span in call.extensions)
        call.extensions[Span] = Span("of this run")
        return await next(call)

    @app.task(retry=Retry(min=0, max=0), max_attempts=2)
    async def fails() -> None:
        raise ValueError

    handle = await fails.push()
    pushed = await handle.fetch()
    async with working(app, middleware=[look]):
        task = await becomes(handle, Status.KILLED)
    assert found == [False, False], "the second attempt is another run"
    assert (task.metadata, task.args, task.checkpoint) == (pushed.metadata, pushed.args, None)


async def test_what_no_middleware_announces_is_missing_at_the_start_and_what_it_forgets_at_the_run(app: App) -> None:
    @app.task(max_attempts=1)
    async def traced(*, span: Annotated[Span, Data()] = INJECTED) -> None: ...

    async def quiet(call: Call, next: Next) -> Any:
        call.extensions[Span] = Span("unannounced")
        return await next(call)

    class Forgetful:
        provides = (Span,)

        async def __call__(self, call: Call, next: Next) -> Any:
            return await next(call)

    with pytest.raises(MissingData, match="the worker was given nothing"):
        app.worker(middleware=[quiet])
    handle = await traced.push()
    async with working(app, middleware=[Forgetful()]):
        error = str((await becomes(handle, Status.KILLED)).error)
    assert error == "MissingData: traced(span) asks for a Span, but the middleware that provides it put none into call.extensions."


# --- the app's middleware, and what surrounds a worker's life ---------------------------------------------


def noting(told: list[str], name: str) -> Any:
    async def note(call: Call, next: Next) -> Any:
        told.append(name)
        return await next(call)

    return note


async def test_an_apps_middleware_is_outside_that_of_the_worker_and_goes_wherever_its_tasks_run(url: str) -> None:
    told: list[str] = []
    async with App(url, middleware=[noting(told, "first"), noting(told, "second")]) as app:

        @app.task
        def work() -> int:
            return 1

        handle = await work.push()
        async with working(app, middleware=[noting(told, "inner")]):
            await handle.result(timeout=PATIENCE)
        assert told == ["first", "second", "inner"]
        await work.push()
        await drain(app)
        assert await run_inline(work) == 1
        assert told == ["first", "second", "inner", *["first", "second"] * 2]


class Lifespan(AbstractAsyncContextManager[Any]):
    """Notes when it is entered, called and left."""

    def __init__(self, told: list[str], name: str, *, fails: bool = False) -> None:
        self._told, self._name, self._fails = told, name, fails

    async def __aenter__(self) -> "Lifespan":
        if self._fails:
            raise ConnectionError("no exporter")
        self._told.append(f"enter {self._name}")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._told.append(f"leave {self._name}")

    async def __call__(self, call: Call, next: Next) -> Any:
        self._told.append(f"call {self._name}")
        return await next(call)


async def test_middleware_is_entered_before_the_worker_claims_and_left_when_all_is_stored(app: App) -> None:
    told: list[str] = []

    @app.task
    async def work() -> None:
        told.append("work")

    handle = await work.push()

    async def acknowledged(ended: Any) -> None:
        told.append("acknowledged")

    async with working(app, middleware=[Lifespan(told, "a"), Lifespan(told, "b")], on_ack=acknowledged):
        await handle.result(timeout=PATIENCE)
    assert told == ["enter a", "enter b", "call a", "call b", "work", "acknowledged", "leave b", "leave a"]


async def test_middleware_that_cannot_be_entered_keeps_the_worker_from_starting(app: App) -> None:
    told: list[str] = []

    @app.task
    async def work() -> None: ...

    handle = await work.push()
    with pytest.raises(ConnectionError, match="no exporter"):
        await app.worker(middleware=[Lifespan(told, "a"), Lifespan(told, "b", fails=True)]).run()
    assert told == ["enter a", "leave a"]
    assert (await handle.fetch()).status is Status.PENDING
    async with working(app, name="anna"):
        with pytest.raises(WorkerNameTaken):
            await app.worker("anna", middleware=[Lifespan(told, "c")]).run()
    assert told[2:] == ["enter c", "leave c"]


async def test_inline_runs_enter_middleware_and_judge_the_result(app: App) -> None:
    told: list[str] = []
    app.middleware = (Lifespan(told, "a"),)

    @app.task
    def bad() -> object:
        return object()

    with pytest.raises(UnstorableResult, match="its result cannot be stored"):
        await run_inline(bad)
    assert told == ["enter a", "call a", "leave a"]


@pytest.mark.parametrize(("wrong", "sentence"), [(Spans, r"got the class Spans\. Make an object of it: Spans\(…\)"), ("retry", "got 'retry'")])
async def test_what_cannot_be_middleware_is_refused_at_once(memory_app: App, wrong: Any, sentence: str) -> None:
    @memory_app.task
    async def work() -> None: ...

    with pytest.raises(InvalidValue, match=sentence):
        memory_app.worker(middleware=[wrong])
    with pytest.raises(InvalidValue, match=sentence):
        App("memory://", middleware=[wrong])
