"""A store in memory, a board over it, and a client that speaks to it as a browser on the same machine would."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from board import Board
from queue_core.expose import Connected, connect
from tests.board.helpers import client_of


@pytest.fixture
async def connected() -> AsyncIterator[Connected]:
    store = connect("memory://")
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
