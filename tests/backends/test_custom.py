"""A store of functions: what they are asked, what they are told, and what happens when they fail. The conformance suite runs on it too."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from board import Board
from queue_core import (
    App,
    Every,
    HandWoundClock,
    InvalidValue,
    NewTask,
    PriniaError,
    Schedule,
    Status,
    StoreUnavailable,
    Task,
    register_backend,
    schemes,
)
from queue_core.backends.custom import Ledger, custom_backend
from queue_core.conformance.helpers import (
    ME,
    check_books,
    claim,
    counts_of,
    failed,
    fetch,
    finish,
    new_task,
    push_one,
    registered,
    running,
    status_of,
    take,
)
from queue_core.expose import Connected, Span
from queue_core.ids import QueueName
from queue_core.task import DEFAULT_QUEUE
from tests.board.helpers import client_of
from tests.core.steps import becomes, eventually, working


class Place:
    """Where tasks wait, outlasting the process that pushed them. It keeps what it handed out until it is told."""

    def __init__(self) -> None:
        self.waiting: deque[NewTask] = deque()
        self.out: dict[str, NewTask] = {}
        self.told: list[Task] = []
        self.broken: Exception | None = None
        self.failures = 0
        self.asked: list[tuple[list[QueueName], int]] = []

    async def push(self, tasks: Sequence[NewTask]) -> None:
        self._check()
        self.waiting.extend(tasks)

    async def claim(self, queues: Sequence[QueueName], limit: int) -> list[NewTask]:
        self._check()
        self.asked.append((list(queues), limit))
        taken = [task for task in self.waiting if task.queue in queues][:limit]
        for task in taken:
            self.waiting.remove(task)
            self.out[task.id] = task
        return taken

    async def ack(self, tasks: Sequence[Task]) -> None:
        self._check()
        self.told += tasks
        for task in tasks:
            self.out.pop(task.id, None)

    async def release(self, tasks: Sequence[Task]) -> None:
        self._check()
        self.waiting.extendleft(reversed([self.out.pop(task.id) for task in tasks]))

    def _check(self) -> None:
        if self.broken is not None:
            self.failures += 1
            raise self.broken

    def connect(self, **options: Any) -> Connected:
        """The store as a process that has just begun sees it."""
        return custom_backend(push=self.push, claim=self.claim, ack=self.ack, release=self.release, persistent=True, **options)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def clock() -> HandWoundClock:
    return HandWoundClock()


@pytest.fixture
async def connected(place: Place) -> AsyncIterator[Connected]:
    store = place.connect()
    await store.backend.open()
    yield store
    place.broken = None
    await store.backend.open()
    await check_books(store)
    await store.backend.close()


@pytest.mark.parametrize(
    ("missing", "sentence"), [("push", r"needs push=, a function push\(tasks\) that"), ("claim", r"needs claim=, a function claim\(")]
)
def test_a_missing_function_is_named(place: Place, missing: str, sentence: str) -> None:
    functions: dict[str, Any] = {"push": place.push, "claim": place.claim} | {missing: None}
    with pytest.raises(InvalidValue, match=sentence):
        custom_backend(**functions)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"push": lambda: None}, r"The function push of a store is called as push\(tasks\), and .* cannot be: too many positional arguments\."),
        ({"claim": lambda queues: []}, r"The function claim of a store is called as claim\(queues, limit\), and .* cannot be"),
        ({"claim": lambda queues, limit, wait: []}, r"claim\(queues, limit\), and .* cannot be: missing a required argument: 'wait'\."),
        ({"ack": lambda: None}, r"ack\(tasks\), and .* cannot be"),
        ({"release": "shelf.release"}, r"custom_backend needs release=, a function release\(tasks\) that takes tasks back; got 'shelf\.release'"),
    ],
)
def test_a_function_that_cannot_be_called_as_it_will_be_is_refused(place: Place, wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        custom_backend(**{"push": place.push, "claim": place.claim} | wrong)


@pytest.mark.parametrize("options", [{"poll": 0}, {"poll": -1}, {"lookahead": -1}, {"lookahead": 1.5}])
def test_settings_that_cannot_be_are_refused(place: Place, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=next(iter(options))):
        place.connect(**options)


def test_it_says_that_one_process_knows_of_it(place: Place) -> None:
    can = place.connect().backend.capabilities
    assert (can.persistent, can.cross_process, can.transactions) == (True, False, ())


# --- pushing --------------------------------------------------------------------------------------------------


async def test_a_push_that_fails_there_stores_nothing_here(place: Place, connected: Connected) -> None:
    place.broken = ConnectionRefusedError("nobody listens")
    with pytest.raises(StoreUnavailable, match=r"The function push of the store custom:// failed: ConnectionRefusedError: nobody listens\."):
        await push_one(connected, key="only")
    now = await connected.expose.now()
    buckets = await connected.expose.series(Span.MINUTE, since=now - timedelta(minutes=1), until=now)
    assert sum(bucket.pushed for bucket in buckets) == 0
    assert (await connected.expose.counts())[DEFAULT_QUEUE].total == 0
    place.broken = None
    assert (await connected.backend.push([new_task(key="only")]))[0].created


async def use_all(store: Connected) -> None:
    """Let every function be called."""
    await store.backend.push([new_task(), new_task()])
    [held] = await claim(store, await registered(store), limit=1, start=1)
    await finish(store, held)
    await claim(store, held.lease.boot, limit=0)
    await store.backend.close()


@pytest.mark.parametrize("name", ["push", "claim", "ack", "release"])
async def test_a_bug_in_a_function_is_told_with_its_name(place: Place, name: str) -> None:
    def broken(*given: Any) -> Any:
        raise KeyError("colour")

    functions: dict[str, Any] = {"push": place.push, "claim": place.claim, "ack": place.ack, "release": place.release}
    store = custom_backend(**functions | {name: broken}, location="shelf://")
    await store.backend.open()
    with pytest.raises(PriniaError, match=rf"The function {name} of the store shelf:// failed: KeyError: 'colour'\.") as told:
        await use_all(store)
    assert isinstance(told.value.__cause__, KeyError)
    assert not isinstance(told.value, StoreUnavailable)


async def test_a_push_that_yields_stores_nothing_and_says_so(place: Place) -> None:
    async def push(tasks: Sequence[NewTask]) -> AsyncIterator[None]:
        place.waiting.extend(tasks)
        yield

    store = custom_backend(push=push, claim=place.claim)  # type: ignore[arg-type]  # the mistake
    await store.backend.open()
    with pytest.raises(InvalidValue, match=r"The function push of the store custom:// has a yield, so it did nothing\. Let it return\."):
        await push_one(store)
    assert (await store.expose.counts())[DEFAULT_QUEUE].total == 0
    await store.backend.close()


async def test_what_is_not_stored_does_not_go_there(place: Place, connected: Connected) -> None:
    await connected.backend.push([new_task(key="a"), new_task(key="a"), new_task(key="b")])
    await connected.backend.push([new_task(key="b")])
    assert [task.key for task in place.waiting] == ["a", "b"]


async def test_a_person_pushes_too(place: Place, connected: Connected) -> None:
    await connected.expose.push([new_task()], actor=ME)
    assert len(place.waiting) == 1
    assert [entry.count for entry in await connected.expose.list_audit()] == [1]


# --- schedules --------------------------------------------------------------------------------------------------


HOURLY = Schedule(name="hourly", when=Every(hours=1), task=new_task("report"))


async def test_tasks_of_schedules_go_there_too(place: Place, clock: HandWoundClock) -> None:
    store = place.connect(ledger=Ledger(clock))
    await store.backend.open()
    await store.backend.declare_schedules([HOURLY])
    clock.advance(3600)
    assert await fire(store)
    pushed = await store.expose.run_schedule("hourly", actor=ME)
    assert [task.name for task in place.waiting] == ["report", "report"]
    assert place.waiting[1].id == pushed.task.id
    assert [entry.task_ids for entry in await store.expose.list_audit()] == [(pushed.task.id,)]
    boot = await registered(store)
    assert {task.id for task in await claim(store, boot)} == {task.id for task in place.out.values()}
    await store.backend.deregister(boot)
    await store.backend.close()
    assert len(place.waiting) == 2, "what did not finish went back"


async def test_a_tick_whose_task_could_not_be_put_there_is_due_again(place: Place, clock: HandWoundClock) -> None:
    store = place.connect(ledger=Ledger(clock))
    await store.backend.open()
    await store.backend.declare_schedules([HOURLY])
    clock.advance(3600)
    before = await store.expose.fetch_schedule("hourly")
    place.broken = OSError("gone")
    for broken in (lambda: fire(store), lambda: store.expose.run_schedule("hourly", actor=ME)):
        with pytest.raises(StoreUnavailable, match="The function push"):
            await broken()
    assert await store.expose.fetch_schedule("hourly") == before
    assert await store.expose.list_audit() == []
    assert (await counts_of(store)).total == 0
    place.broken = None
    assert await fire(store)
    assert len(place.waiting) == 1
    await check_books(store)
    await store.backend.close()


async def test_a_schedule_that_changed_while_its_task_could_not_be_put_there_keeps_the_change(place: Place, clock: HandWoundClock) -> None:
    async def push(tasks: Sequence[NewTask]) -> None:
        await store.backend.declare_schedules([changed])
        raise OSError("gone")

    changed = Schedule(name="hourly", when=Every(hours=2), task=new_task("report"))
    store = custom_backend(push=push, claim=place.claim, ledger=Ledger(clock))
    await store.backend.open()
    await store.backend.declare_schedules([HOURLY])
    clock.advance(3600)
    with pytest.raises(StoreUnavailable):
        await fire(store)
    detail = await store.expose.fetch_schedule("hourly")
    assert detail is not None
    assert (detail.expression, detail.ticks) == ("every 2 hours", ())
    assert detail.next_ticks[0] > clock.now()
    await store.backend.close()


async def fire(store: Connected) -> bool:
    """What a worker does."""
    [due] = (await store.backend.due_schedules()).due
    fired: bool = await store.backend.fire(due, [(due.due, due.entry.schedule().at(due.due))], due.due + timedelta(hours=1))
    return fired


# --- retrying ---------------------------------------------------------------------------------------------------


async def test_a_task_that_ended_goes_there_again_when_it_is_retried(place: Place, connected: Connected) -> None:
    held = await running(connected, priority=3, tags=("a",), key="k")
    assert await finish(connected, held)
    assert [task.id for task in place.told] == [held.id]
    assert not place.out
    await connected.expose.retry([held.id], actor=ME)
    [again] = place.waiting
    assert (again.id, again.priority, again.tags, again.key) == (held.id, 3, ("a",), "k")
    taken = await take(connected, held.id, await registered(connected))
    assert taken.attempt == 2
    assert await finish(connected, taken)
    assert [task.id for task in place.told] == [held.id, held.id]


async def test_a_retry_that_cannot_be_put_there_changes_nothing(place: Place, connected: Connected) -> None:
    held = await running(connected)
    assert await finish(connected, held)
    before = await fetch(connected, held.id)
    place.broken = OSError("gone")
    with pytest.raises(StoreUnavailable, match="The function push"):
        await connected.expose.retry([held.id], actor=ME)
    place.broken = None
    assert await fetch(connected, held.id) == before
    assert await connected.expose.list_audit() == []
    assert (await connected.expose.retry([held.id], actor=ME)).changed == (held.id,)
    assert len(place.waiting) == 1


async def test_a_retried_task_that_comes_before_its_push_returns_is_not_lost(place: Place, clock: HandWoundClock) -> None:
    async def push(tasks: Sequence[NewTask]) -> None:
        await place.push(tasks)
        if len(place.told) == 1:
            assert await claim(store, boot) == []

    store = custom_backend(push=push, claim=place.claim, ack=place.ack, ledger=Ledger(clock))
    await store.backend.open()
    boot = await registered(store)
    held = await take(store, (await push_one(store)).id, boot)
    assert await finish(store, held)
    await store.expose.retry([held.id], actor=ME)
    assert [task.id for task in await claim(store, boot)] == [held.id]
    assert len(place.told) == 1
    await check_books(store)
    await store.backend.close()


async def test_what_was_killed_before_it_came_does_not_go_there_twice(place: Place, connected: Connected) -> None:
    task = await push_one(connected)
    await connected.expose.kill([task.id], actor=ME)
    await connected.expose.retry([task.id], actor=ME)
    assert len(place.waiting) == 1
    await take(connected, task.id, await registered(connected))


# --- taking out ---------------------------------------------------------------------------------------------


async def test_only_queues_that_are_asked_for_and_not_paused_are_taken_out(place: Place, connected: Connected) -> None:
    await connected.backend.push([new_task(queue=name) for name in ("a", "b", "c")])
    await connected.expose.pause(QueueName("b"), actor=ME)
    boot = await registered(connected, queues=(QueueName("a"), QueueName("b")))
    assert [task.queue for task in await claim(connected, boot, "a", "b")] == ["a"]
    assert [task.queue for task in place.waiting] == ["b", "c"]


async def test_no_more_is_taken_out_than_may_be_needed(place: Place) -> None:
    store = place.connect(lookahead=3)
    await store.backend.open()
    await store.backend.push([new_task(run_after=60) for _ in range(10)])
    boot = await registered(store)
    for _ in range(3):
        assert not await claim(store, boot, limit=2)
    assert len(place.out) == 3
    await store.backend.close()


async def test_a_task_from_before_is_known_once_it_is_taken_out(place: Place, connected: Connected) -> None:
    earlier = new_task("earlier", priority=3, tags=("a",))
    place.waiting.append(earlier)
    boot = await registered(connected)
    [taken] = await claim(connected, boot, start=1)
    assert (taken.id, taken.priority) == (earlier.id, 3)
    assert (await fetch(connected, earlier.id)).tags == ("a",)


async def test_a_task_that_is_handed_out_again_is_not_doubled(place: Place, connected: Connected) -> None:
    held = await running(connected)
    place.waiting.append(place.out[held.id])
    boot = await registered(connected)
    assert not await claim(connected, boot)
    assert await finish(connected, held)
    place.waiting.append(new_task(id=held.id))
    assert not await claim(connected, boot)
    await claim(connected, boot)
    assert [task.id for task in place.told] == [held.id, held.id], "it is told again, for it seems to have missed it"


async def test_a_task_that_was_killed_or_deleted_before_it_came_does_not_run(place: Place, connected: Connected) -> None:
    killed, deleted = [push.task.id for push in await connected.backend.push([new_task(), new_task()])]
    await connected.expose.kill([killed, deleted], actor=ME)
    await connected.expose.delete([deleted], actor=ME)
    boot = await registered(connected)
    assert not await claim(connected, boot)
    await claim(connected, boot)
    assert {task.id for task in place.told} == {killed, deleted}
    assert not place.out


async def test_a_task_of_others_whose_key_is_taken_is_dropped_and_told(place: Place, connected: Connected) -> None:
    held = await running(connected, key="same")
    place.waiting.append(new_task(id="stranger", key="same"))
    boot = await registered(connected)
    assert not await claim(connected, boot)
    await claim(connected, boot)
    assert "stranger" not in place.out
    assert await connected.expose.fetch(held.id)


@pytest.mark.parametrize("junk", [None, "task", [b"task"], {"id": 1}])
async def test_what_is_no_task_is_refused_with_a_sentence(junk: Any) -> None:
    store = custom_backend(push=lambda tasks: None, claim=lambda queues, limit: junk)
    await store.backend.open()
    boot = await registered(store)
    with pytest.raises(InvalidValue, match="The function claim of a store must return a list of the NewTasks"):
        await claim(store, boot)
    await store.backend.close()


# --- telling -------------------------------------------------------------------------------------------------


async def test_it_is_told_of_a_task_when_that_is_final_with_all_that_became_of_it(place: Place, connected: Connected) -> None:
    await failed(connected)
    assert not place.told
    held = await running(connected, priority=1)
    assert await finish(connected, held)
    assert [(task.id, task.status) for task in place.told] == [(held.id, Status.DONE)]


async def test_what_could_not_be_told_is_told_later_and_the_outcome_stands(place: Place, connected: Connected) -> None:
    held = await running(connected)
    place.broken = TimeoutError("slow")
    assert await finish(connected, held)
    boot = await registered(connected)
    with pytest.raises(StoreUnavailable, match="The function ack"):
        await claim(connected, boot)
    place.broken = None
    await claim(connected, boot)
    assert [task.id for task in place.told] == [held.id]
    assert await status_of(connected, held.id) is Status.DONE


async def test_what_did_not_finish_goes_back_when_the_store_is_closed(place: Place) -> None:
    store = place.connect()
    await store.backend.open()
    pushed = [push.task.id for push in await store.backend.push([new_task() for _ in range(3)])]
    boot = await registered(store)
    [held] = await claim(store, boot, limit=1, start=1)
    assert await finish(store, held)
    await store.backend.close()
    assert [task.id for task in place.waiting] == pushed[1:]

    after = place.connect()
    await after.backend.open()
    boot = await registered(after)
    assert [task.id for task in await claim(after, boot)] == pushed[1:]
    await after.backend.close()


# --- the whole way -----------------------------------------------------------------------------------------------


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Place], App]:
    def app_of(place: Place) -> App:
        monkeypatch.setattr(schemes, "_registered", {})
        ledger = Ledger()
        register_backend("place", lambda url, **options: place.connect(ledger=ledger, poll=0.02))
        return App("place://")

    return app_of


async def test_an_app_a_worker_and_a_board_live_on_it(place: Place, serve: Callable[[Place], App]) -> None:
    app, seen = serve(place), []

    @app.task(max_attempts=2)
    async def work(n: int) -> int:
        seen.append(n)
        if len(seen) == 1:
            raise ValueError("once")
        return n

    async with working(app):
        handle = await work.push(7)
        await becomes(handle, Status.FAILED)
        await app.expose.run_now([handle.id], actor=ME)
        assert await handle.result(timeout=10) == 7
        assert "work" in (await client_of(Board(app)).get("/tasks")).text
    assert [task.status for task in place.told] == [Status.DONE]


async def test_what_others_put_there_is_found(place: Place, serve: Callable[[Place], App]) -> None:
    app, seen = serve(place), []

    @app.task
    async def work(n: int) -> None:
        seen.append(n)

    async with working(app, poll=3600):
        place.waiting.append(work.new(n=5))
        await eventually(lambda: seen == [5])


async def test_a_worker_waits_while_the_place_is_broken(place: Place, serve: Callable[[Place], App]) -> None:
    app = serve(place)

    @app.task
    async def work() -> int:
        return 1

    async with working(app):
        place.broken = OSError("gone")
        await eventually(lambda: place.failures > 0)
        place.broken = None
        assert await (await work.push()).result(timeout=20) == 1
