"""Event loops: many use one store, in threads of their own or one after the other, and none disturbs another."""

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar, cast

import pytest

from queue_core import App
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import PATIENCE, beat, finish, listed, new_task, push_one, registered, take
from queue_core.errors import NotConnected
from queue_core.expose import Connected, connect
from queue_core.ids import TaskId

T = TypeVar("T")
pytestmark = pytest.mark.filterwarnings(  # loops that end without closing leave connections behind, and readers that cannot answer
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)
THREADS = 8
EACH = 10


@pytest.fixture
def app(url: str) -> App:
    app = App(url)

    @app.task
    async def work(n: int) -> int:
        return n

    return app


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What a loop left behind is collected here, so that no other test is blamed for it."""
    yield
    gc.collect()


def in_thread(work: Callable[[], T]) -> "Future[T]":
    """What ``work`` returns in a thread of its own, which never keeps the tests from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


async def elsewhere(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What ``work`` returns in an event loop of a thread of its own."""
    async with asyncio.timeout(PATIENCE):
        return await asyncio.wrap_future(in_thread(lambda: asyncio.run(work())))


def together(work: Callable[[int], Coroutine[Any, Any, T]]) -> list[T]:
    """What ``work`` returns in the event loops of several threads, which all begin at the same moment."""
    start = threading.Barrier(THREADS, timeout=PATIENCE)

    def run(thread: int) -> T:
        start.wait()
        return asyncio.run(work(thread))

    futures = [in_thread(lambda thread=thread: run(thread)) for thread in range(THREADS)]  # type: ignore[misc]
    return [future.result(PATIENCE) for future in futures]


async def pushed(app: App) -> set[str]:
    await app.open()
    return {task.id for task in await listed(Connected(app.backend, app.expose))}


# --- an app ----------------------------------------------------------------------------------------------


def test_threads_with_an_event_loop_each_push_and_read_with_one_app_at_the_same_time(app: App) -> None:
    async def push(thread: int) -> list[str]:
        handles = [await app.tasks["work"].push(n=thread) for _ in range(EACH)]
        assert {(await handle.fetch()).id for handle in handles} == {handle.id for handle in handles}
        return [handle.id for handle in handles]

    ids = [id for each in together(push) for id in each]
    assert asyncio.run(pushed(app)) == set(ids)
    assert len(ids) == THREADS * EACH
    asyncio.run(app.close())


def test_each_call_may_run_in_an_event_loop_of_its_own(app: App) -> None:
    """As programs without a loop push: threads of a web server, or plain handlers."""

    def push(_: int) -> list[str]:
        return [asyncio.run(app.tasks["work"].push_many([{"n": n}]))[0].id for n in range(EACH)]

    futures = [in_thread(lambda: push(0)) for _ in range(THREADS)]
    ids = {id for future in futures for id in future.result(PATIENCE)}
    assert asyncio.run(pushed(app)) == ids
    assert len(ids) == THREADS * EACH
    asyncio.run(app.close())


def test_threads_that_leave_an_app_disturb_none_that_is_still_in_it(app: App) -> None:
    async def visit(thread: int) -> None:
        for _ in range(EACH):
            async with app:
                handle = (await app.tasks["work"].push_many([{"n": thread}] * 3))[-1]
                assert (await app.expose.fetch(handle.id)) is not None

    together(visit)
    assert len(asyncio.run(pushed(app))) == THREADS * EACH * 3
    asyncio.run(app.close())


async def test_a_plain_handler_pushes_with_the_app_of_its_worker(url: str) -> None:
    app = App(url)

    @app.task
    async def follow(n: int) -> int:
        return n

    @app.task
    def lead(n: int) -> str:
        return str(asyncio.run(follow.push(n=n)).id)

    async with asyncio.timeout(PATIENCE), app, app.running(concurrency=THREADS):
        leaders = await lead.push_many([{"n": n} for n in range(THREADS)])
        followers = [TaskId(await leader.result()) for leader in leaders]
        assert [task.result async for task in app.backend.wait_for(followers)]


async def test_a_worker_serves_results_to_another_event_loop(app: App) -> None:
    async def ask() -> list[object]:
        handles = await app.tasks["work"].push_many([{"n": n} for n in range(EACH)])
        return [await handle.result() for handle in handles]

    async with app, app.running():
        assert await elsewhere(ask) == list(range(EACH))


async def test_a_worker_works_in_an_event_loop_that_came_later(app: App) -> None:
    async def work() -> list[object]:
        async with app.running():
            return [await handle.result() for handle in await app.tasks["work"].push_many([{"n": n} for n in range(EACH)])]

    async with app:
        assert await elsewhere(work) == list(range(EACH))
        assert len(await pushed(app)) == EACH


# --- a store ---------------------------------------------------------------------------------------------


async def test_an_event_loop_that_has_not_opened_a_store_is_told_so_at_once(connected: Connected) -> None:
    async def use() -> None:
        for call in (
            lambda: connected.backend.push([new_task()]),
            lambda: connected.expose.counts(),
            lambda: connected.backend.claim("b", ["q"], names=None, limit=1),
        ):
            with pytest.raises(NotConnected, match="is not open in this event loop"):
                await call()

    await elsewhere(use)
    await push_one(connected)


async def test_closing_in_an_event_loop_that_opened_nothing_changes_nothing(connected: Connected) -> None:
    await elsewhere(connected.backend.close)
    await push_one(connected)
    assert len(await listed(connected)) == 1


async def test_closing_in_one_event_loop_ends_what_waits_there_and_nowhere_else(connected: Connected) -> None:
    task = await push_one(connected)
    watching, waiting = connected.expose.watch(), connected.backend.wait_for([task.id])
    await anext(watching)
    told, ended = asyncio.ensure_future(anext(watching)), asyncio.ensure_future(anext(waiting))

    async def visit() -> None:
        await connected.backend.open()
        own = asyncio.ensure_future(_drain(connected.expose.watch()))
        waiting = asyncio.ensure_future(anext(connected.backend.wait_for([task.id])))
        await push_one(connected)
        await asyncio.sleep(0)
        await connected.backend.close()
        await own
        with pytest.raises(NotConnected):
            await waiting
        with pytest.raises(NotConnected):
            await push_one(connected)

    await elsewhere(visit)
    boot = await registered(connected)
    await finish(connected, await take(connected, task.id, boot))
    async with asyncio.timeout(PATIENCE):
        assert await told
        assert (await ended).id == task.id
    for following in (watching, waiting):
        await cast(Any, following).aclose()


async def _drain(changes: Any) -> None:
    async for _ in changes:
        pass


async def test_closing_in_one_event_loop_finishes_what_was_accepted_there(connected: Connected) -> None:
    async def push() -> int:
        await connected.backend.open()
        pushes = [asyncio.ensure_future(connected.backend.push([new_task()])) for _ in range(50)]
        await asyncio.sleep(0)
        await connected.backend.close()
        answers = await asyncio.gather(*pushes, return_exceptions=True)
        return sum(not isinstance(answer, BaseException) for answer in answers)

    assert len(await listed(connected, limit=200)) == 0
    accepted = await elsewhere(push)
    assert len(await listed(connected, limit=200)) == accepted


async def test_a_heartbeat_comes_from_any_thread_whichever_event_loop_is_left(connected: Connected) -> None:
    stays = threading.Event()

    async def register() -> bool:
        await connected.backend.open()
        boot = await registered(connected)
        opened.set_result(None)
        await asyncio.to_thread(stays.wait, PATIENCE)
        alive: bool = (await asyncio.to_thread(connected.backend.heartbeat, beat(boot))).alive
        await connected.backend.close()
        return alive

    opened: Future[None] = Future()
    alive = asyncio.ensure_future(elsewhere(register))
    await asyncio.wrap_future(opened)
    await connected.backend.close()
    stays.set()
    assert await alive


def test_an_event_loop_that_ends_without_closing_leaves_the_store_to_the_next(url: str, clock: HandWoundClock) -> None:
    store = connect(url, clock=clock)

    async def use() -> int:
        await store.backend.open()
        await push_one(store)
        return len(await listed(store))

    assert [in_thread(lambda: asyncio.run(use())).result(PATIENCE) for _ in range(5)] == [1, 2, 3, 4, 5]
    in_thread(lambda: asyncio.run(store.backend.close())).result(PATIENCE)
    assert in_thread(lambda: asyncio.run(use())).result(PATIENCE) == 6
    in_thread(lambda: asyncio.run(store.backend.close())).result(PATIENCE)


def test_an_event_loop_that_ends_in_the_middle_of_everything_harms_no_other(url: str, clock: HandWoundClock) -> None:
    store = connect(url, clock=clock)

    async def begin() -> None:
        await store.backend.open()
        under_way = [asyncio.ensure_future(work) for _ in range(50) for work in (store.backend.push([new_task()]), store.expose.counts())]
        await asyncio.sleep(0)
        assert under_way

    async def use() -> None:
        await store.backend.open()
        for _ in range(EACH):
            task = await push_one(store)
            assert await store.expose.fetch(task.id) is not None
        await store.backend.close()

    async def stay() -> None:
        await store.backend.open()
        for _ in range(EACH):
            await asyncio.wrap_future(in_thread(lambda: asyncio.run(begin())))
            await push_one(store)
            assert (await store.expose.counts()) is not None
        await store.backend.close()

    in_thread(lambda: asyncio.run(stay())).result(PATIENCE)
    in_thread(lambda: asyncio.run(use())).result(PATIENCE)


def test_an_event_loop_that_stands_still_holds_up_no_other(url: str, clock: HandWoundClock) -> None:
    store = connect(url, clock=clock)
    standing = asyncio.new_event_loop()
    standing.run_until_complete(store.backend.open())

    async def use() -> None:
        await store.backend.open()
        task = await push_one(store)
        assert await store.expose.fetch(task.id) is not None
        await store.backend.close()

    for _ in range(3):
        in_thread(lambda: asyncio.run(use())).result(PATIENCE)
    assert len(standing.run_until_complete(listed(store))) == 3
    standing.run_until_complete(store.backend.close())
    with contextlib.closing(standing):
        standing.run_until_complete(standing.shutdown_default_executor())
