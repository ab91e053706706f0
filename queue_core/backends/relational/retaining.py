"""Removing what retention no longer keeps: chosen by reading, removed in small transactions."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final

from queue_core.backend import Retention
from queue_core.backends.relational.managing import Finished, remove
from queue_core.backends.relational.numbers import counts
from queue_core.backends.relational.tally import WORKERS
from queue_core.backends.relational.transaction import Store, Transaction
from queue_core.clock import to_us
from queue_core.expose import Counts, Span
from queue_core.ids import QueueName
from queue_core.status import Status

BATCH: Final = 500
"""How many rows one transaction removes at most."""
_STRETCH: Final = 1_000
_EVER: Final = (1 << 63) - 1
"""Later than any task ended."""
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
    return await _prune_beyond(store, retention)


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


async def _prune_beyond(store: Store, retention: Retention) -> int:
    """Remove one batch of what is more than may stay; how many tasks went. Asks nothing where any number may stay."""
    if all(own.most_done is own.most_killed is None for own in (retention, *retention.queues.values())):
        return 0
    for queue, status, most in _surpluses(await counts(store), retention):
        ids = [id for _, id, _, _ in await store.rows("ended_tasks", queue=queue, status=status.value, place=0, limit=BATCH)]
        while (removed := await store.write(_remove_beyond, queue, status, most, ids)) is None:
            continue
        if removed:
            return removed
    return 0


def _surpluses(counts: Mapping[QueueName, Counts], retention: Retention) -> Iterator[tuple[QueueName, Status, int]]:
    """Queue and state of which there are more tasks than may stay, and how many may."""
    for queue, counted in counts.items():
        own = retention.queues.get(queue, retention)
        for status, most in ((Status.DONE, own.most_done), (Status.KILLED, own.most_killed)):
            if most is not None and counted.of(status) > most:
                yield queue, status, most


async def _remove_beyond(tx: Transaction, queue: QueueName, status: Status, most: int, ids: Sequence[str]) -> int | None:
    """As ``_remove_ended``, of so many of the first as are too many now.

    They were chosen before they are counted, so that what others remove in between is either among them or not counted any more.
    """
    stored = {(name, state): n for name, state, n in await tx.rows("counts")}
    surplus = stored.get((queue, status), 0) - most
    return await _remove_ended(tx, status, _EVER, ids[: max(surplus, 0)])


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
