"""New tasks on their way into the store: as arrays for ``prinia_push``, and back as they were stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from queue_core.backends import _rows
from queue_core.backends.postgres.binding import arguments, compiled, storable
from queue_core.backends.postgres.line import Connection
from queue_core.backends.postgres.schema import qualified
from queue_core.backends.postgres.transaction import Transaction
from queue_core.backends.relational.tally import QUEUES
from queue_core.clock import from_us, to_us
from queue_core.errors import InvalidValue
from queue_core.expose import queue_topic
from queue_core.task import NewTask, Pushed, Task

Row = tuple[Any, ...]
"""One task as ``prinia_push`` takes it: the elements of its arrays, in their order."""

_FIELDS: Final = 16
CALL: Final = f"SELECT pushed_at, seqs, twins, named FROM prinia_push({', '.join(f'${place}' for place in range(1, _FIELDS + 3))})"
"""The clock's now, whether to announce, then the arrays."""


def row_of(new: NewTask) -> Row:
    """``new`` as it is sent. What can fail without the store fails here. Raises InvalidValue."""
    return (
        new.id,
        new.queue,
        new.name,
        new.priority,
        None if new.run_at is None else to_us(new.run_at),
        _delay(new.run_after),
        new.max_attempts,
        new.timeout,
        _rows.to_json(new.retry) if new.retry else None,
        new.key,
        None if new.expires_at is None else to_us(new.expires_at),
        storable(new.parent),
        new.codec,
        storable(_rows.to_json(new.tags)) if new.tags else None,
        storable(_rows.to_json(new.metadata)) if new.metadata else None,
        new.args,
    )


def _delay(seconds: float | None) -> int | None:
    """Microseconds. Raises InvalidValue beyond the calendar's end."""
    if not seconds:
        return None
    try:
        _ = datetime.now(UTC) + timedelta(days=366, seconds=seconds)  # a year to spare for a server's clock
    except OverflowError:
        raise InvalidValue(f"run_after must end before the year 10000, got {seconds:g} seconds.") from None
    return round(seconds * 1_000_000)


def parameters(rows: Sequence[Row], clock: int | None, *, announce: bool) -> list[Any]:
    """What ``CALL`` is given for ``rows``."""
    return [clock, announce, *(list(column) for column in zip(*rows, strict=True))]


@dataclass(frozen=True, slots=True)
class Stored:
    """What one call stored."""

    pushed: list[Pushed]
    named: bool
    """Whether a queue was named for the first time."""


async def store(connection: Connection, schema: str, tasks: Sequence[NewTask], rows: Sequence[Row], clock: int | None) -> Stored:
    """Store ``tasks``, given also as ``rows``, in one transaction or in the one that is open. Raises asyncpg's errors."""
    answer = await connection.fetchrow(qualified(CALL, schema), *parameters(rows, clock, announce=False))
    twins = await fetch(connection, schema, [id for id in answer["twins"] or () if id])
    return Stored(pushed(tasks, answer, twins), answer["named"])


async def fetch(connection: Connection, schema: str, ids: Sequence[str]) -> dict[str, Task]:
    """Those of ``ids`` that are stored, by id. Raises asyncpg's errors."""
    if not ids:
        return {}
    sql, names = compiled("fetch", schema)
    return {row[0]: _rows.task(row) for row in await connection.fetch(sql, *arguments(names, {"ids": list(ids)}))}


def pushed(tasks: Sequence[NewTask], answer: Any, twins: Mapping[str, Task]) -> list[Pushed]:
    """What a push stored, told from the answer of ``CALL``."""
    now: int = answer["pushed_at"]
    moment = from_us(now)
    others = answer["twins"] or [None] * len(tasks)
    return [
        Pushed(task=partial(_stored, new, seq, moment)) if seq is not None else Pushed(task=twins[twin], created=False)
        for new, seq, twin in zip(tasks, answer["seqs"], others, strict=True)
    ]


def _stored(new: NewTask, seq: int, now: datetime) -> Task:
    return _rows.stored(new, seq, now, _due_at(new, now))


def _due_at(new: NewTask, now: datetime) -> datetime:
    if new.run_at is not None:
        return from_us(to_us(new.run_at))
    return now + timedelta(microseconds=_delay(new.run_after) or 0)


async def push_in_transaction(tx: Transaction, tasks: Sequence[NewTask], rows: Sequence[Row]) -> list[Pushed]:
    """Store ``tasks`` as one of the steps of a transaction of our own."""
    if not tasks:
        return []
    stored = await store(tx.connection, tx.schema, tasks, rows, tx.now)
    tx.tally.work.update(task.queue for task in tasks)
    tx.tally.topics.update(queue_topic(task.queue) for task in tasks)
    if stored.named:
        tx.tally.topics.add(QUEUES)
    return stored.pushed
