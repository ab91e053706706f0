"""Storing new tasks."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from queue_core.backends import _rows
from queue_core.backends._keys import Verdict, debounced_until, verdict
from queue_core.backends.relational.stage import DUE, DUE_LATER, due_in
from queue_core.backends.sqlite.arrivals import Arrival
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.clock import from_us, to_us
from queue_core.errors import InvalidValue
from queue_core.status import Status
from queue_core.task import NewTask, Pushed, Task

_Texts = tuple[str | None, str | None, str | None]
_Keyed = dict[tuple[str, str], Task]


def prepare(tasks: Sequence[NewTask]) -> Callable[[Transaction], list[Pushed]]:
    """The operation that stores ``tasks``. What can fail without the store fails here. Raises InvalidValue."""
    all_texts = [_texts(new) for new in tasks]

    def push(tx: Transaction) -> list[Pushed]:
        keyed: _Keyed = {}
        pushed = [_place(tx, new, texts, keyed) for new, texts in zip(tasks, all_texts, strict=True)]
        arrived: dict[str, int] = {}
        for new, each in zip(tasks, pushed, strict=True):
            if each.created:
                arrived[new.queue] = arrived.get(new.queue, 0) + 1
        for queue, n in arrived.items():
            _count(tx, queue, n)
        return pushed

    return push


def pushing(tx: Transaction) -> Callable[[Sequence[NewTask]], Awaitable[list[Pushed]]]:
    """A push as a step of a shared operation in ``tx``."""

    async def push(tasks: Sequence[NewTask]) -> list[Pushed]:
        return prepare(tasks)(tx)

    return push


def _texts(new: NewTask) -> _Texts:
    """Tags, metadata and retry policy as they are stored."""
    return (
        _rows.to_json(new.tags) if new.tags else None,
        _rows.to_json(new.metadata) if new.metadata else None,
        _rows.to_json(new.retry) if new.retry else None,
    )


def _place(tx: Transaction, new: NewTask, texts: _Texts, keyed: _Keyed) -> Pushed:
    """Let one task arrive, unless one with its key is there already. ``keyed``: those of the same push."""
    if new.key is not None and (twin := _twin(tx, new, keyed)):
        return Pushed(task=twin, created=False)
    seq, due_at = tx.arrivals.next_seq(), _due_at(new, tx.moment)
    tx.arrivals.add(_row(tx, new, seq, due_at, texts))
    if new.group is not None:
        tx.tally.named.add(new.queue)
        tx.tally.moved_in(new.queue, new.group)
    pushed = Pushed(task=partial(_rows.stored, new, seq, tx.moment, due_at))
    if new.key is not None:
        keyed[new.queue, new.key] = pushed.task
    return pushed


def _twin(tx: Transaction, new: NewTask, keyed: _Keyed) -> Task | None:
    """The task that has the key of ``new``, and keeps it."""
    if not new.is_ruled:
        return keyed.get((new.queue, new.key or "")) or _stored_twin(tx, new)
    twin = _stored_twin(tx, new)
    if twin is None:
        return None
    match verdict(new, twin, tx.moment):
        case Verdict.RELEASE:
            tx.run("release_key", seq=twin.seq)
            tx.tally.touch(new.queue)
            return None
        case Verdict.REPLACE:
            twin = keyed[new.queue, new.key or ""] = _replaced(tx, twin, new)
            return twin
        case Verdict.KEEP:
            return twin


def _stored_twin(tx: Transaction, new: NewTask) -> Task | None:
    row = tx.row("fetch_by_key", queue=new.queue, key=new.key)
    return _rows.task(row) if row else None


def _replaced(tx: Transaction, twin: Task, new: NewTask) -> Task:
    """``twin`` with what ``new`` brings, waiting for its debounce."""
    run_at = to_us(debounced_until(new, twin, tx.moment))
    stage = DUE if run_at <= tx.now else DUE_LATER
    tx.tally.moved_in(twin.queue, twin.group)
    tx.run("replace", seq=twin.seq, name=new.name, args=new.args, codec=new.codec, run_at=run_at, stage=stage)
    tx.tally.touch(new.queue)
    tx.tally.work.add(new.queue)
    return _stored_twin(tx, new) or twin


def _due_at(new: NewTask, now: datetime) -> datetime:
    """When ``new`` is due, in UTC. Raises InvalidValue beyond the calendar's end."""
    if new.run_at is not None:
        return from_us(to_us(new.run_at))
    if not new.run_after:
        return now
    try:
        return now + timedelta(seconds=new.run_after)
    except OverflowError:
        raise InvalidValue(f"run_after must end before the year 10000, got {new.run_after:g} seconds.") from None


def _row(tx: Transaction, new: NewTask, seq: int, due_at: datetime, texts: _Texts) -> Arrival:
    tags, metadata, retry = texts
    run_at = tx.now if due_at is tx.moment else to_us(due_at)
    return Arrival(
        seq,
        new.id,
        new.queue,
        new.name,
        DUE_LATER if run_at > tx.now else due_in(new.group),
        new.priority,
        tx.now,
        run_at,
        new.max_attempts,
        new.timeout,
        retry,
        new.key,
        new.group,
        None if new.expires_at is None else to_us(new.expires_at),
        new.parent,
        new.codec,
        tags,
        metadata,
        new.args,
    )


def _count(tx: Transaction, queue: str, n: int) -> None:
    tx.tally.named.add(queue)
    tx.tally.move(queue, None, Status.PENDING, n)
    tx.tally.count(queue, "pushed", n)
    tx.tally.work.add(queue)
