"""What workers do most: claim and acknowledge. SQLite's own, each a plain function that the writer runs."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Final, NamedTuple, cast

from queue_core.backend import Claims
from queue_core.backends import _rows
from queue_core.backends._rows import clean, to_json
from queue_core.backends.relational.expiry import EXPIRED_AT_ONCE, kill_expired
from queue_core.backends.relational.held import Held, matching
from queue_core.backends.relational.history import keep_attempt
from queue_core.backends.relational.leases import LONGEST_DELAY
from queue_core.backends.relational.limiting import limits_of
from queue_core.backends.relational.stage import DUE_LATER, due_in
from queue_core.backends.sqlite.binding import json_list
from queue_core.backends.sqlite.limiting import Entry, let_in, look_again, next_turn, note_starts, soonest
from queue_core.backends.sqlite.sharing import perform
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.ids import BootId, QueueName
from queue_core.limits import Limits
from queue_core.outcome import Ack
from queue_core.status import FINAL, KillReason, Status
from queue_core.task import Claim

PROMOTED_AT_ONCE: Final = 1_000
"""How many scheduled tasks of a queue one claim moves among the due ones at most."""
SHORT: Final = 4_096
"""Up to how many bytes a result travels with others in one statement."""


# --- claim -----------------------------------------------------------------------------------------------


def claim(tx: Transaction, boot: BootId, queues: Sequence[QueueName], names: Collection[str] | None, limit: int, start: int) -> Claims:
    """Lease due tasks to ``boot``; see ``Backend.claim``."""
    worker = tx.row("live_worker", boot=boot)
    if worker is None:
        return Claims([])
    if expired := tx.rows("expirable", now=tx.now, limit=EXPIRED_AT_ONCE):
        perform(tx, kill_expired, expired)
    open_queues, limited = _open_queues(tx, queues)
    _promote(tx, [queue for queue in open_queues if queue not in limited])
    entry = let_in(tx, open_queues, limited)
    chosen = _choose(tx, entry.rooms, names, limit + 1)
    tasks = _lease(tx, boot, worker[0], chosen[:limit], start)
    if limited:
        note_starts(tx, limited, tasks)
        look_again(tx, limited, tasks)
        if len(tasks) < limit and _fill(entry.rooms, tasks):
            return Claims(tasks, 0.0)
    return Claims(tasks, None if len(chosen) > limit else _next_due(tx, entry, limited))


def _fill(rooms: Mapping[QueueName, int | None], tasks: Sequence[Claim]) -> bool:
    """Whether ``tasks`` are as many of some queue as there was room for: another look finds out until when."""
    return any(n == rooms[queue] for queue, n in Counter(task.queue for task in tasks).items())


def _open_queues(tx: Transaction, queues: Sequence[QueueName]) -> tuple[list[QueueName], dict[QueueName, Limits]]:
    """Those that are not paused, and the limits of those that have some."""
    tx.take_turns()
    special = {name: (paused_at, limits) for name, paused_at, *limits in tx.rows("special_queues", queues=json_list(queues))}
    open_queues = [queue for queue in dict.fromkeys(queues) if queue not in special or special[queue][0] is None]
    return open_queues, {queue: limits_of(special[queue][1]) for queue in open_queues if queue in special}


def _promote(tx: Transaction, queues: Iterable[QueueName]) -> None:
    for queue in queues:
        tx.run("promote", queue=queue, now=tx.now, limit=PROMOTED_AT_ONCE)


_Candidate = tuple[int, int, int, str, str]
"""Rank, time and place of a due task, by which it is ordered; its queue and state."""


def _choose(tx: Transaction, rooms: Mapping[QueueName, int | None], names: Collection[str] | None, limit: int) -> list[_Candidate]:
    """The first ``limit`` due tasks of all queues together, and of each no more than there is room for."""
    wanted = None if names is None else json_list(sorted(names))
    lines = [
        cast("list[_Candidate]", tx.rows("candidates", queue=queue, now=tx.now, names=wanted, limit=_least(limit, room)))
        for queue, room in rooms.items()
    ]
    return list(islice(merge(*lines), limit))


def _least(limit: int, room: int | None) -> int:
    return limit if room is None else min(limit, room)


def _lease(tx: Transaction, boot: BootId, worker: str, chosen: Sequence[_Candidate], start: int) -> list[Claim]:
    claims = _lease_as(tx, boot, worker, chosen[:start], Status.RUNNING)
    return claims + _lease_as(tx, boot, worker, chosen[start:], Status.QUEUED)


def _lease_as(tx: Transaction, boot: BootId, worker: str, chosen: Sequence[_Candidate], status: Status) -> list[Claim]:
    if not chosen:
        return []
    started = status is Status.RUNNING
    seqs = [seq for _, _, seq, _, _ in chosen]
    rows = {row[-1]: row for row in tx.rows("lease", seqs=to_json(seqs), boot=boot, worker=worker, started=started, now=tx.now)}
    for (queue, was), n in Counter((queue, was) for _, _, _, queue, was in chosen).items():
        tx.tally.move(queue, was, status, n)
        tx.tally.claimed.add(queue)
    if started:
        tx.tally.waited((row[3], tx.now - row[10]) for row in rows.values())
    return [_rows.claim(rows[seq]) for seq in seqs]


def _next_due(tx: Transaction, entry: Entry, limited: Iterable[QueueName]) -> float | None:
    row = tx.row("next_due", queues=json_list(entry.rooms), now=tx.now)
    assert row is not None
    due_at = soonest([row[0], entry.again_at, next_turn(tx, limited)])
    return None if due_at is None else max(0.0, (due_at - tx.now) / 1_000_000)


# --- ack -------------------------------------------------------------------------------------------------


def ack(tx: Transaction, acks: Sequence[Ack]) -> list[bool]:
    """Store how attempts ended; see ``Backend.ack``."""
    if len({ack.lease.id for ack in acks}) < len(acks):
        return [held for ack in acks for held in _ack(tx, [ack])]  # one by one: of the same lease given twice, only the first holds
    return _ack(tx, acks)


def _ack(tx: Transaction, acks: Sequence[Ack]) -> list[bool]:
    """As ``ack``, where each task is named once."""
    held = _succeed(tx, [ack for ack in acks if ack.status is Status.DONE])
    held |= _settle(tx, [ack for ack in acks if ack.status is not Status.DONE])
    return [ack.lease.id in held for ack in acks]


def _succeed(tx: Transaction, acks: Sequence[Ack]) -> set[str]:
    """Store successes, all by one statement; the ids of the tasks whose lease held."""
    if not acks:
        return set()
    texts = [_text(ack.result) for ack in acks]
    asked = [(clean(ack.lease.id), clean(ack.lease.boot), ack.lease.token, _us(ack.ran_for), text) for ack, text in zip(acks, texts, strict=True)]
    ended = cast("list[_Ended]", tx.rows("ack_done", acks=to_json(asked), now=tx.now))
    held = {id for id, _, _, _ in ended}
    apart = [_Result(ack.lease.id, ack.result) for ack, text in zip(acks, texts, strict=True) if text is None and ack.result is not None]
    tx.each("keep_result", _Result, [result for result in apart if result.id in held])
    _count(tx, Status.DONE, ended)
    return held


def _text(result: bytes | None) -> str | None:
    """``result`` as it travels with others in JSON; None where there is none, and where it cannot."""
    if result is None or len(result) > SHORT or b"\0" in result:
        return None
    try:
        return result.decode()
    except UnicodeDecodeError:
        return None


class _Result(NamedTuple):
    """The parameters of ``keep_result.sql``."""

    id: str
    result: bytes


def _settle(tx: Transaction, acks: Sequence[Ack]) -> set[str]:
    """Store how attempts ended other than well; the ids of the tasks whose lease held."""
    if not acks:
        return set()
    leases = [ack.lease for ack in acks]
    held = matching(leases, tx.rows("held", ids=json_list(lease.id for lease in leases)), Status.RUNNING)
    settled = [(_heed_kill(ack, held[ack.lease.id]), held[ack.lease.id]) for ack in acks if ack.lease.id in held]
    tx.each("ack", _AckRow, [_ack_row(tx, ack, row) for ack, row in settled])
    for status in {ack.status for ack, _ in settled}:
        _count(tx, status, [(row.id, row.queue, row.group, _us(ack.ran_for)) for ack, row in settled if ack.status is status])
    for ack, row in settled:
        perform(tx, keep_attempt, row, ack.outcome, error=ack.error, ran_us=_us(ack.ran_for))
    return set(held)


def _heed_kill(ack: Ack, row: Held) -> Ack:
    """A kill that was asked for wins over another attempt."""
    if row.kill_requested_at is None or ack.status not in {Status.FAILED, Status.PENDING}:
        return ack
    return Ack(
        ack.lease,
        Status.KILLED,
        KillReason.KILLED,
        ack.outcome,
        0.0,
        ack.uses_attempt,
        ack.ran_for,
        error=ack.error,
    )


class _AckRow(NamedTuple):
    """The parameters of ``ack.sql``."""

    seq: int
    status: str
    reason: str | None
    stage: int | None
    run_at: int | None
    done_at: int | None
    ran_us: int
    attempts: int
    error: str | None


def _ack_row(tx: Transaction, ack: Ack, row: Held) -> _AckRow:
    final = ack.status in FINAL
    run_at = None if final else tx.now + _us(min(ack.delay, LONGEST_DELAY))
    return _AckRow(
        row.seq,
        ack.status.value,
        ack.reason and ack.reason.value,
        None if run_at is None else DUE_LATER if run_at > tx.now else due_in(row.group),
        run_at,
        tx.now if final else None,
        _us(ack.ran_for),
        row.attempts if ack.uses_attempt else max(row.attempts - 1, 0),
        clean(ack.error.line) if ack.error else None,
    )


_Ended = tuple[str, str, str | None, int]
"""Id, queue and group of a task whose attempt ended, and the microseconds that it took."""


def _count(tx: Transaction, status: Status, ended: Sequence[_Ended]) -> None:
    """Count attempts that brought their tasks to ``status``."""
    tally = tx.tally
    tally.ran((queue, us) for _, queue, _, us in ended)
    for queue, n in Counter(queue for _, queue, _, _ in ended).items():
        tally.move(queue, Status.RUNNING, status, n)
        if status in {Status.DONE, Status.FAILED}:
            tally.count(queue, status.value.lower(), n)
        if status not in FINAL or queue in tx.limited:
            tally.work.add(queue)
    for queue, group in {(queue, group) for _, queue, group, _ in ended if group is not None}:
        tally.moved_in(queue, group)
    if status in FINAL:
        tally.ended.update(id for id, _, _, _ in ended)


def _us(seconds: float) -> int:
    """Microseconds."""
    return round(seconds * 1_000_000)
