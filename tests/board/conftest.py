"""A store, a board over it, and a client that speaks to it as a browser on the same machine would."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from board import Board
from queue_core.expose import Connected, connect
from tests.board.helpers import client_of
from tests.stores import kinds, url_of


@pytest.fixture(params=kinds("sqlite", "postgres"))
def url(request: pytest.FixtureRequest) -> str:
    """Where a store of this test is."""
    return url_of(request)


@pytest.fixture
async def connected(url: str) -> AsyncIterator[Connected]:
    store = connect(url)
    await store.expose.open()
    yield store
    await store.expose.close()


@pytest.fixture
def board(connected: Connected) -> Board:
    return Board(connected.expose)


@pytest.fixture
async def client(board: Board) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(board) as client:
        yield client
