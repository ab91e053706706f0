"""Leased rows: which of them a lease holds on, and giving them back."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from queue_core.backends._rows import Row
from queue_core.backends.relational.transaction import Transaction
from queue_core.status import Status
from queue_core.task import Lease


class Held(NamedTuple):
    """A leased row, as far as settling it needs. A named tuple, because thousands a second are made."""

    id: str
    seq: int
    queue: str
    status: str
    boot: str
    lease: int
    attempts: int
    run_at: int
    started_at: int | None
    kill_requested_at: int | None
    worker: str | None
    group: str | None


def matching(leases: Sequence[Lease], rows: Iterable[Row], status: Status) -> dict[str, Held]:
    """Those of ``rows``, by id, on which one of ``leases`` holds, and that are in ``status``."""
    by_id = {row[0]: Held._make(row) for row in rows}
    found = ((lease, by_id.get(lease.id)) for lease in leases)
    return {lease.id: row for lease, row in found if row and row.status == status and _matches(row, lease)}


def _matches(row: Held, lease: Lease) -> bool:
    return row.lease == lease.token and row.boot == lease.boot


def take(held: dict[str, Held], lease: Lease) -> Held | None:
    """The row on which ``lease`` holds; of the same lease given twice, only the first does."""
    row = held.get(lease.id)
    return held.pop(lease.id) if row and _matches(row, lease) else None


async def give_back(tx: Transaction, rows: Sequence[Held]) -> None:
    """Let leased tasks wait again, or end where that was asked for; a started attempt does not count."""
    await tx.run("give_back", ids=[row.id for row in rows], now=tx.now)
    for row in rows:
        tx.tally.move(row.queue, row.status, Status.PENDING if row.kill_requested_at is None else Status.KILLED)
        tx.tally.work.add(row.queue)
        tx.tally.moved_in(row.queue, row.group)
        if row.kill_requested_at is not None:
            tx.tally.ended.add(row.id)
