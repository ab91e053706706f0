"""What handlers depend on: made for each run, and cleaned up after it."""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import pytest

from queue_core import (
    INJECTED,
    AbortError,
    App,
    AttemptNumber,
    Call,
    Data,
    DeferredError,
    Depends,
    InvalidValue,
    KillReason,
    Meta,
    MissingData,
    Next,
    Retry,
    Status,
    TaskId,
    WorkerContext,
)
from queue_core.testing import drain, run_inline
from tests.core.steps import PATIENCE, becomes, working


@pytest.fixture
def told() -> list[str]:
    """What happened, in order."""
    return []


@dataclass
class Session:
    name: str


def opener(told: list[str], name: str = "session") -> Callable[[], Generator[Session, None, None]]:
    """A dependency that tells what it sees of the run."""

    def open_session() -> Generator[Session, None, None]:
        told.append(f"open {name}")
        try:
            yield Session(name)
        except BaseException as error:
            told.append(f"{name} sees {type(error).__name__}")
            raise
        else:
            told.append(f"{name} sees a success")
        finally:
            told.append(f"close {name}")

    return open_session


def async_opener(told: list[str], name: str = "session") -> Callable[[], AsyncIterator[Session]]:
    plain = opener(told, name)

    async def open_session() -> AsyncIterator[Session]:
        generator = plain()
        yielded = next(generator)
        try:
            yield yielded
        except BaseException as error:
            await asyncio.sleep(0)
            generator.throw(error)
        else:
            await asyncio.sleep(0)
            next(generator, None)

    return open_session


# --- making and cleaning up -----------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True], ids=["async", "thread"])
async def test_functions_and_generators_of_both_kinds_are_made_in_order_and_cleaned_up_in_reverse(app: App, told: list[str], plain: bool) -> None:
    def number() -> int:
        return 1

    async def later() -> int:
        await asyncio.sleep(0)
        return 2

    first, second = async_opener(told, "first"), opener(told, "second")
    One: TypeAlias = Annotated[int, Depends(number)]
    Two: TypeAlias = Annotated[int, Depends(later)]
    A: TypeAlias = Annotated[Session, Depends(first)]
    B: TypeAlias = Annotated[Session, Depends(second)]

    async def work(n: int, *, one: One = INJECTED, two: Two = INJECTED, a: A = INJECTED, b: B = INJECTED) -> str:
        return work_plain(n, one=one, two=two, a=a, b=b)

    def work_plain(n: int, *, one: One = INJECTED, two: Two = INJECTED, a: A = INJECTED, b: B = INJECTED) -> str:
        told.append("work")
        return f"{n} {one} {two} {a.name} {b.name}"

    definition = app.task(work_plain if plain else work)
    handle = await definition.push(0)
    async with working(app):
        assert await handle.result(timeout=PATIENCE) == "0 1 2 first second"
    assert told == ["open first", "open second", "work", "second sees a success", "close second", "first sees a success", "close first"]


async def test_a_plain_handlers_plain_dependencies_are_made_and_cleaned_up_in_its_thread_and_async_ones_on_the_loop(app: App) -> None:
    where: dict[str, int] = {}

    def note(name: str) -> None:
        where[name] = threading.get_ident()

    def needed_by_async() -> int:
        note("needed")
        return 1

    async def on_loop(n: Annotated[int, Depends(needed_by_async)]) -> AsyncIterator[int]:
        note("async open")
        yield n + 1
        note("async close")

    def in_thread(n: Annotated[int, Depends(on_loop)]) -> Iterator[int]:
        note("open")
        yield n + 1
        note("close")

    @app.task
    def work(n: Annotated[int, Depends(in_thread)] = INJECTED) -> int:
        note("work")
        return n

    handle = await work.push()
    async with working(app):
        assert await handle.result(timeout=PATIENCE) == 3
    loop, thread = threading.get_ident(), where["work"]
    assert thread != loop
    assert where == {"needed": loop, "async open": loop, "open": thread, "work": thread, "close": thread, "async close": loop}


async def test_one_run_shares_what_a_dependency_gave_unless_it_is_not_to_be_cached(app: App) -> None:
    made = 0

    def count() -> int:
        nonlocal made
        made += 1
        return made

    def left(n: Annotated[int, Depends(count)]) -> int:
        return n

    def right(n: Annotated[int, Depends(count)], fresh: Annotated[int, Depends(count, cached=False)]) -> tuple[int, int]:
        return n, fresh

    @app.task
    async def work(
        a: Annotated[int, Depends(left)] = INJECTED,
        b: Annotated[tuple[int, int], Depends(right)] = INJECTED,
        c: Annotated[int, Depends(count)] = INJECTED,
        d: Annotated[int, Depends(count, cached=False)] = INJECTED,
    ) -> list[int]:
        return [a, *b, c, d]

    first, second = await work.push(), await work.push()
    async with working(app, concurrency=1):
        assert await first.result(timeout=PATIENCE) == [1, 1, 2, 1, 3]
        assert await second.result(timeout=PATIENCE) == [4, 4, 5, 4, 6]


