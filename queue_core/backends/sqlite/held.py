"""A leased row, and giving it back."""

from collections.abc import Sequence
from typing import NamedTuple

from queue_core.backends._rows import to_json
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.status import Status


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


def give_back(tx: Transaction, rows: Sequence[Held]) -> None:
    """Let leased tasks wait again, or end where that was asked for; a started attempt does not count."""
    tx.run("give_back", seqs=to_json([row.seq for row in rows]), now=tx.now)
    for row in rows:
        tx.tally.move(row.queue, row.status, Status.PENDING if row.kill_requested_at is None else Status.KILLED)
        tx.tally.work.add(row.queue)
        if row.kill_requested_at is not None:
            tx.tally.ended.add(row.id)
