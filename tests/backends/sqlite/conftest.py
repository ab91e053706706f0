"""An open store in a file of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from queue_core.expose import Connected, connect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest_asyncio.fixture
async def connected(url: str) -> AsyncIterator[Connected]:
    store = connect(url)
    await store.backend.open()
    yield store
    await store.backend.close()


@pytest_asyncio.fixture
async def another(connected: Connected, url: str) -> AsyncIterator[Connected]:
    """A second connection to the same store, as another process has."""
    store = connect(url)
    await store.backend.open()
    yield store
    await store.backend.close()
