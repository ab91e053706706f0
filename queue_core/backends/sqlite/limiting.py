"""What the limits of queues and groups let in, found out at the beginning of a claim.

Due tasks of groups are held back, out of the claim index. Whatever makes one come, go or move gives its group a turn; the next claim lets in as
many of that group as there is room for. So a claim meets the groups in which something changed, and never the backlog of one that is full.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from queue_core.backends.relational.stage import DUE, HELD
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.ids import QueueName
from queue_core.limits import Limits, Rate
from queue_core.status import Status
from queue_core.task import Claim

AT_ONCE: Final = 1_000
"""How many scheduled tasks, turns, and tasks of a group without limits, one claim deals with at most."""
AHEAD: Final = 500
"""How many tasks of a group with limits are let in before claims take them at most, so that a turn costs the same however much room there is."""
WHOLE: Final = ""
"""Stands for the whole queue where a group could be named."""
SLOTS: Final = 1_000
"""Into how many parts the time of a rate is cut; starts within one count as one with the last, so that there are never more to add up."""


class Entry(NamedTuple):
    """What a claim may take."""

    rooms: dict[QueueName, int | None]
    """How many tasks of each queue that has room; None: any number."""
    again_at: int | None = None
    """When a queue that has no room lets in more by the mere passing of time, in microseconds."""


def let_in(tx: Transaction, queues: Sequence[QueueName], limited: Mapping[QueueName, Limits]) -> Entry:
    """Give the groups of ``limited`` queues their turns; what may be claimed then."""
    entry = Entry({})
    for queue in queues:
        entry = _with(tx, entry, queue, limited[queue]) if queue in limited else entry._replace(rooms={**entry.rooms, queue: None})
    return entry


def _with(tx: Transaction, entry: Entry, queue: QueueName, limits: Limits) -> Entry:
    _take_turns(tx, queue, limits)
    room, more_at = _room(tx, queue, WHOLE, limits.concurrency, limits.rate, lambda: _held_of_queue(tx, queue))
    if limits.concurrency is not None:
        tx.limited.add(queue)
    if room == 0:
        return Entry(entry.rooms, soonest([entry.again_at, more_at]))
    return Entry({**entry.rooms, queue: room}, entry.again_at)


def _held_of_queue(tx: Transaction, queue: QueueName) -> int:
    row = tx.row("held_of_queue", queue=queue)
    moved = sum(tx.tally.counts.get((queue, status), 0) for status in (Status.QUEUED, Status.RUNNING))
    return moved + (row[0] or 0 if row else 0)


def _take_turns(tx: Transaction, queue: QueueName, limits: Limits) -> None:
    due = {group for (group,) in tx.rows("promote_limited", queue=queue, now=tx.now, limit=AT_ONCE) if group is not None}
    latest = tx.now + (_us(limits.group_rate.per) if limits.group_rate else 0)
    due.update(group for (group,) in tx.rows("take_turns", queue=queue, now=tx.now, latest=latest, limit=AT_ONCE))
    for group in sorted(due):
        _take_turn(tx, queue, group, limits)


def _take_turn(tx: Transaction, queue: QueueName, group: str, limits: Limits) -> None:
    """Let as many tasks of a group in as there is room for, and no others."""
    if limits.at_once is None and limits.group_rate is None:
        if tx.run("let_in", queue=queue, group=group, limit=AT_ONCE) == AT_ONCE:
            tx.run("turn", queue=queue, group=group, due_at=tx.now)
        return
    room, more_at = _room(tx, queue, group, limits.at_once, limits.group_rate, lambda: _held_of_group(tx, queue, group))
    if limits.ordered:
        tx.run("hold_back", queue=queue, group=group)
        if room:
            tx.run("let_first_in", queue=queue, group=group)
    else:
        _let_first_in(tx, queue, group, min(room or 0, AHEAD))
    if more_at is not None:
        tx.run("turn", queue=queue, group=group, due_at=more_at)


def _let_first_in(tx: Transaction, queue: QueueName, group: str, n: int) -> None:
    """Let the first ``n`` tasks of a group be those that are let in. Rows that are in their place are not written."""
    inside = [_Place._make(row) for row in tx.rows("due_of_group", queue=queue, group=group)]
    outside = [_Place._make(row) for row in tx.rows("held_back", queue=queue, group=group, limit=n)]
    first = set(sorted([*inside, *outside])[:n])
    moved = [{"seq": place.seq, "stage": HELD} for place in inside if place not in first]
    tx.many("stage", moved + [{"seq": place.seq, "stage": DUE} for place in outside if place in first])


class _Place(NamedTuple):
    """A place in the order of claims."""

    rank: int
    run_at: int
    seq: int


def next_turn(tx: Transaction, limited: Iterable[QueueName]) -> int | None:
    """When the next group is to be looked at."""
    return soonest(row[0] for queue in limited for row in tx.rows("next_turn", queue=queue))


def soonest(times: Iterable[int | None]) -> int | None:
    """The least of those that are times."""
    return min((us for us in times if us is not None), default=None)


def look_again(tx: Transaction, limited: Mapping[QueueName, Limits], claims: Sequence[Claim]) -> None:
    """Give groups another turn of which all that were let in ahead are taken."""
    roomy = {queue for queue, limits in limited.items() if _is_roomy(limits)}
    emptied = {(claim.queue, claim.group) for claim in claims if claim.group is not None and claim.queue in roomy}
    turns = [(queue, group) for queue, group in emptied if tx.row("is_emptied", queue=queue, group=group)]
    tx.many("turn", [{"queue": queue, "group": group, "due_at": tx.now} for queue, group in turns])


def _is_roomy(limits: Limits) -> bool:
    """Whether more of a group may be let in than is let in ahead."""
    allowed = [limits.at_once, limits.group_rate.n if limits.group_rate else None]
    return min((n for n in allowed if n is not None), default=0) > AHEAD


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
        per = _us(rate.per)
        tx.run("forget_starts", queue=queue, group=group, until=tx.now - per)
        tx.run("date_back_starts", queue=queue, group=group, now=tx.now)
        [(n, first)] = tx.rows("starts", queue=queue, group=group)
        rooms.append(rate.n - n)
        more_at = None if first is None else first + per
    return max(0, min(rooms)) if rooms else None, more_at


def note_starts(tx: Transaction, limited: Mapping[QueueName, Limits], claims: Sequence[Claim]) -> None:
    """Remember what was taken, as far as a rate will ask; a group has its turn when the rate may let in more."""
    taken: Counter[tuple[QueueName, str, float]] = Counter()
    for claim in claims:
        limits = limited.get(claim.queue)
        if limits and limits.rate:
            taken[claim.queue, WHOLE, limits.rate.per] += 1
        if limits and limits.group_rate and claim.group is not None:
            taken[claim.queue, claim.group, limits.group_rate.per] += 1
            tx.run("turn", queue=claim.queue, group=claim.group, due_at=tx.now + _us(limits.group_rate.per))
    for (queue, group, per), n in taken.items():
        _note(tx, queue, group, n, since=tx.now - tx.now % max(1, _us(per) // SLOTS))


def _note(tx: Transaction, queue: QueueName, group: str, n: int, since: int) -> None:
    if not tx.run("add_starts", queue=queue, group=group, since=since, now=tx.now, n=n):
        tx.run("note_starts", queue=queue, group=group, now=tx.now, n=n)


def _us(seconds: float) -> int:
    """Microseconds."""
    return round(seconds * 1_000_000)
