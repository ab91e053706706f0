"""New tasks on their way into the store: as arrays for ``prinia_push``, and back as they were stored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from typing import Any, Final, NamedTuple

from queue_core.backends import _rows
from queue_core.backends.postgres.binding import arguments, column, compiled, storable
from queue_core.backends.postgres.line import Connection
from queue_core.backends.postgres.transaction import Transaction
from queue_core.backends.relational.stage import DUE_LATER, due_in
from queue_core.backends.relational.tally import QUEUES
from queue_core.clock import from_us, to_us
from queue_core.errors import InvalidValue, StoreUnavailable
from queue_core.expose import queue_topic
from queue_core.task import NewTask, Pushed, Task

Row = tuple[Any, ...]
"""One task as ``push_one.sql`` takes it, and ``push.sql`` as elements of its arrays: the parameters after the first ones, in their order."""

COPY_FROM: Final = 2_000
"""From how many tasks on they are copied into the table; below, one statement with arrays is as fast."""
_COPIED: Final = (
    *("id", "queue", "name", "priority", "max_attempts", "timeout", "retry", "expires_at", "parent", "codec", "tags", "metadata", "args"),
    *("seq", "created_at", "run_at", "stage", "group_name"),
)


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


def rules_of(new: NewTask) -> Row:
    """The rules of the key of ``new``, and its group, as ``push_ruled.sql`` takes them after ``row_of``."""
    period = {"ever": None, "live": -1}[new.unique] if isinstance(new.unique, str) else _us(new.unique)
    return period, _us(new.debounce), _us(new.debounce_max), new.group


def _us(seconds: float | None) -> int | None:
    """Microseconds."""
    return None if seconds is None else round(seconds * 1_000_000)


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
    """What ``push.sql``, or ``push_ruled.sql``, is given for ``rows``, in order."""
    return [clock, announce, *map(column, zip(*rows, strict=True))]


@dataclass(frozen=True, slots=True)
class Stored:
    """What one call stored."""

    pushed: list[Pushed]
    named: bool
    """Whether a queue was named for the first time."""


class Answer(NamedTuple):
    """What ``push.sql`` and ``push_one.sql`` answer."""

    now: int
    seqs: Sequence[int | None]
    twins: Sequence[str | None]
    named: bool


async def store(connection: Connection, schema: str, tasks: Sequence[NewTask], clock: int | None) -> Stored:
    """Store ``tasks``, in one transaction or in the one that is open. Raises InvalidValue, asyncpg's errors."""
    if len(tasks) >= COPY_FROM and all(new.key is None for new in tasks):
        return await _copy(connection, schema, tasks, clock)
    if is_ruled(tasks):
        return await _store_all(connection, schema, "push_ruled", tasks, [(*row_of(new), *rules_of(new)) for new in tasks], clock)
    if len(tasks) == 1:
        return await _store_one(connection, schema, tasks[0], clock)
    return await _store_all(connection, schema, "push", tasks, [row_of(new) for new in tasks], clock)


def is_ruled(tasks: Sequence[NewTask]) -> bool:
    """Whether ``tasks`` are stored one by one, though still by one statement: a key among them has rules of its own, or one is of a group."""
    return any(new.is_ruled for new in tasks)


async def _store_all(connection: Connection, schema: str, statement: str, tasks: Sequence[NewTask], rows: Sequence[Row], clock: int | None) -> Stored:
    answer = await connection.fetchrow(compiled(statement, schema)[0], *parameters(rows, clock, announce=False))
    twins: Sequence[str | None] = answer["twins"] or [None] * len(tasks)
    return await _told(connection, schema, tasks, clock, Answer(answer["pushed_at"], answer["seqs"], twins, answer["named"]))


async def _store_one(connection: Connection, schema: str, new: NewTask, clock: int | None) -> Stored:
    now, seq, twin, named = await connection.fetchrow(compiled("push_one", schema)[0], clock, *row_of(new))
    return await _told(connection, schema, [new], clock, Answer(now, [seq], [twin], named))


