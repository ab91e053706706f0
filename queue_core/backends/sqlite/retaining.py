"""Removing what retention no longer keeps: chosen by reading, removed in small transactions."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from queue_core.backend import Retention
from queue_core.backends._rows import to_json
from queue_core.backends.relational.tally import WORKERS
from queue_core.backends.sqlite.managing import remove
from queue_core.backends.sqlite.store import Store
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.clock import to_us
from queue_core.expose import Span
from queue_core.status import Status

BATCH: Final = 500
"""How many rows one transaction removes at most."""
_STRETCH: Final = 1_000
_SPANS_KEPT: Final = {Span.MINUTE: 1, Span.HOUR: 30, Span.DAY: 365}
"""How many times ``Retention.minutes`` the rollups of each span stay."""


async def prune(store: Store, retention: Retention) -> int:
    """Remove one batch; how many tasks went."""
    await store.write(_prune_the_rest, retention)
    async for queue, status, before in _limits(store, retention):
        if seqs := await _ended(store, queue, status, before):
            return await store.write(_remove_ended, status, before, seqs)
    return 0


async def _limits(store: Store, retention: Retention) -> AsyncIterator[tuple[str, Status, int]]:
    """Queue, state, and until when tasks must have ended to go."""
    now = to_us(store.now())
    for (queue,) in await store.rows("queue_names"):
        own = retention.queues.get(queue, retention)
        for status, age in ((Status.DONE, own.done), (Status.KILLED, own.killed)):
            if age is not None:
                yield queue, status, now - round(age * 1_000_000)


async def _ended(store: Store, queue: str, status: Status, before: int) -> list[int]:
    """The places of some tasks that ended by then. Tasks pushed later cannot have; a whole stretch of such ends the walk."""
    found: list[int] = []
    place = 0
    while len(found) < BATCH:
        rows = await store.rows("ended_tasks", queue=queue, status=status.value, place=place, limit=_STRETCH)
        found += [seq for seq, _, done_at in rows if done_at <= before]
        if len(rows) < _STRETCH or all(created_at > before for _, created_at, _ in rows):
            break
        place = rows[-1][0]
    return found[:BATCH]


def _remove_ended(tx: Transaction, status: Status, before: int, seqs: Sequence[int]) -> int:
    rows = tx.rows("prunable", seqs=to_json(seqs), status=status.value, before=before)
    remove(tx, [(seq, queue, state) for seq, queue, state in rows])
    return len(rows)


def _prune_the_rest(tx: Transaction, retention: Retention) -> None:
    """Remove one batch each of workers, rollups and audit."""
    if retention.workers is not None and tx.run("prune_workers", before=_ago(tx, retention.workers), limit=BATCH):
        tx.tally.topics.add(WORKERS)
    if retention.minutes is not None:
        for span, times in _SPANS_KEPT.items():
            tx.run("prune_rollups", span=span.value, before=_ago(tx, retention.minutes * times), limit=BATCH)
    if retention.audit is not None:
        old = [{"id": id} for (id,) in tx.rows("old_actions", before=_ago(tx, retention.audit), limit=BATCH)]
        tx.many("prune_action_tasks", old)
        tx.many("prune_action", old)


def _ago(tx: Transaction, seconds: float) -> int:
    return tx.now - round(seconds * 1_000_000)
