"""Storing new tasks."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from queue_core.backends import _rows
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.clock import from_us, to_us
from queue_core.errors import InvalidValue
from queue_core.status import Status
from queue_core.task import NewTask, Pushed, Task

DUE_LATER, DUE, LEASED = 0, 1, 2
"""The stages of an unfinished task, as its row holds them."""


@dataclass(slots=True)
class _Batch:
    """What one push has found and made so far."""

    tx: Transaction
    now: datetime
    next_seq: int
    rows: list[dict[str, Any]]
    keyed: dict[tuple[str, str], Task]


def prepare(tasks: Sequence[NewTask]) -> Callable[[Transaction], list[Pushed]]:
    """The operation that stores ``tasks``. What can fail without the store fails here. Raises InvalidValue."""
    kept = list(tasks)
    texts = [_texts(new) for new in kept]

    def push(tx: Transaction) -> list[Pushed]:
        batch = _Batch(tx, tx.moment, _next_seq(tx), [], {})
        pushed = [_place(batch, new, text) for new, text in zip(kept, texts, strict=True)]
        _insert(batch)
        return pushed

    return push


def _texts(new: NewTask) -> tuple[str | None, str | None, str | None]:
    """Tags, metadata and retry policy as they are stored."""
    return (
        _rows.to_json(new.tags) if new.tags else None,
        _rows.to_json(new.metadata) if new.metadata else None,
        _rows.to_json(new.retry) if new.retry else None,
    )


def _next_seq(tx: Transaction) -> int:
    row = tx.row("newest_seq")
    assert row is not None
    return int(row[0]) + 1


def _place(batch: _Batch, new: NewTask, texts: tuple[str | None, str | None, str | None]) -> Pushed:
    batch.tx.tally.named.add(new.queue)
    twin = _twin(batch, new)
    if twin is not None:
        return Pushed(task=twin, created=False)
    task = _rows.stored(new, batch.next_seq, batch.now, due_at(new, batch.now))
    batch.next_seq += 1
    batch.rows.append(_row(batch.tx, task, texts))
    if new.key is not None:
        batch.keyed[new.queue, new.key] = task
    return Pushed(task=task)


def _twin(batch: _Batch, new: NewTask) -> Task | None:
    """The task that has the key of ``new`` already."""
    if new.key is None:
        return None
    if found := batch.keyed.get((new.queue, new.key)):
        return found
    row = batch.tx.row("fetch_by_key", queue=new.queue, key=new.key)
    return _rows.task(row) if row else None


def due_at(new: NewTask, now: datetime) -> datetime:
    """When ``new`` is due, in UTC. Raises InvalidValue beyond the calendar's end."""
    if new.run_at is not None:
        return from_us(to_us(new.run_at))
    try:
        return now + timedelta(seconds=new.run_after or 0.0)
    except OverflowError:
        raise InvalidValue(f"run_after must end before the year 10000, got {new.run_after:g} seconds.") from None


def _row(tx: Transaction, task: Task, texts: tuple[str | None, str | None, str | None]) -> dict[str, Any]:
    tags, metadata, retry = texts
    run_at = to_us(task.run_at)
    return {
        "seq": task.seq,
        "id": task.id,
        "queue": task.queue,
        "name": task.name,
        "stage": DUE if run_at <= tx.now else DUE_LATER,
        "priority": task.priority,
        "created_at": tx.now,
        "run_at": run_at,
        "max_attempts": task.max_attempts,
        "timeout": task.timeout,
        "retry": retry,
        "key": task.key,
        "expires_at": task.expires_at and to_us(task.expires_at),
        "parent": task.parent,
        "codec": task.codec,
        "tags": tags,
        "metadata": metadata,
        "args": task.args,
    }


def _insert(batch: _Batch) -> None:
    try:
        batch.tx.many("push", batch.rows)
    except sqlite3.IntegrityError as error:
        raise InvalidValue(
            f"id must be new, but a task has the id {_taken(batch)} already. Leave the id out, or use key= to push a task only once."
        ) from error
    tally = batch.tx.tally
    for row in batch.rows:
        tally.move(row["queue"], None, Status.PENDING)
        tally.count(row["queue"], "pushed")
        tally.work.add(row["queue"])


def _taken(batch: _Batch) -> str:
    """The id that stood in the way: one of an earlier task, or the second of two in the batch."""
    seen: set[str] = set()
    for row in batch.rows:
        id: str = row["id"]
        stored = batch.tx.row("find_id", id=id)
        if id in seen or (stored and stored[0] < batch.rows[0]["seq"]):
            return id
        seen.add(id)
    return "unknown"
