"""A ring is never lost, whenever it comes."""

import asyncio
import threading

from queue_core.backends.relational.hub import Bell
from tests.backends.sqlite.helpers import PATIENCE

RINGS = 5_000


async def test_no_ring_is_lost_between_two_waits() -> None:
    bell = Bell()
    rung, heard = 0, threading.Semaphore(0)

    def ring() -> None:
        nonlocal rung
        for _ in range(RINGS):
            rung += 1
            bell.ring()
            heard.acquire(timeout=PATIENCE)

    thread = threading.Thread(target=ring)
    thread.start()
    seen = 0
    while seen < RINGS:
        assert await bell.wait(PATIENCE)
        while seen < rung:
            seen += 1
            heard.release()
    thread.join()


async def test_a_ring_before_the_wait_counts() -> None:
    bell = Bell()
    bell.ring()
    assert await bell.wait(PATIENCE)


async def test_a_bell_whose_loop_has_ended_disturbs_nobody() -> None:
    bell = await asyncio.to_thread(asyncio.run, _bell())
    bell.ring()


async def _bell() -> Bell:
    return Bell()
