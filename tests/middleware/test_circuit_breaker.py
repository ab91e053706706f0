"""CircuitBreaker: what would only fail is not started, until a few runs say that it succeeds again."""

import asyncio
import contextlib
from typing import Any

import pytest

from queue_core import AbortError, App, Call, DeferredError, HandWoundClock, InvalidValue, Next, Retry, Status
from queue_core.middleware import CircuitBreaker, Retries, Timeout
from queue_core.middleware.circuit_breaker import State
from queue_core.testing import run_inline
from tests.core.steps import PATIENCE, eventually, working

AT_ONCE = Retry(min=0, max=0)


class Service:
    """A task that does what it is told, through a breaker with a hand-wound clock."""

    def __init__(self, app: App, **settings: Any) -> None:
        self.clock = HandWoundClock()
        self.breaker = CircuitBreaker(clock=self.clock, **{"failure_threshold": 2, "recovery_timeout": 60} | settings)
        self.answer: Exception | None = None
        self.runs = 0
        app.middleware = (self.breaker,)

        @app.task
        async def ask() -> None:
            self.runs += 1
            if self.answer is not None:
                raise self.answer

        self.ask = ask

    async def asked(self, *answers: Exception | None) -> None:
        """Run the task once for each of ``answers``, as if out of the queue."""
        for self.answer in answers:
            with contextlib.suppress(DeferredError, AbortError, ConnectionError, ValueError):
                await run_inline(self.ask)

    def state(self) -> State:
        return self.breaker.state("ask")


AWAY = ConnectionError("away")


async def an_async_one(_: Any) -> bool:
    return True


@pytest.mark.parametrize("threshold", [1, 2, 7])
async def test_it_opens_after_as_many_failures_in_a_row_as_it_was_told(memory_app: App, threshold: int) -> None:
    service = Service(memory_app, failure_threshold=threshold)
    await service.asked(*[AWAY] * (threshold - 1))
    assert service.state() is State.CLOSED
    await service.asked(AWAY)
    assert service.state() is State.OPEN
    await service.asked(None, None)
    assert service.runs == threshold


async def test_a_success_makes_the_count_begin_anew(memory_app: App) -> None:
    service = Service(memory_app, failure_threshold=3)
    await service.asked(AWAY, AWAY, None, AWAY, AWAY)
    assert service.state() is State.CLOSED
    await service.asked(AWAY)
    assert service.state() is State.OPEN


async def test_it_is_half_open_when_the_recovery_time_is_over_and_not_before(memory_app: App) -> None:
    service = Service(memory_app)
    await service.asked(AWAY, AWAY)
    service.clock.advance(59.9)
    assert (service.state(), service.breaker.closed_names()) == (State.OPEN, {"ask"})
    service.clock.advance(0.1)
    assert (service.state(), set(service.breaker.closed_names())) == (State.HALF_OPEN, set())


async def test_a_function_that_fails_to_judge_an_error_does_not_keep_it_shut_for_ever(memory_app: App) -> None:
    def is_meant(error: Exception) -> bool:
        if str(error) == "odd":
            raise AttributeError("it has no code")
        return True

    service = Service(memory_app, when=is_meant, half_open_max_calls=1)
    await service.asked(AWAY, AWAY)
    service.clock.advance(60)
    service.answer = ConnectionError("odd")
    for _ in range(3):
        with pytest.raises(AttributeError, match="it has no code"):
            await run_inline(service.ask)
    assert service.state() is State.HALF_OPEN
    await service.asked(None)
    assert service.state() is State.CLOSED


@pytest.mark.parametrize(
    ("share", "quota", "answers", "state"),
    [
        (0.5, 3, [None, None], State.CLOSED),
        (0.5, 3, [None, AWAY], State.HALF_OPEN),
        (0.5, 3, [None, AWAY, None], State.CLOSED),
        (0.5, 3, [AWAY, AWAY], State.OPEN),
        (1.0, 3, [None, None, None], State.CLOSED),
        (1.0, 3, [AWAY], State.OPEN),
        (0.1, 3, [AWAY, AWAY], State.HALF_OPEN),
        (0.1, 3, [None], State.CLOSED),
        (0.7, 10, [None] * 6 + [AWAY] * 3, State.HALF_OPEN),
        (0.7, 10, [None] * 7, State.CLOSED),
        (0.7, 10, [AWAY] * 4, State.OPEN),
    ],
)
async def test_the_share_of_successes_decides_as_soon_as_it_can(
    memory_app: App, share: float, quota: int, answers: list[Exception | None], state: State
) -> None:
    service = Service(memory_app, success_threshold=share, half_open_max_calls=quota)
    await service.asked(AWAY, AWAY)
    service.clock.advance(60)
    await service.asked(*answers)
    assert service.state() is state
    assert service.runs == 2 + len(answers)


