"""The published suite on every store of ours."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

import queue_core.conformance
from queue_core.clock import HandWoundClock
from queue_core.conformance.fixtures import _parts, another, balanced, clock
from queue_core.expose import Connected
from tests.journals import check_file
from tests.stores import EVERY_STORE, url_of

SUITE: Final = Path(queue_core.conformance.__file__).parent


class Suite(pytest.File):
    """The tests that are published, told of as if they were in this folder, so that they see its fixtures."""

    def collect(self) -> Iterator[pytest.Module]:
        """Each of its modules."""
        for path in sorted(SUITE.glob("test_*.py")):
            yield pytest.Module.from_parent(self, path=path)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Suite | None:
    """Collect the suite beside this file."""
    return Suite.from_parent(parent, path=file_path) if file_path.name == "suite.py" else None


@pytest.fixture(params=EVERY_STORE)
def url(request: pytest.FixtureRequest) -> str:
    """Where a store of this test is; whoever connects to it again reaches the same tasks."""
    return url_of(request)


@pytest_asyncio.fixture
async def connected(url: str, clock: HandWoundClock) -> AsyncIterator[Connected]:
    """An open, empty store. After the test its books must balance, and a file must say what the store holds."""
    async with balanced(url, clock) as store:
        yield store
        if url.startswith("jsonfile:"):
            await store.backend.open()
            check_file(Path(url.removeprefix("jsonfile:///")))


__all__ = ["_parts", "another", "clock", "connected", "url"]
