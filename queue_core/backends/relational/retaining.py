"""Removing what retention no longer keeps: chosen by reading, removed in small transactions."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from queue_core.backend import Retention
from queue_core.backends.relational.managing import Finished, remove
from queue_core.backends.relational.tally import WORKERS
from queue_core.backends.relational.transaction import Store, Transaction
from queue_core.clock import to_us
from queue_core.expose import Span
from queue_core.status import Status

BATCH: Final = 500
"""How many rows one transaction removes at most."""
_STRETCH: Final = 1_000
_LOG_BATCHES: Final = 20
_SPANS_KEPT: Final = {Span.MINUTE: 1, Span.HOUR: 30, Span.DAY: 365}
"""How many times ``Retention.minutes`` the rollups of each span stay."""


async def prune(store: Store, retention: Retention) -> int:
    """Remove one batch; how many tasks went."""
    await store.write(_prune_the_rest, retention)
    await _prune_logs(store, retention)
    async for queue, status, before in _limits(store, retention):
        if ids := await _ended(store, queue, status, before):
            while (removed := await store.write(_remove_ended, status, before, ids)) is None:
                continue
            return removed
    return 0


async def _prune_logs(store: Store, retention: Retention) -> None:
    """Remove some batches of log lines of each queue: there are far more of them than of tasks."""
    now = to_us(await store.now())
    for (queue,) in await store.rows("queue_names"):
        age = retention.queues.get(queue, retention).logs
        if age is not None:
            before = now - round(age * 1_000_000)
            for _ in range(_LOG_BATCHES):
                if await store.write(_prune_lines, queue, before) < BATCH:
                    break


async def _prune_lines(tx: Transaction, queue: str, before: int) -> int:
    return await tx.run("prune_logs", queue=queue, before=before, limit=BATCH)


async def _limits(store: Store, retention: Retention) -> AsyncIterator[tuple[str, Status, int]]:
    """Queue, state, and until when tasks must have ended to go."""
    now = to_us(await store.now())
    for (queue,) in await store.rows("queue_names"):
        own = retention.queues.get(queue, retention)
        for status, age in ((Status.DONE, own.done), (Status.KILLED, own.killed)):
            if age is not None:
                yield queue, status, now - round(age * 1_000_000)


async def _ended(store: Store, queue: str, status: Status, before: int) -> list[str]:
    """The ids of some tasks that ended by then. Tasks pushed later cannot have; a whole stretch of such ends the walk."""
    found: list[str] = []
    place = 0
    while len(found) < BATCH:
        rows = await store.rows("ended_tasks", queue=queue, status=status.value, place=place, limit=_STRETCH)
        found += [id for _, id, _, done_at in rows if done_at <= before]
        if len(rows) < _STRETCH or all(created_at > before for _, _, created_at, _ in rows):
            break
        place = rows[-1][0]
    return found[:BATCH]


async def _remove_ended(tx: Transaction, status: Status, before: int, ids: Sequence[str]) -> int | None:
    """How many tasks went; None while they have more lines of log than one transaction should remove, and some of these went instead."""
    rows = [Finished(*row) for row in await tx.rows("prunable", ids=ids, status=status.value, before=before)]
    if await tx.run("delete_some_logs", ids=[row.id for row in rows], limit=BATCH) == BATCH:
        return None
    await remove(tx, rows)
    return len(rows)


async def _prune_the_rest(tx: Transaction, retention: Retention) -> None:
    """Remove one batch each of workers, rollups and audit."""
    if retention.workers is not None and await tx.run("prune_workers", before=_ago(tx, retention.workers), limit=BATCH):
        tx.tally.topics.add(WORKERS)
    if retention.minutes is not None:
        for span, times in _SPANS_KEPT.items():
            await tx.run("prune_rollups", span=span.value, before=_ago(tx, retention.minutes * times), limit=BATCH)
    if retention.audit is not None:
        old = [{"id": id} for (id,) in await tx.rows("old_actions", before=_ago(tx, retention.audit), limit=BATCH)]
        await tx.many("prune_action_tasks", old)
        await tx.many("prune_action", old)


def _ago(tx: Transaction, seconds: float) -> int:
    return tx.now - round(seconds * 1_000_000)
