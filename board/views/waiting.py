"""Why is this task waiting? Every answer was checked; those that hold come first."""

from datetime import datetime

from board.contexts import Reason
from board.filters import plural, visible
from board.screen import Ask
from board.views.rows import Crew
from queue_core.expose import COUNT_CAP, Limits, QueueInfo, Rate, Room, Status, Task


async def reasons(ask: Ask, task: Task, crew: Crew) -> tuple[Reason, ...]:
    """What keeps a task waiting, and what does not."""
    if task.status is Status.QUEUED:
        return (_held(ask, task),)
    if task.status not in (Status.PENDING, Status.FAILED):
        return ()
    queue = await ask.store.fetch_queue(task.queue)
    checks = [_due(task, crew), _paused(ask, queue), *_workers(ask, task, crew), *await _limits(ask, task, queue), *_line(ask, task, queue, crew)]
    return tuple(sorted(checks, key=lambda reason: not reason.holds))


def _held(ask: Ask, task: Task) -> Reason:
    href = ask.urls.worker(task.boot) if task.boot else None
    return _yes(f"{visible(task.worker or 'A worker')} has claimed it and starts it when a slot is free.", href=href, at=task.queued_at)


def _due(task: Task, crew: Crew) -> Reason:
    if task.run_at <= crew.now:
        return _no("It is due.", at=task.run_at)
    text = f"The pause after attempt {task.attempts} is not over." if task.status is Status.FAILED else "It is scheduled for later."
    return _yes(text, at=task.run_at)


def _paused(ask: Ask, queue: QueueInfo | None) -> Reason:
    if queue is None or queue.pause is None:
        return _no("Its queue is not paused.")
    why = f": {visible(queue.pause.reason)}" if queue.pause.reason else ""
    text = f"Its queue is paused by {visible(queue.pause.by)}{why}."
    return _yes(text, at=queue.pause.since, href=ask.urls.queue(queue.name))


def _workers(ask: Ask, task: Task, crew: Crew) -> list[Reason]:
    serving = crew.serving(task.queue)
    if not serving:
        return [_yes(f"No live worker serves queue {visible(task.queue)}.", href=ask.urls.workers())]
    able = [worker for worker in serving if worker.names is None or task.name in worker.names]
    if not able:
        who = plural(len(serving), "live worker serves", "live workers serve")
        return [_yes(f"No live worker knows a task named {visible(task.name)}; {who} its queue.", href=ask.urls.workers())]
    slots, running = sum(worker.concurrency for worker in able), sum(worker.running for worker in able)
    busy = f"{running} of {plural(slots, 'slot')} of the workers that can run it were busy when last heard."
    return [_yes(busy, href=ask.urls.workers()) if running >= slots else _no(busy)]


async def _limits(ask: Ask, task: Task, queue: QueueInfo | None) -> list[Reason]:
    """Whether the limits of its queue, or of its group, have room."""
    if queue is None or queue.limits.is_none:
        return []
    room = await ask.store.room(task.id)
    return [*_limits_of_queue(ask, queue, room), *(_limits_of_group(ask, task, queue.limits, room) if task.group is not None else [])]


def _limits_of_queue(ask: Ask, queue: QueueInfo, room: Room) -> list[Reason]:
    href = ask.urls.queue(queue.name)
    held = queue.counts.queued + queue.counts.running
    return [
        *_limit("its queue", held, queue.limits.concurrency, href),
        *_rate("its queue", room.starts, queue.limits.rate, room.again_at, href),
    ]


def _limits_of_group(ask: Ask, task: Task, limits: Limits, room: Room) -> list[Reason]:
    group = f"its group {visible(task.group or '')}"
    found = _rate(group, room.group_starts, limits.group_rate, room.group_again_at, None)
    if not limits.ordered:
        return [*_limit(group, room.group_held, limits.group_concurrency, None), *found]
    if room.group_first is None or room.group_first == task.id:
        return [_no(f"It is the first of {group}, whose tasks run in order."), *found]
    return [_yes(f"The tasks of {group} run in order, and an earlier one has not ended.", href=ask.urls.task(room.group_first)), *found]


def _limit(what: str, held: int, most: int | None, href: str | None) -> list[Reason]:
    if most is None:
        return []
    text = f"Of {what} {held:,} {'is' if held == 1 else 'are'} under way, and at most {most:,} may be at once."
    return [_yes(text, href=href) if held >= most else _no(text)]


def _rate(what: str, starts: int, rate: Rate | None, again_at: datetime | None, href: str | None) -> list[Reason]:
    if rate is None:
        return []
    text = f"Of {what} {starts:,} started within {rate.per:g} s, and at most {rate.n:,} may."
    if starts < rate.n:
        return [_no(text)]
    return [_yes(f"{text} The next may start when the first of them is so long ago.", at=again_at, href=href)]


def _line(ask: Ask, task: Task, queue: QueueInfo | None, crew: Crew) -> list[Reason]:
    """How many are ahead at most: those of its queue that wait and are not scheduled for later."""
    if queue is None or task.run_at > crew.now:
        return []
    if queue.scheduled >= COUNT_CAP:
        return [_yes(f"At most {queue.counts.waiting - 1:,} waiting tasks of its queue come before it.", href=ask.urls.queue(queue.name))]
    ahead = queue.counts.waiting - queue.scheduled - 1
    if ahead <= 0:
        return [_no("No other due task of its queue waits.")]
    text = f"At most {plural(ahead, 'other task')} of its queue {'comes' if ahead == 1 else 'come'} before it."
    return [_yes(text, href=ask.urls.queue(queue.name))]


def _yes(text: str, *, at: datetime | None = None, href: str | None = None) -> Reason:
    return Reason(holds=True, text=text, at=at, href=href)


def _no(text: str, *, at: datetime | None = None) -> Reason:
    return Reason(holds=False, text=text, at=at, href=None)
