"""A dump may be restored in a server whose transactions have other numbers."""

import pytest

from queue_core.backends.postgres.address import address_of
from queue_core.backends.postgres.schema import qualified
from queue_core.conformance.helpers import counts_of, push_one
from queue_core.expose import connect
from tests.backends.postgres import connected

pytestmark = pytest.mark.postgres


async def test_numbers_are_right_in_a_server_that_counts_transactions_from_anew(postgres_store: str) -> None:
    address = address_of(postgres_store)
    store = connect(postgres_store)
    await store.backend.open()
    await push_one(store)
    await store.backend.close()
    async with connected(address) as connection:
        await connection.execute(qualified("UPDATE prinia_folded SET below = '1000000000000'", address.schema))
    await store.backend.open()
    await push_one(store)
    assert (await counts_of(store)).pending == 2
    await store.backend.close()
