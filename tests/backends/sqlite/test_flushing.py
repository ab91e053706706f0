"""What a caller was promised waits for the disk; what a loss of power may undo does not."""

import asyncio

import pytest

from queue_core.backend import Claims
from queue_core.conformance.helpers import registration
from queue_core.expose import Connected
from queue_core.ids import new_boot_id
from queue_core.outcome import Succeeded, settle
from queue_core.task import DEFAULT_QUEUE, Claim
from tests.backends.sqlite.helpers import new_task

FULL, NORMAL = 2, 1


@pytest.fixture
def flushed(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The connection's ``synchronous`` at each commit."""
    seen: list[int] = []
    writer = connected.backend._store.writer
    inner = writer._transaction

    def transaction(jobs: object) -> object:
        result = inner(jobs)
        seen.append(writer._connection.execute("PRAGMA synchronous").fetchone()[0])
        return result

    monkeypatch.setattr(writer, "_transaction", transaction)
    return seen


async def claim_one(connected: Connected) -> Claim:
    boot = new_boot_id()
    await connected.backend.register(registration(boot=boot))
    claims: Claims = await connected.backend.claim(boot, [DEFAULT_QUEUE], names=None, limit=1, start=1)
    return claims.tasks[0]


async def test_a_push_and_an_ack_wait_for_the_disk_and_a_claim_does_not(connected: Connected, flushed: list[int]) -> None:
    await connected.backend.push([new_task()])
    assert flushed == [FULL]
    claim = await claim_one(connected)
    assert flushed[-1] == NORMAL
    await connected.backend.ack([settle(claim.lease, Succeeded(), attempt=1, max_attempts=1, ran_for=0.1)])
    assert flushed[-1] == FULL


async def test_a_push_that_shares_its_transaction_with_a_claim_waits_for_the_disk(connected: Connected, flushed: list[int]) -> None:
    await connected.backend.push([new_task()])
    await claim_one(connected)
    boot = new_boot_id()
    await asyncio.gather(
        connected.backend.claim(boot, [DEFAULT_QUEUE], names=None, limit=1),
        connected.backend.push([new_task()]),
    )
    assert flushed[-1] == FULL
