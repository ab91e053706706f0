"""Ending tasks that waited too long."""

from typing import Final

from queue_core.backends.sqlite.transaction import Transaction
from queue_core.status import Status

EXPIRED_AT_ONCE: Final = 500
"""How many tasks one transaction ends at most."""


def expire_waiting(tx: Transaction) -> int:
    """Kill waiting tasks whose ``expires_at`` has passed; how many. A bounded batch."""
    expired = tx.rows("expirable", now=tx.now, limit=EXPIRED_AT_ONCE)
    if expired:
        tx.many("expire", [{"seq": seq, "now": tx.now} for seq, *_ in expired])
    for _, id, queue, status in expired:
        tx.tally.ended.add(id)
        tx.tally.move(queue, status, Status.KILLED)
    return len(expired)
