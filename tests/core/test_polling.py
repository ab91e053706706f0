"""Polling strategies: when a worker looks though nothing woke it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from queue_core import App, InvalidValue, Status
from queue_core.events import Event, Start
from queue_core.expose import Actor
from queue_core.polling import Backoff, Interval, OnStream, Poll, PollContext, Strategy, When
from queue_core.worker import poller
from tests.core.steps import PATIENCE, becomes, eventually, working

FAR = 3_600.0


class Ticks:
    """A source of moments that tests make."""

    def __init__(self) -> None:
        self.readers: list[asyncio.Queue[None]] = []
        self.closed = 0

    def __call__(self) -> AsyncIterator[None]:
        queue: asyncio.Queue[None] = asyncio.Queue()
        self.readers.append(queue)
        return self._read(queue)

    async def _read(self, queue: "asyncio.Queue[None]") -> AsyncIterator[None]:
        try:
            while True:
                await queue.get()
                yield
        finally:
            self.closed += 1

    def tick(self) -> None:
        for reader in self.readers:
            reader.put_nowait(None)


@dataclass(frozen=True)
class Recorded:
    """Fires as ``strategy`` does, and keeps what it could know each time."""

    strategy: Strategy
    seen: list[int]

    async def moments(self, context: PollContext) -> AsyncIterator[None]:
        async for _ in self.strategy.moments(context):
            yield
            self.seen.append(context.claimed)


def counted(app: App) -> tuple[Any, list[int]]:
    ran: list[int] = []

    @app.task
    async def work(n: int = 0) -> int:
        ran.append(n)
        return n

    return work, ran


def purely(poll: Poll) -> dict[str, Any]:
    return {"poll": poll, "wakeups": False}


@pytest.mark.parametrize("poll", [0.02, Interval(0.02), Backoff(min=0.02), [FAR, Interval(0.02)]], ids=str)
async def test_a_worker_that_only_polls_finds_what_was_pushed(stored_app: App, poll: Poll) -> None:
    work, _ = counted(stored_app)
    async with working(stored_app, **purely(poll)):
        for n in range(3):
            assert await (await work.push(n)).result(timeout=PATIENCE) == n
        assert await (await work.using(run_after=0.05).push(7)).result(timeout=PATIENCE) == 7


async def test_a_worker_without_wakeups_looks_only_when_a_strategy_says_so(stored_app: App) -> None:
    ticks = Ticks()
    seen: list[int] = []
    work, ran = counted(stored_app)
    async with working(stored_app, **purely(Recorded(OnStream(ticks), seen))):
        await eventually(lambda: bool(ticks.readers))
        ticks.tick()
        await eventually(lambda: seen == [0])
        handles = [await work.push(n) for n in range(2)]
        assert await (await work.using(run_after=0.01).push(2)).fetch()
        for _ in range(3):  # what would make a woken worker look
            await stored_app.expose.list_workers()
        assert ran == []
        ticks.tick()
        for handle in handles:
            await handle.result(timeout=PATIENCE)


async def test_wakeups_and_the_timer_race_with_every_strategy(stored_app: App) -> None:
    work, _ = counted(stored_app)
    async with working(stored_app, poll=[OnStream(Ticks()), When(lambda _: asyncio.Event().wait()), Backoff(min=FAR, max=FAR), FAR]):
        await (await work.push(1)).result(timeout=PATIENCE)
        await (await work.using(run_after=0.1).push(2)).result(timeout=PATIENCE)


async def test_the_first_of_several_that_fires_counts_and_the_others_go_on(stored_app: App) -> None:
    one, other = Ticks(), Ticks()
    work, _ = counted(stored_app)
    async with working(stored_app, **purely([OnStream(one), OnStream(other), FAR])):
        await eventually(lambda: bool(one.readers and other.readers))
        for source in (one, other, one, other, other):
            handle = await work.push()
            source.tick()
            await handle.result(timeout=PATIENCE)
    assert (one.closed, other.closed) == (1, 1)
    assert len(one.readers) == len(other.readers) == 1


async def test_what_a_factory_gives_is_awaited_again_and_again(app: App) -> None:
    gates: list[asyncio.Event] = []
    contexts: list[PollContext] = []

    def next_gate(context: PollContext) -> Awaitable[Any]:
        contexts.append(context)
        gates.append(asyncio.Event())
        return gates[-1].wait()

    work, _ = counted(app)
    async with working(app, name="w", **purely(When(next_gate))):
        await eventually(lambda: len(gates) == 1)
        for n in (1, 2, 3):
            handle = await work.push()
            gates[-1].set()
            await handle.result(timeout=PATIENCE)
            await eventually(lambda n=n: len(gates) == n + 1)  # type: ignore[misc]
        gates[-1].set()
        await eventually(lambda: len(gates) == 5)
        assert {context.worker for context in contexts} == {"w"}
        assert contexts[-1].claimed == 0
        assert contexts[-1].quiet_for >= 0


# --- configurations hold no state -------------------------------------------------------------------------


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture(params=["interval", "backoff", "stream", "when", "raced"])
def shared(request: pytest.FixtureRequest, ticks: Ticks) -> tuple[Strategy, ...]:
    """Strategies of every kind, all quick."""
    kinds: dict[str, tuple[Strategy, ...]] = {
        "interval": (Interval(0.02),),
        "backoff": (Backoff(min=0.02, max=0.1),),
        "stream": (OnStream(ticks),),
        "when": (When(lambda _: asyncio.sleep(0.02)),),
        "raced": (Interval(FAR), Backoff(min=0.02, max=0.1), OnStream(ticks), When(lambda _: asyncio.sleep(0.02))),
    }
    return kinds[request.param]


async def test_two_workers_share_one_configuration(app: App, shared: tuple[Strategy, ...], ticks: Ticks) -> None:
    gate = asyncio.Event()

    @app.task
    async def work() -> None:
        await gate.wait()

    async with working(app, concurrency=1, **purely(shared)), working(app, concurrency=1, **purely(shared)):
        for _ in range(3):  # of one worker that does not poll, the second round at the latest would find nobody
            gate.clear()
            handles = [await work.push() for _ in range(2)]
            for handle in handles:
                await eventually(lambda handle=handle: _running(handle, ticks))  # type: ignore[misc]
            gate.set()
            for handle in handles:
                await handle.result(timeout=PATIENCE)


async def _running(handle: Any, ticks: Ticks) -> bool:
    ticks.tick()
    return bool((await handle.fetch()).status is Status.RUNNING)


async def test_a_life_after_a_lost_lease_polls_as_the_first_did(app: App, shared: tuple[Strategy, ...], ticks: Ticks) -> None:
    starts: list[Event] = []
    work, ran = counted(app)
    options = {"lease_ttl": 0.4, "heartbeat_every": 0.05, **purely(shared)}
    async with working(app, on_event=lambda event: starts.append(event) if isinstance(event, Start) else None, **options):
        (info,) = await app.expose.list_workers()
        await app.backend.deregister(info.boot)
        await eventually(lambda: len(starts) == 2)
        for n in (1, 2):
            await work.push(n)

            def has_run(n: int = n) -> bool:
                ticks.tick()
                return n in ran

            await eventually(has_run)


async def test_the_iterator_of_a_life_is_closed_with_it(app: App, ticks: Ticks) -> None:
    counted(app)
    for lives in (1, 2):
        async with working(app, **purely(OnStream(ticks))):
            await eventually(lambda lives=lives: len(ticks.readers) == lives)  # type: ignore[misc]
        assert ticks.closed == lives


# --- backoff ------------------------------------------------------------------------------------------------


class Pauses:
    """A context for a strategy alone: records the pauses that it asks for."""

    def __init__(self, found: Iterator[int], interrupted: Iterator[bool] = itertools.repeat(False)) -> None:  # noqa: B008 - it holds nothing
        self.worker = "w"
        self.claimed = 0
        self.quiet_for = 0.0
        self.pauses: list[float] = []
        self._found, self._interrupted = found, interrupted

    async def work(self, timeout: float) -> bool:
        self.pauses.append(timeout)
        self.claimed = next(self._found)
        return next(self._interrupted)


async def pauses_of(strategy: Strategy, context: Pauses, count: int) -> list[float]:
    async for _ in strategy.moments(context):
        if len(context.pauses) >= count:
            break
    return context.pauses[:count]


async def test_a_backoff_grows_to_its_maximum_and_work_resets_it() -> None:
    quiet = Backoff(min=1, max=10, multiplier=3, jitter=0)
    assert await pauses_of(quiet, Pauses(iter([0, 0, 0, 0, 0])), 5) == [1, 3, 9, 10, 10]
    assert await pauses_of(quiet, Pauses(iter([0, 0, 5, 0, 0])), 5) == [1, 3, 9, 1, 3]


async def test_work_that_another_strategy_found_resets_a_backoff_at_once() -> None:
    context = Pauses(iter([0, 0, 7, 0, 0]), iter([False, False, True, False, False]))
    assert await pauses_of(Backoff(min=1, max=60, jitter=0), context, 5) == [1, 2, 4, 1, 2]


async def test_the_pauses_of_a_backoff_are_spread_by_its_jitter() -> None:
    pauses = await pauses_of(Backoff(min=1, max=1, jitter=0.5), Pauses(itertools.repeat(0)), 200)
    assert all(0.5 <= pause <= 1.5 for pause in pauses)
    assert len(set(pauses)) > 100


async def test_a_worker_tells_its_backoff_of_work(app: App) -> None:
    asked: list[float] = []

    class Spy(Backoff):
        async def moments(self, context: PollContext) -> AsyncIterator[None]:
            real = context.work

            async def work(timeout: float) -> bool:
                asked.append(timeout)
                return await real(timeout)

            context.work = work  # type: ignore[method-assign]
            async for _ in super().moments(context):
                yield

    work, _ = counted(app)
    async with working(app, poll=Spy(min=0.01, max=FAR, multiplier=10_000, jitter=0)):
        await eventually(lambda: len(asked) == 2)
        assert asked[1] == 100
        before = len(asked)
        await (await work.push()).result(timeout=PATIENCE)  # a wake-up finds it, while the backoff sleeps
        await eventually(lambda: len(asked) > before)
        assert asked[before] == 0.01


# --- trouble ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """Fails, after it fired ``good`` times."""

    error: BaseException
    good: int = 0

    async def moments(self, context: PollContext) -> AsyncIterator[None]:
        for _ in range(self.good):
            yield
        raise self.error


@dataclass(frozen=True)
class NoIterator:
    def moments(self, context: PollContext) -> Any:
        return None


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("I say nothing.")


async def _ending() -> AsyncIterator[None]:
    yield None


@pytest.mark.parametrize(
    "strategy",
    [
        Broken(ValueError("bad poll")),
        Broken(Wordless()),
        Broken(SystemExit(3), good=2),
        Broken(asyncio.CancelledError()),
        NoIterator(),
        OnStream(_ending),
        OnStream(5),  # type: ignore[arg-type]
    ],
    ids=["error", "wordless", "exit", "cancelled", "no iterator", "ended", "no function"],
)
async def test_a_strategy_that_fails_is_logged_and_replaced(
    app: App, strategy: Strategy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("queue_core.worker.poller.FALLBACK", Interval(0.02))
    work, _ = counted(app)
    async with working(app, name="w", **purely(strategy)) as worker:
        await eventually(lambda: "it is replaced by Interval(every=0.02)" in caplog.text)
        await (await work.push()).result(timeout=PATIENCE)
        assert worker.phase == "running"
    assert "The polling strategy" in caplog.text
    assert "of worker w" in caplog.text


async def test_a_strategy_that_never_waits_is_slowed_down_and_still_finds_work(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(poller, "HASTE", FAR)
    monkeypatch.setattr(poller, "REST", rest := 3.5)
    rested = 0
    sleep = asyncio.sleep

    async def counting(seconds: float) -> None:
        nonlocal rested
        rested += seconds == rest
        await sleep(0 if seconds == rest else seconds)

    monkeypatch.setattr(asyncio, "sleep", counting)
    bell = asyncio.Event()
    bell.set()  # and nobody clears it
    work, _ = counted(app)
    async with working(app, name="w", **purely(When(lambda context: bell.wait()))):
        await eventually(lambda: rested > 10)
        await (await work.push()).result(timeout=PATIENCE)
    assert caplog.text.count("of worker w asks for one look after the other, which bring nothing; it is slowed down.") == 1


async def test_a_strategy_that_does_not_end_holds_up_no_shutdown(app: App, caplog: pytest.LogCaptureFixture) -> None:
    let_go = asyncio.Event()

    async def stubborn() -> AsyncIterator[None]:
        while not let_go.is_set():
            try:
                await asyncio.wait_for(let_go.wait(), FAR)
            except asyncio.CancelledError:
                continue
        yield

    counted(app)
    async with working(app, poll=OnStream(stubborn), stop_grace=0.05):
        pass
    assert "did not end within 0.05 s" in caplog.text
    let_go.set()


async def test_a_running_task_is_killed_though_the_worker_only_polls(stored_app: App) -> None:
    started = asyncio.Event()

    @stored_app.task
    async def endless() -> None:
        started.set()
        await asyncio.sleep(FAR)

    handle = await endless.push()
    async with working(stored_app, heartbeat_every=0.05, **purely(FAR)):
        await asyncio.wait_for(started.wait(), PATIENCE)
        await handle.kill(actor=Actor(name="olga"))
        await becomes(handle, Status.KILLED)


def test_a_poll_that_is_none_gets_a_sentence(memory_app: App) -> None:
    counted(memory_app)
    wrong: dict[str, Any] = {
        "poll must be more than 0 seconds": 0,
        "poll must be a number of seconds, zero or more, got -1": -1,
        "poll names no strategy": [],
        "got 'often'": "often",
        "got True": True,
        "got <class 'queue_core.polling.Backoff'>": Backoff,
        "got None": [Interval(1), None],
    }
    for sentence, poll in wrong.items():
        with pytest.raises(InvalidValue, match=sentence):
            memory_app.worker(poll=poll)
    for sentence, settings in {
        "min must be more than 0": {"min": 0},
        "max must not be less than min, got min=5 and max=1": {"min": 5, "max": 1},
        "multiplier must be 1 or more, got 0.5": {"multiplier": 0.5},
        "jitter must be between 0 and 1, got 2": {"jitter": 2},
    }.items():
        with pytest.raises(InvalidValue, match=sentence):
            Backoff(**settings)  # type: ignore[arg-type]
