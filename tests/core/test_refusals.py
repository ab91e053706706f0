"""What nobody can mean is refused where it is written, by a sentence with the cure."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import pytest

from queue_core import INJECTED, App, Depends, Every, InvalidValue, Monitor, Rate, Status
from queue_core.backend import Retention
from queue_core.middleware import Call, Next, Retries
from queue_core.testing import assert_pushed, drain, pushed, run_inline


@pytest.fixture
def app(memory_app: App) -> Any:
    """An app of which no type checker keeps its users from mistakes."""
    return memory_app


@pytest.fixture
def greet(memory_app: App) -> Any:
    @memory_app.task
    async def greet(name: str) -> str:
        return f"Hello, {name}."

    return greet


# --- a text is not several texts -------------------------------------------------------------------------


async def test_one_text_is_not_several_queues(app: Any, greet: Any) -> None:
    sentence = "queues must be several texts, got the one text 'default'. Put it in a list."
    with pytest.raises(InvalidValue) as refused:
        app.worker(queues="default")
    assert str(refused.value) == sentence
    with pytest.raises(InvalidValue, match=sentence):
        await drain(app, queues="default")
    with pytest.raises(InvalidValue, match=sentence):
        async with app.running(queues="default"):
            raise AssertionError("It serves the queues d, e, f, a, u, l and t.")
    with pytest.raises(InvalidValue, match=r"queues must be several texts, got 3\. Put it in a list\."):
        app.worker(queues=3)


async def test_one_text_is_not_several_tags(greet: Any) -> None:
    with pytest.raises(InvalidValue, match=r"greet: tags must be several texts, got 3\."):
        greet.using(tags=3)
    task = await greet.push("Ada")
    with pytest.raises(InvalidValue, match="tags must be several texts, got the one text 'urgent'"):
        await task.update(tags="urgent")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (3, "tasks must be several handles or ids, got 3. Put it in a list."),
        ("an-id", "tasks must be several handles or ids, got the one text 'an-id'. Put it in a list."),
        ([3], "tasks must be several handles or ids, got 3 among them."),
    ],
)
async def test_what_cannot_be_waited_for_is_named(app: Any, given: Any, sentence: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        await anext(app.wait_for(given))
    assert str(refused.value) == sentence


# --- settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["done", "killed", "workers", "minutes", "audit", "logs"])
@pytest.mark.parametrize("wrong", ["7d", -1, True, float("nan"), float("inf")])
def test_a_time_that_a_pruner_could_not_use_is_no_retention(name: str, wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=f"{name} must be a number of seconds, zero or more and at most (a year|100 years), or None for ever, got"):
        Retention(**{name: wrong})


@pytest.mark.parametrize("wrong", [{"audit": 5}, "audit", ["audit"]])
def test_the_retention_of_queues_is_by_their_names(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="queues must be Retentions by the names of queues, as "):
        Retention(queues=wrong)


async def test_the_longest_retention_can_be_pruned_by(stored_app: App) -> None:
    longest = 100 * 365 * 86_400.0
    await stored_app.backend.prune(Retention(done=longest, killed=longest, workers=longest, minutes=365 * 86_400, audit=longest, logs=longest))
    with pytest.raises(InvalidValue, match="minutes must be a number of seconds, zero or more and at most a year, or None for ever, got 94"):
        Retention(minutes=longest * 30)


async def wraps(call: Call, next: Next, times: int = 1) -> Any:
    return await next(call)


class Wraps:
    async def __call__(self, call: Call, next: Next) -> Any:
        return await next(call)


class WrapsNothing:
    def __call__(self, call: Call, next: Next) -> Any:
        return 1


@pytest.mark.parametrize("layer", [lambda call, next: 1, WrapsNothing(), partial(lambda times, call, next: 1, 3)])
def test_a_plain_function_is_no_middleware(layer: Any) -> None:
    for refuses in (lambda: App("memory://", middleware=[layer]), lambda: App("memory://").worker(middleware=[layer])):
        with pytest.raises(InvalidValue, match="middleware must be async functions of a call and what follows, got the plain "):
            refuses()


@pytest.mark.parametrize("layer", [wraps, Wraps(), Wraps().__call__, partial(wraps, times=2), partial(Wraps())])
async def test_whatever_is_async_is_middleware(layer: Any) -> None:
    async with App("memory://", middleware=[layer]) as app:

        @app.task
        async def double(n: int) -> int:
            return 2 * n

        await double.push(2)
        assert [task.result for task in await drain(app)] == [b"4"]


def test_one_middleware_is_not_several(app: Any) -> None:
    for refuses in (lambda: App("memory://", middleware=Retries(3)), lambda: app.worker(middleware=Retries(3))):  # type: ignore[arg-type]
        with pytest.raises(InvalidValue, match=r"middleware must be several async functions, got .*Retries.*\. Put it in a list\."):
            refuses()


def test_an_option_that_a_worker_does_not_have_is_named_with_the_nearest(app: Any, greet: Any) -> None:
    with pytest.raises(InvalidValue, match=r"worker\(\) has no option cocurrency\. Did you mean concurrency\?"):
        app.worker(cocurrency=1)
    with pytest.raises(InvalidValue, match=r"worker\(\) has no option zzz\. Its options are those of Worker\."):
        app.worker(zzz=1)


@pytest.mark.parametrize("wrong", [{"seconds": -1}, {"minutes": "10"}, {"hours": True}, {"days": float("inf")}])
def test_an_interval_of_no_number_is_refused_by_its_unit(wrong: dict[str, Any]) -> None:
    [unit] = wrong
    with pytest.raises(InvalidValue, match=rf"^{unit} must be a number, and not negative, got .*\. Write Every\(minutes=10\)\.$"):
        Every(**wrong)


def test_the_first_number_of_a_rate_is_called_by_its_name() -> None:
    with pytest.raises(InvalidValue, match=r"^n must be a whole number from 1 to 1,000,000, got 0"):
        Rate(0, per=0)


# --- tasks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (lambda _: "nope", "tasks must be several ready-made tasks, got the one text 'nope'. Put it in a list."),
        (
            lambda greet: greet,
            "app.push takes ready-made tasks, got <task greet in queue default>. Write greet.push(…), or app.push([greet.new(…)]).",
        ),
        (
            lambda greet: [greet],
            "app.push takes ready-made tasks, got <task greet in queue default>. Write greet.push(…), or app.push([greet.new(…)]).",
        ),
        (lambda _: ["nope"], "app.push takes ready-made tasks, got 'nope'. Write f.push(…), or app.push([f.new(…)])."),
    ],
)
async def test_what_is_no_ready_made_task_is_sent_to_where_it_is_pushed(app: Any, greet: Any, given: Callable[[Any], Any], sentence: str) -> None:
    connections: tuple[Any, ...] = (None, {})
    for connection in connections:
        with pytest.raises(InvalidValue) as refused:
            await app.push(given(greet), connection)
        assert str(refused.value) == sentence
    with pytest.raises(InvalidValue, match=r"got NewTask.*\. Put it in a list\."):
        await app.push(greet.new("Ada"))


@dataclass
class Address:
    street: str


async def test_what_does_not_fit_is_told_once(memory_app: App) -> None:
    @memory_app.task
    async def post(to: Address) -> None: ...

    send: Any = post
    with pytest.raises(InvalidValue, match=r"^post: to must be Address, got 3 \(int\)\.$"):
        await send.push(to=3)
    with pytest.raises(InvalidValue, match=r"^post: to must be Address, got .* \(dict\)\. Expected `str`, got `int` - at `\$\.street`\.$"):
        await send.push(to={"street": 7})


async def test_what_cannot_be_gone_through_is_no_stream(app: Any, greet: Any) -> None:
    for stream in (greet.push_stream(None), app.push_stream(None)):
        with pytest.raises(InvalidValue, match="A stream must be something to go through with for or async for, got None"):
            await anext(stream)


async def test_an_id_is_text(app: Any, greet: Any) -> None:
    for asked in (app, greet):
        with pytest.raises(InvalidValue, match="id must be the text of a task's id, got 4"):
            await asked.handle(4)


async def test_a_timeout_is_a_number(app: Any, greet: Any) -> None:
    task = await greet.push("Ada")
    with pytest.raises(InvalidValue, match="timeout must be a number of seconds, zero or more, got '5'"):
        await task.result(timeout="5")
    with pytest.raises(InvalidValue, match="timeout must be a number of seconds, zero or more, got '5'"):
        await anext(app.wait_for([task], timeout="5"))


async def test_a_function_is_no_definition(app: Any) -> None:
    asked: list[Any] = [lambda: assert_pushed(app, print), lambda: pushed(app, print), lambda: run_inline(print)]  # type: ignore[arg-type]
    for name, ask in zip(("assert_pushed", "pushed", "run_inline"), asked, strict=True):
        with pytest.raises(InvalidValue, match=rf"^{name} needs a task that was made by @app\.task, got <built-in function print>\."):
            await ask()


def test_a_monitor_takes_a_worker() -> None:
    with pytest.raises(InvalidValue, match=r"A monitor takes a Worker, as monitor\.add\(app\.worker\(\)\), got 3\."):
        Monitor().add(3)  # type: ignore[arg-type]


# --- dependencies -----------------------------------------------------------------------------------------


def never() -> Iterator[int]:
    if not INJECTED:
        yield 1


def twice() -> Iterator[int]:
    yield 1
    yield 2


async def never_async() -> AsyncIterator[int]:
    if not INJECTED:
        yield 1


async def twice_async() -> AsyncIterator[int]:
    yield 1
    yield 2


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("dependency", [never, twice, never_async, twice_async])
async def test_a_dependency_that_does_not_yield_once_is_named(app: Any, dependency: Any, plain: bool) -> None:
    async def waits(n: Annotated[int, Depends(dependency)] = INJECTED) -> None: ...

    def works(n: Annotated[int, Depends(dependency)] = INJECTED) -> None: ...

    await app.task(max_attempts=1)(works if plain else waits).push()
    [task] = await drain(app)
    assert task.status is Status.KILLED
    assert task.error == f"InvalidValue: The dependency {dependency.__name__} must yield once: what it made. What follows the yield is its clean-up."
