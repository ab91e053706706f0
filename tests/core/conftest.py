"""Apps to test workers with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from queue_core import App

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def app() -> AsyncIterator[App]:
    """An app on a fresh store in memory."""
    async with App("memory://") as app:
        yield app


@pytest.fixture(params=["memory", "sqlite"])
async def stored_app(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[App]:
    """An app on each kind of store."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}"
    async with App(url) as app:
        yield app