async def test_a_dependency_asks_for_data_facts_and_metadata_itself(app: App) -> None:
    async def describe(
        session: Annotated[Session, Data()],
        ctx: WorkerContext,
        id: TaskId,
        attempt: AttemptNumber,
        user: Annotated[int, Meta("user")],
        tenant: Annotated[str, Meta("tenant")] = "nobody",
        other: str = "left alone",
    ) -> str:
        assert id == ctx.task_id
        return f"{session.name} {ctx.queue} {attempt} {user} {tenant} {other}"

    @app.task(queue="q")
    async def work(text: Annotated[str, Depends(describe)] = INJECTED) -> str:
        return text

    app.provide(Session("data"))
    handle = await work.using(metadata={"user": 7}).push()
    async with working(app):
        assert await handle.result(timeout=PATIENCE) == "data q 1 7 nobody left alone"


async def test_classes_objects_and_partials_can_be_depended_on(app: App) -> None:
    @dataclass(frozen=True)
    class Clock:
        attempt: AttemptNumber

    class Opener:
        async def __call__(self, clock: Annotated[Clock, Depends(Clock)]) -> AsyncIterator[Session]:
            yield Session(f"attempt {clock.attempt}")

    def named(name: str, ctx: WorkerContext) -> str:
        return f"{name} {ctx.name}"

    @app.task
    async def work(
        session: Annotated[Session, Depends(Opener())] = INJECTED, text: Annotated[str, Depends(functools.partial(named, name="partial"))] = INJECTED
    ) -> str:
        return f"{session.name}, {text}"

    handle = await work.push()
    async with working(app):
        assert await handle.result(timeout=PATIENCE) == "attempt 1, partial work"


async def test_clean_up_comes_before_the_end_is_stored(app: App) -> None:
    seen: list[Status] = []

    async def watch(id: TaskId) -> AsyncIterator[None]:
        yield
        task = await app.expose.fetch(id)
        assert task is not None
        seen.append(task.status)

    @app.task
    async def work(_: Annotated[None, Depends(watch)] = INJECTED) -> None: ...

    await work.push()
    await drain(app)
    assert seen == [Status.RUNNING]


# --- failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True], ids=["async", "thread"])
@pytest.mark.parametrize(("outcome", "seen"), [(ValueError("no"), "ValueError"), (False, "HandlerReturnedFalse"), (object(), "UnstorableResult")])
async def test_clean_up_sees_how_the_handler_failed(app: App, told: list[str], outcome: Any, seen: str, plain: bool) -> None:
    In: TypeAlias = Annotated[Session, Depends(opener(told, "inner"))]
    Out: TypeAlias = Annotated[Session, Depends(async_opener(told, "outer"))]

    def fail_plain(out: Out = INJECTED, session: In = INJECTED) -> object:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def fail(out: Out = INJECTED, session: In = INJECTED) -> object:
        return fail_plain()

    handle = await app.task(max_attempts=1)(fail_plain if plain else fail).push()
    async with working(app):
        assert seen in str((await becomes(handle, Status.KILLED)).error)
    assert told == ["open outer", "open inner", f"inner sees {seen}", "close inner", f"outer sees {seen}", "close outer"]


@pytest.mark.parametrize("plain", [False, True], ids=["async", "thread"])
async def test_clean_up_comes_after_a_time_limit_and_a_kill_too(app: App, told: list[str], plain: bool) -> None:
    started = threading.Event()
    Needed: TypeAlias = Annotated[Session, Depends(opener(told))]

    def endless_plain(session: Needed = INJECTED) -> None:
        started.set()
        while True:
            pass

    async def endless(session: Needed = INJECTED) -> None:
        started.set()
        await asyncio.sleep(3_600)

    definition = app.task(max_attempts=1)(endless_plain if plain else endless)
    async with working(app):
        timed_out = await definition.using(timeout=0.1).push()
        assert "TaskTimeout" in str((await becomes(timed_out, Status.KILLED)).error)
        started.clear()
        killed = await definition.push()
        await asyncio.to_thread(started.wait, PATIENCE)
        await killed.kill()
        assert (await becomes(killed, Status.KILLED)).reason is KillReason.KILLED
    assert told == ["open session", "session sees CancelledError", "close session"] * 2


