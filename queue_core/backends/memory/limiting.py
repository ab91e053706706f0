"""Which due tasks the limits of their queues and groups let in."""

import heapq
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from queue_core.backends.memory.line import Place
from queue_core.backends.memory.state import WHOLE, State
from queue_core.backends.memory.tasks import Group, Row
from queue_core.expose import Room
from queue_core.ids import QueueName
from queue_core.limits import Limits, Rate
from queue_core.status import Status
from queue_core.task import Task


def let_in(state: State, queues: Iterable[QueueName], names: Collection[str] | None) -> Iterator[Row]:
    """The due tasks of several queues together that have one of ``names`` and that there is room for, in the order of claims."""
    places = heapq.merge(*[_of_queue(state, queue, names) for queue in queues])
    return (state.tasks.at(seq) for _, _, seq in places)


def _of_queue(state: State, queue: QueueName, names: Collection[str] | None) -> Iterator[Place]:
    limits = state.limits.get(queue, _NONE)
    groups = [_of_group(state, limits, queue, name, group) for name, group in state.tasks.groups(queue).items()]
    places = heapq.merge(state.tasks.due(state.tasks.line(queue), state.now), *groups)
    held = sum(state.tasks.counts(queue).of(status) for status in (Status.QUEUED, Status.RUNNING)) if limits.concurrency else 0
    named = (place for place in places if names is None or state.tasks.at(place[2]).task.name in names)
    return islice(named, _room(limits.concurrency, held, state, limits.rate, (queue, WHOLE)))


def _of_group(state: State, limits: Limits, queue: QueueName, name: str, group: Group) -> Iterator[Place]:
    room = _room(limits.at_once, group.held, state, limits.group_rate, (queue, name))
    return islice(_in_turn(state, group) if limits.ordered else state.tasks.due(group.line, state.now), room)


def _in_turn(state: State, group: Group) -> Iterator[Place]:
    """The first task of an ordered group, if it is due."""
    first = group.waiting.first()
    task = None if first is None else state.tasks.at(first).task
    if task is not None and task.run_at <= state.now and state.tasks.is_here(task.id):
        yield -task.priority, task.run_at, task.seq


def _room(at_once: int | None, held: int, state: State, rate: Rate | None, whose: tuple[QueueName, str]) -> int | None:
    """How many more may be taken now; None: any number."""
    rooms = [] if at_once is None else [at_once - held]
    if rate is not None:
        rooms.append(rate.n - len(state.starts(*whose, rate.per)))
    return max(0, min(rooms)) if rooms else None


def room_later(state: State, queues: Iterable[QueueName]) -> list[datetime]:
    """When rates let in more, for queues and groups whose due tasks they keep waiting."""
    return [moment for queue in queues for moment in _room_later(state, queue)]


def _room_later(state: State, queue: QueueName) -> Iterator[datetime]:
    limits = state.limits.get(queue, _NONE)
    if limits.rate and state.tasks.oldest_due(queue, state.now) is not None:
        yield from _next(state, limits.rate, (queue, WHOLE))
    for name, group in state.tasks.groups(queue).items() if limits.group_rate else ():
        if limits.group_rate and group.line.oldest_due(state.now) is not None:
            yield from _next(state, limits.group_rate, (queue, name))


def _next(state: State, rate: Rate, whose: tuple[QueueName, str]) -> Iterator[datetime]:
    starts = state.starts(*whose, rate.per)
    if len(starts) >= rate.n:
        yield starts[len(starts) - rate.n] + timedelta(seconds=rate.per)


def room_of(state: State, task: Task) -> Room:
    """What the limits of the queue and the group of a task count."""
    limits = state.limits.get(task.queue, _NONE)
    starts = _starts(state, limits.rate, (task.queue, WHOLE))
    if task.group is None:
        return Room(starts=len(starts), again_at=_again(limits.rate, starts))
    own = _starts(state, limits.group_rate, (task.queue, task.group))
    live = state.tasks.live(task.queue, task.group)
    return Room(
        starts=len(starts),
        again_at=_again(limits.rate, starts),
        group_held=sum(other.status.is_leased for other in live),
        group_starts=len(own),
        group_again_at=_again(limits.group_rate, own),
        group_first=min(live, key=lambda other: other.seq).id if live else None,
    )


def _starts(state: State, rate: Rate | None, whose: tuple[QueueName, str]) -> list[datetime]:
    return state.starts(*whose, rate.per) if rate else []


def _again(rate: Rate | None, starts: list[datetime]) -> datetime | None:
    return starts[0] + timedelta(seconds=rate.per) if rate and starts else None


_NONE = Limits()
