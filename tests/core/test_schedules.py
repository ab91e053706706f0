"""Schedules of an app: declared, stored by its workers, pushed by any of them, and seen by handlers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from queue_core import INJECTED, App, Cron, Every, HandWoundClock, InvalidValue, Retry, Status, StoreUnavailable, Tick
from queue_core.events import Event, Start
from queue_core.expose import Actor
from queue_core.testing import drain, run_inline
from tests.core.steps import becomes, eventually, working

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEN: Final = timedelta(minutes=10)


@pytest.fixture
def clock() -> HandWoundClock:
    """The time of the stores; it moves only when a test moves it."""
    return HandWoundClock(NOON)


@pytest.fixture
async def wound(url: str, clock: HandWoundClock) -> AsyncIterator[App]:
    """An app on each kind of store, in the time of a clock that is wound by hand."""
    async with App(url, clock=clock) as app:
        yield app


def reporting(app: App) -> Any:
    """A task that gives its tick."""

    @app.task(queue="reports")
    async def report(kind: str, tick: Tick | None = INJECTED) -> str:
        return f"{kind} {tick.schedule} {tick.at:%H:%M}" if tick else f"{kind} by hand"

    return report


async def results(app: App) -> list[Any]:
    return [app.codec.decode(task.result or b"null") for task in await drain(app)]


async def test_two_programs_that_declare_one_schedule_differently_are_told(
    wound: App, clock: HandWoundClock, caplog: pytest.LogCaptureFixture
) -> None:
    def rivals() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "prinia.schedules"]

    wound.schedule(Every(minutes=10), reporting(wound), arguments={"kind": "daily"})
    [schedule] = wound.schedules.values()
    other = replace(schedule, when=Every(minutes=20))
    for declared in (schedule, schedule, other):
        clock.advance(5)
        await wound.backend.declare_schedules([declared])
    told = "The schedule report was declared otherwise 10 s ago, and the last declaration counts. If two programs declare it, rename one of theirs."
    assert rivals() == [told]
    clock.advance(60)
    await wound.backend.declare_schedules([schedule])
    assert rivals() == [told], "what changes later is a new version of the program"


# --- ticks become tasks ------------------------------------------------------------------------------------------


async def test_drain_runs_what_schedules_have_due(wound: App, clock: HandWoundClock) -> None:
    wound.schedule(Every(minutes=10), reporting(wound), arguments={"kind": "daily"})
    assert await drain(wound) == []
    clock.advance(600)
    assert await results(wound) == ["daily report 12:10"]
    assert await drain(wound) == []
    clock.advance(600)
    assert await results(wound) == ["daily report 12:20"]


@pytest.mark.parametrize(("missed", "ran"), [("latest", ["13:00"]), ("all", ["12:10", "12:20", "12:30", "12:40", "12:50", "13:00"]), ("skip", [])])
async def test_ticks_that_came_while_no_worker_lived_are_treated_as_asked(wound: App, clock: HandWoundClock, missed: Any, ran: list[str]) -> None:
    wound.schedule(Every(minutes=10), reporting(wound), arguments={"kind": "a"}, missed=missed)
    await drain(wound)
    clock.advance(3_630)
    assert sorted(await results(wound)) == [f"a report {tick}" for tick in ran]


async def test_a_living_worker_pushes_at_the_tick_and_is_woken_by_the_clock(wound: App, clock: HandWoundClock) -> None:
    wound.schedule("*/10 * * * *", reporting(wound), name="often", arguments={"kind": "a"})
    async with working(wound):
        for number in range(1, 4):
            clock.advance(600)
            await eventually(lambda number=number: _done(wound, number), what=f"tick {number}")  # type: ignore[misc]
    [found] = await wound.expose.list_schedules()
    assert (found.last_tick, found.next_ticks[0]) == (NOON + 3 * TEN, NOON + 4 * TEN)


async def _done(app: App, number: int) -> bool:
    return sum(counts.done for counts in (await app.expose.counts()).values()) == number


async def test_ten_workers_push_one_task_for_each_tick(wound: App, url: str, clock: HandWoundClock) -> None:
    wound.schedule(Every(minutes=10), reporting(wound), arguments={"kind": "a"})
    workers = [wound.worker(f"worker {number}") for number in range(10)]
    running = [asyncio.ensure_future(worker.run()) for worker in workers]
    await asyncio.gather(*(worker.ready() for worker in workers))
    for number in range(1, 6):
        clock.advance(600)
        await eventually(lambda number=number: _done(wound, number), what=f"tick {number}")  # type: ignore[misc]
    for worker in workers:
        worker.stop()
    await asyncio.gather(*running)
    detail = await wound.expose.fetch_schedule("report")
    assert detail is not None
    assert [tick.at for tick in detail.ticks] == [NOON + number * TEN for number in range(5, 0, -1)]
    [counts] = (await wound.expose.counts()).values()
    assert counts.total == 5


async def test_a_worker_that_knows_nothing_of_the_app_pushes_its_ticks(wound: App, url: str, clock: HandWoundClock) -> None:
    wound.schedule(Every(minutes=10), reporting(wound), arguments={"kind": "a"})
    await drain(wound)
    async with App(url, clock=clock) as stranger:

        @stranger.task(queue="elsewhere")
        async def other() -> None: ...

        async with working(stranger):
            clock.advance(600)
            await eventually(lambda: _pending(stranger), what="the tick")
    assert await results(wound) == ["a report 12:10"]


async def _pending(app: App) -> bool:
    return (await app.expose.counts())["reports"].pending == 1  # type: ignore[index]  # the name of a queue


@pytest.mark.parametrize("broken", [1, 250])
async def test_schedules_that_cannot_be_read_here_keep_no_other(
    wound: App, clock: HandWoundClock, caplog: pytest.LogCaptureFixture, broken: int
) -> None:
    report = reporting(wound)
    for number in range(broken):
        wound.schedule(Cron("*/10 * * * *", "Europe/Berlin"), report, name=f"a broken one {number}", arguments={"kind": "a"})
    wound.schedule(Every(minutes=10), report, name="then a good one", arguments={"kind": "b"})
    await drain(wound)
    clock.advance(600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("queue_core.schedule.cron._zone", _no_zone)
        async with wound.running():
            await eventually(lambda: _done_at_least(wound, 1), what="the tick of the good one")
            clock.advance(600)
            await eventually(lambda: _done_at_least(wound, 2), what="its next tick")
        shown = await wound.expose.fetch_schedule("a broken one 0")
    assert caplog.text.count("Mars has no clocks") == broken, "once for each, though they are looked at with every tick"
    assert shown is not None
    assert (shown.english, shown.next_ticks) == ("Mars has no clocks.", (NOON + TEN,))


def _no_zone(name: object) -> Any:
    raise InvalidValue("Mars has no clocks.")


async def test_a_schedule_whose_task_the_store_refuses_keeps_no_other(
    wound: App, clock: HandWoundClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = reporting(wound)
    wound.schedule(Every(minutes=10), report, name="a refused one", arguments={"kind": "a"})
    wound.schedule(Every(minutes=10), report, name="then a good one", arguments={"kind": "b"})
    await drain(wound)
    fire = wound.backend.fire

    async def refusing(due: Any, *args: Any) -> bool:
        if due.entry.name == "a refused one":
            raise RuntimeError("The store does not want it.")
        return await fire(due, *args)

    monkeypatch.setattr(wound.backend, "fire", refusing)
    clock.advance(600)
    assert await results(wound) == ["b then a good one 12:10"]
    assert "The schedule a refused one is due, and this worker cannot push its task: The store does not want it." in caplog.text


async def test_drain_runs_the_tasks_of_however_many_schedules_are_due(wound: App, clock: HandWoundClock) -> None:
    report = reporting(wound)
    for number in range(250):
        wound.schedule(Every(minutes=10), report, name=f"number {number}", arguments={"kind": "a"})
    await drain(wound)
    clock.advance(600)
    assert len(await drain(wound)) == 250


async def test_a_worker_stores_however_many_schedules_in_calls_of_bounded_size(wound: App, monkeypatch: pytest.MonkeyPatch) -> None:
    report = reporting(wound)
    for number in range(250):
        wound.schedule(Every(minutes=10), report, name=f"number {number}", arguments={"kind": "a"})
    sizes: list[int] = []
    declare = wound.backend.declare_schedules

    async def counting(schedules: Any) -> None:
        sizes.append(len(schedules))
        await declare(schedules)

    monkeypatch.setattr(wound.backend, "declare_schedules", counting)
    async with wound.running():
        assert len(await wound.expose.list_schedules()) == 250
    assert max(sizes) <= 100


async def test_a_worker_that_registers_anew_does_not_bring_back_an_older_declaration(wound: App, url: str, clock: HandWoundClock) -> None:
    wound.schedule(Every(minutes=10), reporting(wound), name="changing", arguments={"kind": "old"})
    async with wound.running(lease_ttl=60, heartbeat_every=0.01) as old, App(url, clock=clock) as newer:
        newer.schedule(Every(minutes=20), reporting(newer), name="changing", arguments={"kind": "new"})
        async with newer.running():
            begun: list[Event] = []
            old.listen(lambda event: begun.append(event) if isinstance(event, Start) else None)

            async def is_lost_and_back() -> bool:
                clock.advance(61)
                await newer.backend.rescue()
                return bool(begun)

            await eventually(is_lost_and_back, what="the second life of the old worker")
            shown = await newer.expose.fetch_schedule("changing")
    assert shown is not None
    assert (shown.english, shown.args) == ("Every 20 minutes", b'{"kind":"new"}')


async def test_schedules_survive_an_outage_of_the_store(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    app.schedule(Every(seconds=1), reporting(app), arguments={"kind": "a"})
    calls = 0
    due = app.backend.due_schedules

    async def failing(*, limit: int = 100) -> Any:
        nonlocal calls
        calls += 1
        if calls in {1, 3, 4}:
            raise StoreUnavailable("The store is away.")
        return await due(limit=limit)

    monkeypatch.setattr(app.backend, "due_schedules", failing)
    async with working(app):
        await eventually(lambda: _done_at_least(app, 1), what="a tick after the outage")
    assert calls > 4


async def _done_at_least(app: App, number: int) -> bool:
    return sum(counts.done for counts in (await app.expose.counts()).values()) >= number


async def test_a_new_schedule_of_another_worker_is_noticed_at_once(wound: App, url: str, clock: HandWoundClock) -> None:
    report = reporting(wound)
    async with working(wound):
        wound.schedule(Every(minutes=10), report, arguments={"kind": "a"})
        await wound.backend.declare_schedules(list(wound.schedules.values()))
        clock.advance(600)
        await eventually(lambda: _done(wound, 1), what="the tick")


# --- what handlers see -------------------------------------------------------------------------------------------


async def test_a_retry_sees_the_tick_of_its_first_attempt(wound: App, clock: HandWoundClock) -> None:
    seen: list[Tick] = []

    @wound.task(retry=Retry(backoff="constant", min=60, max=60, jitter=0))
    async def fragile(tick: Tick = INJECTED) -> None:
        seen.append(tick)
        if len(seen) == 1:
            raise ValueError

    wound.schedule(Every(minutes=10), fragile)
    await drain(wound)
    clock.advance(600)
    await drain(wound)
    clock.advance(60)
    await drain(wound)
    assert seen == [Tick(NOON + TEN, "fragile")] * 2


async def test_a_task_pushed_by_hand_has_no_tick(app: App) -> None:
    report = reporting(app)

    @app.task
    async def strict(tick: Tick = INJECTED) -> None: ...

    hand, wrong = await report.push(kind="a"), await strict.push()
    async with working(app):
        assert await hand.result(timeout=10) == "a by hand"
        killed = await becomes(wrong, Status.KILLED)
    assert killed.attempts == 1
    assert killed.error is not None
    assert "strict asks for a Tick, and no schedule pushed this task" in killed.error
    assert await run_inline(report, kind="b") == "b by hand"


async def test_a_run_by_hand_has_the_tick_of_that_moment(wound: App, clock: HandWoundClock) -> None:
    wound.schedule(Every(minutes=10), reporting(wound), arguments={"kind": "a"})
    await drain(wound)
    clock.advance(61)
    await wound.expose.run_schedule("report", actor=Actor(name="olga"))
    assert await results(wound) == ["a report 12:01"]


# --- declaring ---------------------------------------------------------------------------------------------------


def test_the_options_of_a_push_go_to_every_task(memory_app: App) -> None:
    report = reporting(memory_app)
    made = memory_app.schedule(Every(days=1), report, name="x", arguments={"kind": "a"}, priority=3, tags=["t"], queue="q", timeout=5, run_after=2)
    task = made.task
    assert (task.priority, task.tags, task.queue, task.timeout, task.run_after, made.name) == (3, ("t",), "q", 5, 2, "x")
    assert memory_app.schedules == {"x": made}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda app, task: app.schedule("61 * * * *", task, arguments={"kind": "a"}), "the minute must be"),
        (lambda app, task: app.schedule(600, task, arguments={"kind": "a"}), "needs a Cron, an Every or the text"),
        (lambda app, task: app.schedule(Every(days=1), task), "needs the argument kind"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": 5}), "kind must be str"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": "a", "tick": None}), "gets tick from its worker"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": "a"}, missed="some"), "missed must be one of latest, all, skip"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": "a"}, key="k"), "cannot set key"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": "a"}, id="i"), "cannot set id"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": "a"}, run_at=NOON), "cannot set run_at"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": "a"}, expires_at=NOON), "cannot set expires_at"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": "a"}, colour="red"), "has no option colour"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": "a"}, metadata={"tick": 1}), "sets 'tick' in its tasks' metadata"),
        (lambda app, task: app.schedule(Every(days=1), task, arguments={"kind": "a"}, metadata={"x": object()}), "Only values that JSON can hold"),
        (lambda app, task: app.schedule(Every(days=1), task, name=" ", arguments={"kind": "a"}), "schedule name must not be blank"),
        (lambda app, task: app.schedule(Every(days=1), task.function), "needs a task of its own app"),
        (lambda app, task: App("memory://").schedule(Every(days=1), task, arguments={"kind": "a"}), "needs a task of its own app"),
    ],
)
def test_a_wrong_schedule_is_refused_when_it_is_made(memory_app: App, wrong: Callable[[App, Any], Any], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        wrong(memory_app, reporting(memory_app))
    assert memory_app.schedules == {}


def test_two_schedules_of_an_app_cannot_share_a_name(memory_app: App) -> None:
    report = reporting(memory_app)
    memory_app.schedule("@daily", report, arguments={"kind": "a"})
    with pytest.raises(InvalidValue, match=r"The schedule name 'report' is taken\. Pass name="):
        memory_app.schedule("@hourly", report, arguments={"kind": "b"})
