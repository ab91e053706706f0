"""Apps to test workers with."""

from collections.abc import AsyncIterator

import pytest

from queue_core import App
from tests.stores import kinds, url_of

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def app() -> AsyncIterator[App]:
    """An app on a fresh store in memory."""
    async with App("memory://") as app:
        yield app


@pytest.fixture(params=kinds("memory", "sqlite", "postgres"))
def url(request: pytest.FixtureRequest) -> str:
    """Where a store of each kind is."""
    return url_of(request)


@pytest.fixture
async def stored_app(url: str) -> AsyncIterator[App]:
    """An app on each kind of store."""
    async with App(url) as app:
        yield app
