"""Apps to test workers with."""

from collections.abc import AsyncIterator

import pytest

from queue_core import App
from tests.stores import EVERY_STORE, url_of

pytestmark = pytest.mark.asyncio


@pytest.fixture(params=EVERY_STORE)
def url(request: pytest.FixtureRequest) -> str:
    """Where a store of each kind is."""
    return url_of(request)


@pytest.fixture
async def stored_app(url: str) -> AsyncIterator[App]:
    """An app on each kind of store."""
    async with App(url) as app:
        yield app


@pytest.fixture
def app(stored_app: App) -> App:
    """The same, by a shorter name."""
    return stored_app


@pytest.fixture
async def memory_app() -> AsyncIterator[App]:
    """An app on a store in memory, where the store does not matter."""
    async with App("memory://") as app:
        yield app
