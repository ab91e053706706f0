"""Ending tasks that waited too long."""

from collections.abc import Sequence
from typing import Final

from queue_core.backends._rows import Row
from queue_core.backends.relational.transaction import Transaction
from queue_core.status import Status

EXPIRED_AT_ONCE: Final = 500
"""How many tasks one transaction ends at most."""


async def expire_waiting(tx: Transaction) -> int:
    """Kill waiting tasks whose ``expires_at`` has passed; how many. A bounded batch."""
    expired = await tx.rows("expirable", now=tx.now, limit=EXPIRED_AT_ONCE)
    await kill_expired(tx, expired)
    return len(expired)


async def kill_expired(tx: Transaction, expired: Sequence[Row]) -> None:
    """Kill the tasks of some rows of ``expirable``."""
    if expired:
        await tx.many("expire", [{"id": id, "now": tx.now} for _, id, *_ in expired])
    for _, id, queue, status, group in expired:
        tx.tally.moved_in(queue, group)
        tx.tally.ended.add(id)
        tx.tally.move(queue, status, Status.KILLED)