async def test_one_that_opened_again_recovers_after_another_span(memory_app: App) -> None:
    service = Service(memory_app, half_open_max_calls=1)
    await service.asked(AWAY, AWAY)
    service.clock.advance(60)
    await service.asked(AWAY)
    service.clock.advance(59)
    assert service.state() is State.OPEN
    service.clock.advance(1)
    await service.asked(None)
    assert service.state() is State.CLOSED
    await service.asked(AWAY)
    assert service.state() is State.CLOSED, "the failures of before do not count any more"


async def test_what_says_nothing_about_the_service_does_not_count(memory_app: App) -> None:
    service = Service(memory_app, when=ConnectionError, half_open_max_calls=1)
    await service.asked(AWAY, AbortError("never"), DeferredError("later"), ValueError("no"), AWAY)
    assert service.state() is State.OPEN
    service.clock.advance(60)
    await service.asked(AbortError("never"))
    assert service.state() is State.HALF_OPEN
    await service.asked(None)
    assert service.state() is State.CLOSED


async def test_no_more_runs_than_told_try_a_half_open_circuit(app: App) -> None:
    clock, trying, go_on = HandWoundClock(), [], asyncio.Event()
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60, half_open_max_calls=2, success_threshold=1, clock=clock)

    @app.task(max_attempts=1)
    async def ask(fails: bool) -> None:
        if fails:
            raise AWAY
        trying.append(1)
        await go_on.wait()

    await ask.push(True)
    async with working(app, middleware=[breaker], poll=0.02):
        await eventually(lambda: breaker.state("ask") is State.OPEN)
        handles = await ask.push_many({"fails": False} for _ in range(6))
        clock.advance(60)
        await eventually(lambda: len(trying) == 2)
        await eventually(lambda: all_waiting(handles, 4))
        assert len(trying) == 2
        go_on.set()
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert breaker.state("ask") is State.CLOSED


async def all_waiting(handles: list[Any], count: int) -> bool:
    tasks = [await handle.fetch() for handle in handles]
    return bool(count == sum(task.status is Status.PENDING and task.attempts == 0 for task in tasks))


async def test_while_it_is_open_tasks_stay_in_the_store_and_recovery_wakes_the_worker(app: App) -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=0.2, half_open_max_calls=1)
    runs: list[int] = []

    @app.task(max_attempts=1)
    async def ask(n: int) -> int:
        runs.append(n)
        if n == 0:
            raise AWAY
        return n

    @app.task
    async def other() -> str:
        return "passed"

    async with working(app, middleware=[breaker], poll=3_600):
        await ask.push(0)
        await eventually(lambda: breaker.state("ask") is not State.CLOSED)
        held = await ask.push(1)
        assert await (await other.push()).result(timeout=PATIENCE) == "passed"
        assert await held.result(timeout=PATIENCE) == 1
    assert runs == [0, 1]
    assert (await held.fetch()).attempts == 1


async def test_one_circuit_over_all_holds_every_task_back(app: App) -> None:
    clock = HandWoundClock()
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60, half_open_max_calls=1, by=None, clock=clock)

    @app.task(max_attempts=1)
    async def ask() -> None:
        raise AWAY

    @app.task
    async def other() -> str:
        return "passed"

    async with working(app, middleware=[breaker], poll=3_600):
        await ask.push()
        await eventually(lambda: breaker.state() is State.OPEN)
        held = [await other.push() for _ in range(3)]
        assert breaker.room() == 0
        assert {(await handle.fetch()).status for handle in held} == {Status.PENDING}
        clock.advance(60)
        for handle in held:
            assert await handle.result(timeout=PATIENCE) == "passed"
    assert breaker.room() is None


