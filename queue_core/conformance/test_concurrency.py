"""Many at once: no task is given out twice, none is lost, and the numbers agree."""

import asyncio
import threading
from collections import Counter

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import ack_of, ask, beat, claim, counts_of, finish, lose_workers, new_task, push_one, registered, running
from queue_core.expose import Connected, Counts, TaskFilter, connect
from queue_core.outcome import Succeeded
from queue_core.worker_info import WorkerState


async def test_each_task_is_claimed_by_one_of_many_workers(connected: Connected, another: Connected) -> None:
    await connected.backend.push([new_task(str(number)) for number in range(300)])

    async def work(store: Connected) -> list[str]:
        boot, names = await registered(store), []
        while tasks := (await ask(store, boot, limit=7, start=7)).tasks:
            names += [task.name for task in tasks]
            await store.backend.ack([ack_of(task, Succeeded()) for task in tasks])
        return names

    taken = await asyncio.gather(*[work(store) for store in (connected, another) for _ in range(4)])
    assert Counter(name for names in taken for name in names) == Counter(str(number) for number in range(300))
    assert await counts_of(connected) == Counts(done=300)


async def test_pushes_from_all_sides_are_all_stored_in_one_order(connected: Connected, another: Connected) -> None:
    stores = [connected, another] * 25
    pushed = await asyncio.gather(*[store.backend.push([new_task(), new_task()]) for store in stores])
    places = [push.task.seq for answer in pushed for push in answer]
    assert len(set(places)) == 100
    assert all(first.task.seq < second.task.seq for first, second in pushed)
    assert (await counts_of(connected)).pending == 100


async def test_stores_in_several_threads_share_the_work(connected: Connected, url: str, clock: HandWoundClock) -> None:
    await connected.backend.push([new_task(str(number)) for number in range(200)])
    taken: list[str] = []

    async def work() -> None:
        store = connect(url, clock=clock)
        await store.backend.open()
        boot = await registered(store)
        while tasks := await claim(store, boot, limit=3, start=3):
            for task in tasks:
                assert await finish(store, task)
                taken.append(task.name)
        await store.backend.deregister(boot)
        await store.backend.close()

    threads = [threading.Thread(target=asyncio.run, args=[work()]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert sorted(taken) == sorted(str(number) for number in range(200))
    assert {worker.state for worker in await connected.expose.list_workers()} == {WorkerState.STOPPED}


async def test_of_two_acks_of_one_attempt_one_holds(connected: Connected, another: Connected) -> None:
    runs = await running(connected)
    held = await asyncio.gather(*[finish(store, runs) for store in (connected, another) for _ in range(5)])
    assert held.count(True) == 1


async def test_of_two_starts_of_one_lease_one_holds(connected: Connected, another: Connected) -> None:
    await push_one(connected)
    boot = await registered(connected)
    [queued] = await claim(connected, boot)
    held = await asyncio.gather(*[store.backend.start([queued.lease]) for store in (connected, another) for _ in range(5)])
    assert held.count([True]) == 1


async def test_many_rescuers_rescue_once(connected: Connected, another: Connected, clock: HandWoundClock) -> None:
    for _ in range(5):
        await running(connected, max_attempts=50)
    await lose_workers(connected, clock)
    boot = await registered(connected)
    await claim(connected, boot, start=5)
    clock.advance(31)
    answers = await asyncio.gather(*[store.backend.rescue() for store in (connected, another) for _ in range(3)])
    assert sum(answer.pending for answer in answers) == 5
    assert {task.crashes for task in (await connected.expose.list_tasks(TaskFilter())).tasks} == {2}


async def test_everything_at_once_leaves_the_books_in_balance(connected: Connected, another: Connected) -> None:
    async def produce(store: Connected) -> None:
        for number in range(15):
            await store.backend.push([new_task(queue=f"q{number % 3}", priority=number) for _ in range(4)])

    async def consume(store: Connected) -> None:
        boot = await registered(store, queues=("q0", "q1", "q2"))
        for _ in range(15):
            tasks = await claim(store, boot, "q0", "q1", "q2", limit=5, start=3)
            await store.backend.ack([ack_of(task, Succeeded()) for task in tasks if task.started])
            await asyncio.to_thread(store.backend.heartbeat, beat(boot))
        await store.backend.deregister(boot)

    await asyncio.gather(*[act(store) for act in (produce, consume) for store in (connected, another) for _ in range(2)])
    total = sum((counts for counts in (await connected.expose.counts()).values()), Counts())
    assert (total.total, total.queued, total.running) == (240, 0, 0)
