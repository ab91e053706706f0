"""What the limits of queues and groups let in, found out at the beginning of a claim.

Due tasks of groups are held back, out of the claim index. Whatever makes one come, go or move gives its group a turn; the next claim lets in as
many of that group as there is room for. So a claim meets the groups in which something changed, and never the backlog of one that is full.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from queue_core.backends.sqlite.transaction import Transaction
from queue_core.ids import QueueName
from queue_core.limits import Limits, Rate
from queue_core.status import Status
from queue_core.task import Claim

AT_ONCE: Final = 1_000
"""How many scheduled tasks, turns, and tasks of a group without limits, one claim deals with at most."""
WHOLE: Final = ""
"""Stands for the whole queue where a group could be named."""


class Entry(NamedTuple):
    """What a claim may take."""

    queues: list[QueueName]
    """Queues that have room."""
    most: int
    """How many tasks, whichever of the queues they come from."""
    again_at: int | None = None
    """When limits let in more by the mere passing of time, in microseconds."""


def let_in(tx: Transaction, queues: Sequence[QueueName], limited: Mapping[QueueName, Limits], limit: int) -> Entry:
    """Give the groups of ``limited`` queues their turns; what may be claimed then."""
    entry = Entry([], limit)
    for queue in queues:
        entry = _with(tx, entry, queue, limited[queue]) if queue in limited else entry._replace(queues=[*entry.queues, queue])
    return entry


def _with(tx: Transaction, entry: Entry, queue: QueueName, limits: Limits) -> Entry:
    _take_turns(tx, queue, limits)
    room, more_at = _room(tx, queue, WHOLE, limits.concurrency, limits.rate, lambda: _held_of_queue(tx, queue))
    if limits.concurrency is not None:
        tx.limited.add(queue)
    turns: list[tuple[int | None]] = tx.rows("next_turn", queue=queue)  # type: ignore[assignment]
    times = [us for us in (entry.again_at, turns[0][0], more_at if room == 0 else None) if us is not None]
    queues = entry.queues if room == 0 else [*entry.queues, queue]
    return Entry(queues, min(entry.most, room or entry.most), min(times, default=None))


def _held_of_queue(tx: Transaction, queue: QueueName) -> int:
    row = tx.row("held_of_queue", queue=queue)
    moved = sum(tx.tally.counts.get((queue, status), 0) for status in (Status.QUEUED, Status.RUNNING))
    return moved + (row[0] or 0 if row else 0)


def _take_turns(tx: Transaction, queue: QueueName, limits: Limits) -> None:
    due = {group for (group,) in tx.rows("promote_limited", queue=queue, now=tx.now, limit=AT_ONCE) if group is not None}
    due.update(group for (group,) in tx.rows("take_turns", queue=queue, now=tx.now, limit=AT_ONCE))
    for group in sorted(due):
        _take_turn(tx, queue, group, limits)


def _take_turn(tx: Transaction, queue: QueueName, group: str, limits: Limits) -> None:
    """Let as many tasks of a group in as there is room for."""
    if limits.at_once is None and limits.group_rate is None:
        if tx.run("let_in", queue=queue, group=group, limit=AT_ONCE) == AT_ONCE:
            tx.run("turn", queue=queue, group=group, due_at=tx.now)
        return
    tx.run("hold_back", queue=queue, group=group)
    room, more_at = _room(tx, queue, group, limits.at_once, limits.group_rate, lambda: _held_of_group(tx, queue, group))
    if room and limits.ordered:
        tx.run("let_first_in", queue=queue, group=group)
    elif room:
        tx.run("let_in", queue=queue, group=group, limit=room)
    if more_at is not None and tx.row("is_held_back", queue=queue, group=group):
        tx.run("turn", queue=queue, group=group, due_at=more_at)


def _held_of_group(tx: Transaction, queue: QueueName, group: str) -> int:
    row = tx.row("held_of_group", queue=queue, group=group)
    return int(row[0]) if row else 0


def _room(
    tx: Transaction, queue: QueueName, group: str, at_once: int | None, rate: Rate | None, held: Callable[[], int]
) -> tuple[int | None, int | None]:
    """How many more may be taken now (None: any number), and when a rate lets in more (None: no start stands in the way)."""
    rooms = [] if at_once is None else [at_once - held()]
    more_at = None
    if rate is not None:
        per = round(rate.per * 1_000_000)
        tx.run("forget_starts", queue=queue, group=group, until=tx.now - per)
        starts = tx.rows("starts", queue=queue, group=group)
        rooms.append(rate.n - sum(n for _, n in starts))
        more_at = starts[-1][0] + per if starts else None
    return max(0, min(rooms)) if rooms else None, more_at


def note_starts(tx: Transaction, limited: Mapping[QueueName, Limits], claims: Sequence[Claim]) -> None:
    """Remember what was taken, as far as a rate will ask; a group has its turn when the rate may let in more."""
    taken: Counter[tuple[QueueName, str]] = Counter()
    for claim in claims:
        limits = limited.get(claim.queue)
        if limits and limits.rate:
            taken[claim.queue, WHOLE] += 1
        if limits and limits.group_rate and claim.group is not None:
            taken[claim.queue, claim.group] += 1
            due_at = tx.now + round(limits.group_rate.per * 1_000_000)
            tx.run("turn", queue=claim.queue, group=claim.group, due_at=due_at)
    tx.many("note_starts", [{"queue": queue, "group": group, "now": tx.now, "n": n} for (queue, group), n in taken.items()])
