"""What the suite asks for: a clock that it winds by hand, an empty store in that time, and a second connection to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
import pytest_asyncio

from queue_core.capabilities import Part
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import check_books
from queue_core.expose import Connected, connect

MARKER: Final = "needs(*parts): the parts of the contract that a test is about; it is skipped where the store says that it lacks one"


@pytest.fixture(autouse=True)
def _parts(request: pytest.FixtureRequest) -> None:
    """Skip a test of what the store says that it lacks."""
    needed: list[Part] = [part for mark in request.node.iter_markers("needs") for part in mark.args]
    if not needed or "url" not in request.fixturenames:
        return
    store = connect(request.getfixturevalue("url"), clock=request.getfixturevalue("clock"))
    for part in needed:
        if not store.backend.capabilities.has(part):
            pytest.skip(f"the store has no {part.replace('_', ' ')}: Capabilities.{part} is False")


@pytest.fixture
def clock() -> HandWoundClock:
    """The store's time; it moves only when a test moves it."""
    return HandWoundClock()


@asynccontextmanager
async def balanced(url: str, clock: HandWoundClock) -> AsyncIterator[Connected]:
    """A store that is open, whose books balance in the end, whatever a test did to it."""
    store = connect(url, clock=clock)
    await store.backend.open()
    yield store
    await store.backend.open()
    await check_books(store)
    await store.backend.close()


@pytest_asyncio.fixture
async def connected(url: str, clock: HandWoundClock) -> AsyncIterator[Connected]:
    """An open, empty store. After the test its books must balance."""
    async with balanced(url, clock) as store:
        yield store


@pytest_asyncio.fixture
async def another(connected: Connected, url: str, clock: HandWoundClock) -> AsyncIterator[Connected]:
    """A second connection to the same store."""
    store = connect(url, clock=clock)
    await store.backend.open()
    yield store
    await store.backend.close()


__all__ = ["MARKER", "_parts", "another", "balanced", "clock", "connected"]
