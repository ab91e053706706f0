"""RateLimit: how many runs start in a span of time."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from queue_core import App, HandWoundClock, InvalidValue, Retry, Status
from queue_core.middleware import RateLimit, Retries
from queue_core.middleware.sharing import Alarm
from tests.core.steps import PATIENCE, eventually, working


async def test_no_more_start_than_the_rate_says_and_the_rest_stays_in_the_store(app: App) -> None:
    clock, runs = HandWoundClock(), list[int]()

    @app.task
    async def work(n: int) -> None:
        runs.append(n)

    handles = await work.push_many({"n": n} for n in range(8))
    async with working(app, middleware=[RateLimit(3, per=60, clock=clock)], poll=3_600):
        for expected in (3, 6, 8):
            await eventually(lambda count=expected: len(runs) == count)  # type: ignore[misc]
            for handle in handles[:expected]:
                await handle.result(timeout=PATIENCE)
            assert all([(await handle.fetch()).status is Status.PENDING for handle in handles[expected:]])
            clock.advance(59)
            assert len(runs) == expected
            clock.advance(1)
    assert runs == list(range(8)), "the order of the queue is kept"


async def test_the_worker_is_woken_when_more_may_start(app: App) -> None:
    @app.task
    async def work() -> None: ...

    handles = await work.push_many({} for _ in range(5))
    async with working(app, middleware=[RateLimit(2, per=0.05)], poll=3_600):
        for handle in handles:
            await handle.result(timeout=PATIENCE)


async def test_any_span_counts_and_not_a_window_of_the_clock() -> None:
    clock = HandWoundClock()
    limit = RateLimit(2, per=10, clock=clock)
    rooms = []
    for pause in (0, 9, 1, 8.9, 0.1):
        clock.advance(pause)
        rooms.append(limit.room())
        if limit.room():
            limit._start(None)
    assert rooms == [2, 1, 1, 0, 1]


async def test_each_name_may_have_its_rate(app: App) -> None:
    clock, runs = HandWoundClock(), list[str]()

    @app.task
    async def often() -> None:
        runs.append("often")

    @app.task
    async def seldom() -> None:
        runs.append("seldom")

    await often.push_many({} for _ in range(3))
    async with working(app, middleware=[RateLimit(1, per=60, by="name", clock=clock)], poll=0.02):
        await eventually(lambda: runs == ["often"])
        await (await seldom.push()).result(timeout=PATIENCE)
    assert runs == ["often", "seldom"]


async def test_what_was_claimed_too_early_goes_back_until_it_may_start_and_no_attempt_is_used(app: App) -> None:
    clock, runs = HandWoundClock(), list[str]()

    @app.task
    async def greet(name: str) -> None:
        runs.append(name)

    handles = await greet.push_many({"name": name} for name in ("Ada", "Ada", "Bo"))
    by_person = RateLimit(1, per=3_600, by=lambda call: call.arguments["name"], clock=clock)
    async with working(app, middleware=[by_person]):
        for handle in (handles[0], handles[2]):
            await handle.result(timeout=PATIENCE)
        await eventually(lambda: waits(handles[1]))
    assert sorted(runs) == ["Ada", "Bo"]


async def waits(handle: Any) -> bool:
    task = await handle.fetch()
    return bool(task.status is Status.PENDING and task.attempts == 0 and (task.run_at - task.created_at).total_seconds() > 3_000)


async def test_a_try_counts_and_waits_for_its_turn_and_does_not_go_back(app: App) -> None:
    starts: list[float] = []

    @app.task(max_attempts=1)
    async def flaky() -> str:
        starts.append(asyncio.get_running_loop().time())
        if len(starts) < 3:
            raise ConnectionError("away")
        return "there"

    handle = await flaky.push()
    async with working(app, middleware=[Retries(2, retry=Retry(min=0, max=0)), RateLimit(1, per=0.05)]):
        assert await handle.result(timeout=PATIENCE) == "there"
    assert all(later - earlier >= 0.045 for earlier, later in pairwise(starts))
    assert (await handle.fetch()).attempts == 1


async def test_keys_that_are_not_used_any_more_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_core.middleware.rate_limit.TIDY_AT", 10)
    clock = HandWoundClock()
    limit = RateLimit(1, per=1, by=lambda call: call.arguments["n"], clock=clock)
    for n in range(100):
        clock.advance(0.5)
        assert limit._start(n) == 0
    assert len(limit._starts) <= 11


async def test_an_earlier_alarm_is_not_kept_waiting_by_a_later_one() -> None:
    rung: list[None] = []
    alarm = Alarm(None, lambda: rung.append(None))
    alarm.ring_in(3_600)
    alarm.ring_in(0.001)
    await eventually(lambda: len(rung) == 1)
    alarm.ring_in(0.001)
    await eventually(lambda: len(rung) == 2)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"most": 0, "per": 1}, "most must be a whole number from 1, got 0."),
        ({"most": 1, "per": 0}, "per must be a number of seconds above zero"),
        ({"most": 1, "per": 1, "by": 3}, "by must be"),
    ],
)
def test_wrong_settings_get_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        RateLimit(**settings)
    assert sentence in str(refused.value)
