"""What a worker does with the tasks that it was leased: start, give back, say how far they are, keep a checkpoint."""

from collections.abc import Sequence
from typing import Final

from queue_core.backends.relational.held import Held, give_back, matching, take
from queue_core.backends.relational.transaction import Transaction
from queue_core.status import Status
from queue_core.task import Lease

LONGEST_DELAY: Final = 100 * 365 * 86_400.0
"""Seconds that a retry waits at most, so that no handler can ask for a time beyond the calendar."""


async def start(tx: Transaction, leases: Sequence[Lease]) -> list[bool]:
    """Queued → Running; see ``Backend.start``."""
    held = await _queued(tx, leases)
    await tx.run("start", ids=list(held), now=tx.now)
    for row in held.values():
        tx.tally.move(row.queue, Status.QUEUED, Status.RUNNING)
    tx.tally.waited((row.queue, tx.now - row.run_at) for row in held.values())
    return [take(held, lease) is not None for lease in leases]


async def release(tx: Transaction, leases: Sequence[Lease]) -> int:
    """Queued → Pending; see ``Backend.release``."""
    held = await _queued(tx, leases)
    await give_back(tx, list(held.values()))
    return len(held)


async def _queued(tx: Transaction, leases: Sequence[Lease]) -> dict[str, Held]:
    """The Queued rows, by id, on which one of ``leases`` holds."""
    return matching(leases, await tx.rows("held", ids=[lease.id for lease in leases]), Status.QUEUED)


async def progress(tx: Transaction, lease: Lease, fraction: float, note: str | None) -> bool:
    """Record how far an attempt is; see ``Backend.progress``."""
    row = await tx.row("progress", id=lease.id, boot=lease.boot, token=lease.token, fraction=fraction, note=note)
    if row is not None:
        tx.tally.touch(row[0])
    return row is not None


async def checkpoint(tx: Transaction, lease: Lease, data: bytes | None) -> bool:
    """Keep something for the next attempt; see ``Backend.checkpoint``."""
    row = await tx.row("checkpoint", id=lease.id, boot=lease.boot, token=lease.token, data=data)
    if row is not None:
        tx.tally.touch(row[0])
    return row is not None
