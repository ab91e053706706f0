"""Everybody acts on the same tasks at once, from several connections: nothing deadlocks, and the books balance."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest

from queue_core.conformance.helpers import BOOM, ME, ack_of, check_books, claim, new_task, registered
from queue_core.expose import Connected, connect
from queue_core.outcome import Errored, Succeeded
from queue_core.task import DEFAULT_QUEUE, Claim

pytestmark = pytest.mark.postgres
TASKS = 60
ACTORS = 4
ROUNDS = 25


async def test_many_who_act_on_the_same_tasks_neither_deadlock_nor_upset_the_books(postgres_store: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await opened(stack, postgres_store) for _ in range(ACTORS)]
        pushed = await stores[0].backend.push([new_task(max_attempts=20) for _ in range(TASKS)])
        ids = [each.task.id for each in pushed]
        await asyncio.gather(*(act(store, ids, random.Random(number)) for number, store in enumerate(stores)))
        await check_books(stores[0])


async def opened(stack: AsyncExitStack, url: str) -> Connected:
    store = connect(url)
    await store.backend.open()
    stack.push_async_callback(store.backend.close)
    return store


async def act(store: Connected, ids: list[Any], dice: random.Random) -> None:
    """Work and meddle, several things at a time."""
    for _ in range(ROUNDS):
        boot = await registered(store, lease_ttl=dice.choice((0.001, 30.0)))
        held = await claim(store, boot, limit=20, start=10)
        some = [dice.sample(ids, 20) for _ in range(4)]
        await asyncio.gather(
            finish(store, held, dice),
            store.backend.rescue(),
            store.expose.kill(some[0], actor=ME),
            store.expose.retry(some[1], actor=ME),
            store.expose.run_now(some[2], actor=ME),
            store.expose.pause(DEFAULT_QUEUE, actor=ME),
            store.expose.resume(DEFAULT_QUEUE, actor=ME),
            store.backend.push([new_task(max_attempts=20)]),
        )
        await store.expose.resume(DEFAULT_QUEUE, actor=ME)
        await store.backend.deregister(boot)


async def finish(store: Connected, held: list[Claim], dice: random.Random) -> None:
    """Start what is not started, and end all of it, in no order."""
    await store.backend.start([one.lease for one in held[10:]])
    dice.shuffle(held)
    outcomes = [dice.choice((Succeeded(), Errored(BOOM, retry_in=0.0))) for _ in held]
    await store.backend.ack([ack_of(one, outcome) for one, outcome in zip(held, outcomes, strict=True)])
