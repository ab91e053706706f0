"""What is particular to the store in memory: its names, its options, and how it wakes."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_core.backends.memory import connect
from queue_core.backends.memory.bells import Bell, Switchboard
from queue_core.backends.memory.sorted_keys import SortedKeys
from queue_core.conformance.helpers import listed, push_one
from queue_core.errors import InvalidValue
from tests.core.steady import steady

PATIENCE = 20.0


async def test_a_store_without_a_name_is_a_fresh_one_each_time() -> None:
    one, two = connect("memory://"), connect()
    await one.backend.open()
    await two.backend.open()
    await push_one(one)
    assert await listed(two) == []


async def test_a_named_store_is_shared_by_all_who_name_it() -> None:
    one, two = connect("memory://shared by name"), connect("memory://shared by name")
    await one.backend.open()
    await two.backend.open()
    task = await push_one(one)
    assert [found.id for found in await listed(two)] == [task.id]


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(InvalidValue, match="got synchronous"):
        connect("memory://", synchronous="FULL")


def test_the_store_says_that_it_forgets() -> None:
    store = connect("memory://here")
    assert not store.backend.capabilities.persistent
    assert (store.expose.kind, store.expose.location) == ("Memory", "memory://here")


# --- bells -------------------------------------------------------------------------------------------------


async def test_a_late_wake_up_for_what_was_taken_already_ends_no_wait() -> None:
    bell = Bell()
    bell.ring("first")
    assert await bell.wait(PATIENCE) == {"first"}  # taken before its wake-up arrived
    waiting = asyncio.ensure_future(bell.wait(PATIENCE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    bell.ring("second")
    assert await waiting == {"second"}


async def test_a_bell_rings_from_any_thread_and_remembers_all() -> None:
    bell = Bell()

    def ring() -> None:
        for number in range(100):
            bell.ring(number)

    thread = threading.Thread(target=ring)
    thread.start()
    heard: set[object] = set()
    while len(heard) < 100:
        heard |= await bell.wait(PATIENCE)
    thread.join()
    assert heard == set(range(100))


async def test_a_closed_bell_ends_the_wait() -> None:
    bell = Bell()
    waiting = asyncio.ensure_future(bell.wait())
    await asyncio.sleep(0)
    bell.close()
    assert await asyncio.wait_for(waiting, PATIENCE) == set()


async def test_a_disconnected_bell_is_silent() -> None:
    board, bell, other = Switchboard(), Bell(), Bell()
    board.connect(bell, ["a"])
    board.connect(other, ["a"])
    board.disconnect(bell, ["a"])
    board.ring("a")
    assert await other.wait(PATIENCE) == {"a"}
    assert await bell.wait(0) == set()


def test_a_bell_whose_loop_is_gone_disturbs_nobody() -> None:
    async def make() -> Bell:
        return Bell()

    bell = asyncio.run(make())
    bell.ring("a")
    assert bell.closed


# --- sorted keys -------------------------------------------------------------------------------------------

NUMBERS = st.lists(st.integers(-20, 20), unique=True)


@given(NUMBERS, NUMBERS, st.integers(-21, 21), st.integers(-21, 21))
@steady
def test_sorted_keys_answer_as_a_sorted_list_does(added: list[int], removed: list[int], low: int, high: int) -> None:
    keys: SortedKeys[int] = SortedKeys()
    for number in added:
        keys.add(number)
    for number in removed:
        keys.discard(number)
    expected = sorted(set(added) - set(removed))
    assert list(keys) == expected
    assert keys.first() == (expected[0] if expected else None)
    assert list(keys.between(low, high)) == [number for number in expected if low < number <= high]
    assert list(keys.above(low)) == [number for number in expected if number > low]
    assert list(keys.below(high)) == [number for number in reversed(expected) if number < high]
