"""The stores that the suite runs on. A new backend is one more line in STORES."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from queue_core.clock import HandWoundClock
from queue_core.expose import Connected, connect
from tests.conformance.helpers import check_books
from tests.journals import check_file
from tests.stores import kinds, url_of

STORES = kinds("memory", "functions", "jsonfile", "sqlite", "postgres")


@pytest.fixture
def clock() -> HandWoundClock:
    """The store's time; it moves only when a test moves it."""
    return HandWoundClock()


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest) -> str:
    """Where a store of this test is; whoever connects to it again reaches the same tasks."""
    return url_of(request)


@pytest_asyncio.fixture
async def connected(url: str, clock: HandWoundClock) -> AsyncIterator[Connected]:
    """An open, empty store. After the test its books must balance."""
    store = connect(url, clock=clock)
    await store.backend.open()
    yield store
    await store.backend.open()
    await check_books(store)
    if url.startswith("jsonfile:"):
        check_file(Path(url.removeprefix("jsonfile:///")))
    await store.backend.close()


@pytest_asyncio.fixture
async def another(connected: Connected, url: str, clock: HandWoundClock) -> AsyncIterator[Connected]:
    """A second connection to the same store."""
    store = connect(url, clock=clock)
    await store.backend.open()
    yield store
    await store.backend.close()