async def test_runs_that_began_before_it_opened_have_no_say_when_it_is_half_open() -> None:
    clock = HandWoundClock()
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60, half_open_max_calls=2, success_threshold=1, clock=clock, by=None)
    app = App("memory://", middleware=[breaker])
    leave = asyncio.Event()

    @app.task
    async def old() -> None:
        await leave.wait()
        raise AWAY

    @app.task
    async def fail() -> None:
        raise AWAY

    slow = asyncio.ensure_future(run_inline(old))
    await asyncio.sleep(0)
    with pytest.raises(ConnectionError):
        await run_inline(fail)
    clock.advance(60)
    assert breaker.state() is State.HALF_OPEN
    leave.set()
    with pytest.raises(ConnectionError):
        await slow
    assert (breaker.state(), breaker.room()) == (State.HALF_OPEN, 2)


async def test_a_try_that_finds_it_open_fails_its_attempt(app: App) -> None:
    breaker = CircuitBreaker(failure_threshold=2, recovery_timeout=3_600)
    runs: list[int] = []

    @app.task(retry=AT_ONCE)
    async def ask() -> None:
        runs.append(1)
        raise AWAY

    handle = await ask.push()
    async with working(app, middleware=[Retries(5, retry=AT_ONCE), breaker]):
        await eventually(lambda: failed(handle))
    task = await handle.fetch()
    assert len(runs) == 2
    assert str(task.error) == "RetryAfterError: The circuit of ask is open."
    assert (task.run_at - task.created_at).total_seconds() > 3_000


async def failed(handle: Any) -> bool:
    return (await handle.fetch()).status is Status.FAILED


@pytest.mark.parametrize("inner", [True, False], ids=["our limit", "the task's limit"])
async def test_being_out_of_time_is_a_failure(app: App, inner: bool) -> None:
    breaker = CircuitBreaker(failure_threshold=1)

    @app.task(max_attempts=1, timeout=None if inner else 0.05)
    async def ask() -> None:
        await asyncio.sleep(3_600)

    async def through(call: Call, next: Next) -> Any:
        return await next(call)

    await ask.push()
    async with working(app, middleware=[breaker, Timeout(0.05) if inner else through]):
        await eventually(lambda: breaker.state("ask") is State.OPEN)


async def test_a_run_that_is_killed_gives_its_turn_back(app: App) -> None:
    clock, started = HandWoundClock(), asyncio.Event()
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60, half_open_max_calls=1, clock=clock)

    @app.task(max_attempts=1)
    async def ask(fails: bool) -> None:
        if fails:
            raise AWAY
        started.set()
        await asyncio.sleep(3_600)

    await ask.push(True)
    async with working(app, middleware=[breaker], poll=0.02):
        await eventually(lambda: breaker.state("ask") is State.OPEN)
        clock.advance(60)
        handle = await ask.push(False)
        await asyncio.wait_for(started.wait(), PATIENCE)
        assert breaker.closed_names()
        await handle.kill()
        await eventually(lambda: not breaker.closed_names())
    assert breaker.state("ask") is State.HALF_OPEN


async def test_all_workers_are_told_when_those_that_tried_it_have_decided(memory_app: App) -> None:
    service, told = Service(memory_app, half_open_max_calls=1), list[State]()
    await service.asked(AWAY, AWAY)
    service.clock.advance(60)
    service.breaker.on_change(lambda: told.append(service.state()))
    await service.asked(None)
    assert told == [State.CLOSED]


async def test_circuits_that_nobody_uses_are_forgotten(memory_app: App) -> None:
    service = Service(memory_app, by=lambda call: call.context.task_id)
    await service.asked(None, None, AbortError("never"), None)
    assert not service.breaker._circuits


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"failure_threshold": 0}, "failure_threshold must be a whole number from 1, got 0."),
        ({"half_open_max_calls": 1.5}, "half_open_max_calls must be a whole number from 1, got 1.5."),
        ({"recovery_timeout": 0}, "recovery_timeout must be a number of seconds above zero"),
        ({"success_threshold": 0}, "success_threshold must be a share of the calls, above 0 and at most 1, got 0."),
        ({"success_threshold": 2}, "success_threshold must be a share of the calls, above 0 and at most 1, got 2."),
        ({"by": "worker"}, "by must be"),
        ({"when": 3}, "when must be an exception type"),
        ({"when": an_async_one}, "when must be a plain function, got the async an_async_one, which nobody awaits."),
        ({"by": an_async_one}, "by must be a plain function, got the async an_async_one, which nobody awaits."),
    ],
)
def test_wrong_settings_get_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        CircuitBreaker(**settings)
    assert sentence in str(refused.value)