async def test_a_handler_that_swallows_its_time_limit_is_no_success_for_clean_up(app: App, told: list[str]) -> None:
    @app.task(max_attempts=1, timeout=0.05)
    async def stubborn(session: Annotated[Session, Depends(opener(told))] = INJECTED) -> str:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            pass
        return "I am fine"

    handle = await stubborn.push()
    async with working(app):
        assert "TaskTimeout" in str((await becomes(handle, Status.KILLED)).error)
    assert told[1] == "session sees CancelledError"


@pytest.mark.parametrize("plain", [False, True], ids=["async", "thread"])
async def test_clean_up_that_fails_after_a_success_makes_a_failure_of_it(app: App, told: list[str], plain: bool) -> None:
    def commit() -> Iterator[None]:
        yield
        raise AbortError("the commit failed")

    Outer: TypeAlias = Annotated[Session, Depends(opener(told, "outer"))]
    Inner: TypeAlias = Annotated[None, Depends(commit)]

    def work_plain(outer: Outer = INJECTED, inner: Inner = INJECTED) -> str:
        return "done"

    async def work(outer: Outer = INJECTED, inner: Inner = INJECTED) -> str:
        return "done"

    handle = await app.task(work_plain if plain else work).push()
    async with working(app):
        task = await becomes(handle, Status.KILLED)
    assert (task.error, task.reason, task.result) == ("AbortError: the commit failed", KillReason.ABORTED, None)
    assert told == ["open outer", "outer sees AbortError", "close outer"]


@pytest.mark.parametrize("plain", [False, True], ids=["async", "thread"])
async def test_clean_up_cannot_undo_or_replace_a_failure(app: App, caplog: pytest.LogCaptureFixture, plain: bool) -> None:
    def swallow() -> Iterator[None]:
        try:
            yield
        except ValueError:
            pass

    def stumble() -> Iterator[None]:
        try:
            yield
        finally:
            raise OSError("and the clean-up too")

    Swallowing: TypeAlias = Annotated[None, Depends(swallow)]
    Stumbling: TypeAlias = Annotated[None, Depends(stumble)]

    def first_plain(_: Swallowing = INJECTED) -> None:
        raise ValueError("the cause")

    def second_plain(_: Stumbling = INJECTED) -> None:
        raise ValueError("the cause")

    async def first(_: Swallowing = INJECTED) -> None:
        raise ValueError("the cause")

    async def second(_: Stumbling = INJECTED) -> None:
        raise ValueError("the cause")

    definitions = [app.task(max_attempts=1)(function) for function in ((first_plain, second_plain) if plain else (first, second))]
    handles = [await definition.push() for definition in definitions]
    async with working(app):
        for handle in handles:
            assert (await becomes(handle, Status.KILLED)).error == "ValueError: the cause"
    warning = next(message for message in caplog.messages if message.startswith("The clean-up after task"))
    assert warning.endswith("which did not succeed anyhow, failed: OSError: and the clean-up too")


async def test_a_dependency_decides_about_the_task_like_the_handler(app: App, told: list[str]) -> None:
    async def unavailable(session: Annotated[Session, Depends(opener(told))]) -> None:
        raise DeferredError("not now", delay=60)

    @app.task
    async def work(_: Annotated[None, Depends(unavailable)] = INJECTED) -> None:
        raise AssertionError("must not run")

    handle = await work.push()
    await drain(app)
    task = await handle.fetch()
    assert (task.status, task.attempts) == (Status.PENDING, 0)
    assert told == ["open session", "session sees DeferredError", "close session"]


async def test_each_try_of_a_middleware_and_each_attempt_has_its_own(app: App, told: list[str]) -> None:
    async def twice(call: Call, next: Next) -> Any:
        try:
            return await next(call)
        except ValueError:
            return await next(call)

    @app.task(retry=Retry(min=0, max=0))
    async def work(attempt: AttemptNumber = INJECTED, session: Annotated[Session, Depends(opener(told, "s"))] = INJECTED) -> str:
        if told.count("open s") < 4:
            raise ValueError
        return "done"

    handle = await work.push()
    async with working(app, middleware=[twice]):
        assert await handle.result(timeout=PATIENCE) == "done"
        assert (await handle.fetch()).attempts == 2
    assert told == ["open s", "s sees ValueError", "close s"] * 3 + ["open s", "s sees a success", "close s"]


# --- in child processes ---------------------------------------------------------------------------------


def sizes() -> dict[str, int]:
    return {"a": 1}


def lock() -> Iterator[Any]:
    yield threading.Lock()


def measure(sizes: Annotated[dict[str, int], Depends(sizes)] = INJECTED) -> int:
    return sum(sizes.values())


def locked(lock: Annotated[Any, Depends(lock)] = INJECTED) -> None: ...


