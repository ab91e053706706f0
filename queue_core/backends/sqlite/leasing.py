"""What workers do most: claim and acknowledge. SQLite's own, each a plain function that the writer runs."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import merge
from typing import Final, NamedTuple

from queue_core.backend import Claims
from queue_core.backends import _rows
from queue_core.backends._rows import clean, to_json
from queue_core.backends.relational.expiry import EXPIRED_AT_ONCE, kill_expired
from queue_core.backends.relational.held import Held, matching, take
from queue_core.backends.relational.history import keep_attempt
from queue_core.backends.relational.leases import LONGEST_DELAY
from queue_core.backends.relational.limiting import limits_of
from queue_core.backends.relational.stage import DUE_LATER, due_in
from queue_core.backends.sqlite.binding import json_list
from queue_core.backends.sqlite.limiting import Entry, let_in, look_again, note_starts
from queue_core.backends.sqlite.sharing import perform
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.ids import BootId, QueueName
from queue_core.limits import Limits
from queue_core.outcome import Ack
from queue_core.status import FINAL, KillReason, Status
from queue_core.task import AttemptOutcome, Claim

PROMOTED_AT_ONCE: Final = 1_000
"""How many scheduled tasks of a queue one claim moves among the due ones at most."""


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
        is_more_let_in = look_again(tx, limited, tasks)
        if len(tasks) < limit and (is_more_let_in or _fill(entry.rooms, tasks)):
            return Claims(tasks, 0.0)
    return Claims(tasks, None if len(chosen) > limit else _next_due(tx, entry))


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


class _Candidate(NamedTuple):
    seq: int
    queue: QueueName
    status: str


def _choose(tx: Transaction, rooms: Mapping[QueueName, int | None], names: Collection[str] | None, limit: int) -> list[_Candidate]:
    """The first ``limit`` due tasks of all queues together, and of each no more than there is room for."""
    wanted = None if names is None else json_list(sorted(names))
    lines = [
        [
            ((-priority, run_at, seq), _Candidate(seq, queue, status))
            for seq, priority, run_at, status in tx.rows("candidates", queue=queue, now=tx.now, names=wanted, limit=_least(limit, room))
        ]
        for queue, room in rooms.items()
    ]
    merged = merge(*lines, key=lambda candidate: candidate[0])
    return [candidate for _, (_, candidate) in zip(range(limit), merged, strict=False)]


def _least(limit: int, room: int | None) -> int:
    return limit if room is None else min(limit, room)


def _lease(tx: Transaction, boot: BootId, worker: str, chosen: Sequence[_Candidate], start: int) -> list[Claim]:
    claims = _lease_as(tx, boot, worker, chosen[:start], Status.RUNNING)
    return claims + _lease_as(tx, boot, worker, chosen[start:], Status.QUEUED)


def _lease_as(tx: Transaction, boot: BootId, worker: str, chosen: Sequence[_Candidate], status: Status) -> list[Claim]:
    if not chosen:
        return []
    started = status is Status.RUNNING
    seqs = to_json([candidate.seq for candidate in chosen])
    rows = {row[-1]: row for row in tx.rows("lease", seqs=seqs, boot=boot, worker=worker, started=started, now=tx.now)}
    for (queue, was), n in Counter((candidate.queue, candidate.status) for candidate in chosen).items():
        tx.tally.move(queue, was, status, n)
        tx.tally.claimed.add(queue)
    if started:
        for row in rows.values():
            tx.tally.waited(row[3], tx.now - row[10])
    return [_rows.claim(rows[candidate.seq]) for candidate in chosen]


def _next_due(tx: Transaction, entry: Entry) -> float | None:
    row = tx.row("next_due", queues=json_list(entry.rooms), now=tx.now)
    assert row is not None
    soonest = min((us for us in (row[0], entry.again_at) if us is not None), default=None)
    return None if soonest is None else max(0.0, (soonest - tx.now) / 1_000_000)


# --- ack -------------------------------------------------------------------------------------------------


def ack(tx: Transaction, acks: Sequence[Ack]) -> list[bool]:
    """Store how attempts ended; see ``Backend.ack``."""
    leases = [ack.lease for ack in acks]
    held = matching(leases, tx.rows("held", ids=json_list(lease.id for lease in leases)), Status.RUNNING)
    rows = [take(held, lease) for lease in leases]
    settled = [(_heed_kill(ack, row), row) for ack, row in zip(acks, rows, strict=True) if row]
    tx.each("ack_done", _DoneRow, [_done_row(tx, ack, row) for ack, row in settled if ack.status is Status.DONE])
    tx.each("ack", _AckRow, [_ack_row(tx, ack, row) for ack, row in settled if ack.status is not Status.DONE])
    _count(tx, settled)
    for ack, row in settled:
        if ack.outcome is not AttemptOutcome.SUCCEEDED:
            perform(tx, keep_attempt, row, ack.outcome, error=ack.error, ran_us=_us(ack.ran_for))
    return [row is not None for row in rows]


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


class _DoneRow(NamedTuple):
    """The parameters of ``ack_done.sql``, which spares the plain success what only other ends need."""

    seq: int
    done_at: int
    ran_us: int
    result: bytes | None


def _done_row(tx: Transaction, ack: Ack, row: Held) -> _DoneRow:
    return _DoneRow(row.seq, tx.now, _us(ack.ran_for), ack.result)


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


def _count(tx: Transaction, settled: Sequence[tuple[Ack, Held]]) -> None:
    tally = tx.tally
    for (queue, status), n in Counter((row.queue, ack.status) for ack, row in settled).items():
        tally.move(queue, Status.RUNNING, status, n)
        if status in {Status.DONE, Status.FAILED}:
            tally.count(queue, status.value.lower(), n)
        if status not in FINAL or queue in tx.limited:
            tally.work.add(queue)
    for ack, row in settled:
        tally.ran(row.queue, _us(ack.ran_for))
        if row.group is not None:
            tally.moved_in(row.queue, row.group)
    tally.ended.update(row.id for ack, row in settled if ack.status in FINAL)


def _us(seconds: float) -> int:
    """Microseconds."""
    return round(seconds * 1_000_000)