async def _told(connection: Connection, schema: str, tasks: Sequence[NewTask], clock: int | None, answer: Answer) -> Stored:
    """What the store answered, with the tasks that have a key already. One that was removed at this very moment left its key free."""
    others = await fetch(connection, schema, [id for id in answer.twins if id])
    again = {
        place: (await store(connection, schema, [tasks[place]], clock)).pushed[0]
        for place, twin in enumerate(answer.twins)
        if twin is not None and twin not in others
    }
    others |= {str(answer.twins[place]): stored.task for place, stored in again.items()}
    told = pushed(tasks, answer.now, answer.seqs, answer.twins, others)
    return Stored([again.get(place, stored) for place, stored in enumerate(told)], answer.named)


async def _copy(connection: Connection, schema: str, tasks: Sequence[NewTask], clock: int | None) -> Stored:
    """Rows are encoded while those before them are stored."""
    async with connection.transaction():
        queues = Counter(new.queue for new in tasks)
        now, seqs, named = await connection.fetchrow(compiled("make_room", schema)[0], clock, list(queues), list(queues.values()))
        records = (_record(new, seq, now) for new, seq in zip(tasks, seqs, strict=True))
        await connection.copy_records_to_table("tasks", schema_name=schema, columns=_COPIED, records=records)
        if groups := {(new.queue, new.group) for new in tasks if new.group is not None}:
            await connection.execute(compiled("turns", schema)[0], *zip(*groups, strict=True), now)
    return Stored(pushed(tasks, now, seqs, None, {}), named)


def _record(new: NewTask, seq: int, now: int) -> tuple[Any, ...]:
    """``new`` as a row of the table, in the order of ``_COPIED``."""
    id, queue, name, priority, run_at, delay, max_attempts, timeout, retry, _, expires_at, parent, codec, tags, metadata, args = row_of(new)
    due = now + (delay or 0) if run_at is None else run_at
    stage = DUE_LATER if due > now else due_in(new.group)
    return id, queue, name, priority, max_attempts, timeout, retry, expires_at, parent, codec, tags, metadata, args, seq, now, due, stage, new.group


async def fetch(connection: Connection, schema: str, ids: Sequence[str]) -> dict[str, Task]:
    """Those of ``ids`` that are stored, by id. Raises asyncpg's errors."""
    if not ids:
        return {}
    sql, names = compiled("fetch", schema)
    return {row[0]: _rows.task(row) for row in await connection.fetch(sql, *arguments(names, {"ids": list(ids)}))}


def pushed(
    tasks: Sequence[NewTask], now: int, seqs: Sequence[int | None], twins: Sequence[str | None] | None, others: Mapping[str, Task]
) -> list[Pushed]:
    """What a push stored: each task at its place, or the one of ``others`` that has its key already, whose id ``twins`` tells.

    Raises StoreUnavailable when such a task is not among ``others``, because it was removed at this very moment.
    """
    moment = from_us(now)
    return [
        _other(new, others.get(twin or "")) if seq is None else Pushed(task=partial(_stored, new, seq, moment))
        for new, seq, twin in zip(tasks, seqs, twins or repeat(None, len(tasks)), strict=True)
    ]


def _other(new: NewTask, task: Task | None) -> Pushed:
    """The task that has the key of ``new``."""
    if task is None:
        raise StoreUnavailable(f"The task that had the key {new.key!r} was removed at this very moment, so the key is free. Push again.")
    return Pushed(task=task, created=False)


def _stored(new: NewTask, seq: int, now: datetime) -> Task:
    return _rows.stored(new, seq, now, _due_at(new, now))


def _due_at(new: NewTask, now: datetime) -> datetime:
    if new.run_at is not None:
        return from_us(to_us(new.run_at))
    return now + timedelta(microseconds=_delay(new.run_after) or 0)


async def push_in_transaction(tx: Transaction, tasks: Sequence[NewTask]) -> list[Pushed]:
    """Store ``tasks`` as one of the steps of a transaction of our own."""
    if not tasks:
        return []
    stored = await store(tx.connection, tx.schema, tasks, tx.now)
    tx.tally.work.update(task.queue for task in tasks)
    tx.tally.topics.update(queue_topic(task.queue) for task in tasks)
    if stored.named:
        tx.tally.topics.add(QUEUES)
    return stored.pushed