async def test_a_handler_in_a_child_process_gets_what_can_be_pickled_and_nothing_else() -> None:
    async with App("memory://") as app:
        fine, wrong = app.task(executor="process")(measure), app.task(executor="process", max_attempts=1)(locked)
        measured, failed = await fine.push(), await wrong.push()
        async with working(app, concurrency=1):
            assert await measured.result(timeout=PATIENCE) == 1
            assert "locked runs in another process, so its arguments must be picklable" in str((await becomes(failed, Status.KILLED)).error)


# --- found at the start ---------------------------------------------------------------------------------


async def test_what_cannot_be_made_is_found_before_anything_is_claimed(app: App) -> None:
    def needs_data(session: Annotated[Session, Data()]) -> None: ...

    def above(_: Annotated[None, Depends(needs_data)]) -> None: ...

    @app.task
    async def work(_: Annotated[None, Depends(above)] = INJECTED) -> None: ...

    await work.push()
    with pytest.raises(MissingData, match=r"needs_data\(session\) asks for a Session, but the worker was given nothing"):
        app.worker()


def egg(hen: "Annotated[str, Depends(hen)]") -> str:
    return hen


def hen(egg: Annotated[str, Depends(egg)]) -> str:
    return egg


async def test_a_circle_is_told_in_full() -> None:
    app = App("memory://")

    @app.task
    async def breakfast(egg: Annotated[str, Depends(egg)] = INJECTED) -> None: ...

    with pytest.raises(InvalidValue, match=r"hen\(egg\) depends on itself: egg needs hen needs egg\."):
        app.worker()


async def test_a_parameter_that_nobody_fills_in_is_named() -> None:
    app = App("memory://")

    def connect(url: str, *rest: int, **more: int) -> None: ...

    @app.task
    async def work(_: Annotated[None, Depends(connect)] = INJECTED) -> None: ...

    with pytest.raises(InvalidValue, match=r"work\(_\): .*connect takes url: str, which nobody fills in\. Mark it with Data, Meta or Depends"):
        app.worker()


async def test_marks_in_the_wrong_place_are_refused_with_the_right_spelling() -> None:
    app = App("memory://")

    @app.task
    async def work(session: Session = Depends(egg)) -> None: ...  # type: ignore[assignment]  # noqa: B008 - that is the mistake

    with pytest.raises(InvalidValue, match=r"Write session: Annotated\[Session, Depends\(…\)\] = INJECTED\."):
        await work.push()
    with pytest.raises(InvalidValue, match="Depends needs a function, got 'session'"):
        Depends("session")  # type: ignore[arg-type]


async def test_a_callable_that_does_not_tell_what_it_takes_is_refused() -> None:
    app = App("memory://")

    @app.task
    async def work(n: Annotated[int, Depends(max)] = INJECTED) -> None: ...

    with pytest.raises(InvalidValue, match=r"max does not tell what it takes: .*Put it into a function of your own\."):
        app.worker()


async def test_a_push_that_gives_a_dependency_is_refused(app: App) -> None:
    @app.task
    async def work(session: Annotated[Session, Depends(opener([]))] = INJECTED) -> None: ...

    with pytest.raises(InvalidValue, match="work gets session from its worker; leave it out"):
        await work.push(session=Session("mine"))


# --- in tests -------------------------------------------------------------------------------------------


async def test_a_replacement_takes_the_place_of_a_dependency_within_the_block(app: App, told: list[str]) -> None:
    real = opener(told, "real")

    def indirect(session: Annotated[Session, Depends(real)]) -> str:
        return session.name

    @app.task
    async def work(name: Annotated[str, Depends(indirect)] = INJECTED) -> str:
        return name

    async def fake(ctx: WorkerContext) -> Session:
        return Session(f"fake for {ctx.name}")

    with app.override(real, lambda: Session("outer")):
        with app.override(real, fake):
            handle = await work.push()
            await drain(app)
            assert await handle.result(timeout=0) == "fake for work"
            assert await run_inline(work) == "fake for work"
        assert await run_inline(work) == "outer"
    assert told == []
    assert await run_inline(work) == "real"
    with pytest.raises(InvalidValue, match="Depends needs a function"), app.override(real, 3):  # type: ignore[arg-type]
        pass


async def test_inline_runs_clean_up_too(app: App, told: list[str]) -> None:
    @app.task
    def no(a: Annotated[Session, Depends(async_opener(told, "a"))] = INJECTED, b: Annotated[Session, Depends(opener(told, "b"))] = INJECTED) -> bool:
        return False

    with pytest.raises(Exception, match="returned False"):
        await run_inline(no)
    assert told == ["open a", "open b", "b sees HandlerReturnedFalse", "close b", "a sees HandlerReturnedFalse", "close a"]
