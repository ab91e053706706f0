"""Schedules: declared, fired once for each tick, paused, resumed, run and deleted."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from queue_core.backends import _schedules
from queue_core.backends._rows import Row, moment
from queue_core.backends._schedules import KEPT_TICKS, Stored
from queue_core.backends.relational.managing import record
from queue_core.backends.relational.tally import SCHEDULES
from queue_core.backends.relational.transaction import Store, Transaction
from queue_core.clock import from_us, to_us
from queue_core.expose import Action, Actor, FiredTick, Pause, ScheduleDetail, ScheduleInfo
from queue_core.ids import TaskId
from queue_core.schedule import DueSchedule, DueSchedules, Entry, Schedule
from queue_core.task import NewTask, Pushed

Push = Callable[[Sequence[NewTask]], Awaitable[list[Pushed]]]
"""Stores tasks as a step of the transaction."""
_ENTRY = 10
"""How many columns an entry has."""


# --- reading ---------------------------------------------------------------------------------------------


async def due(store: Store, limit: int) -> DueSchedules:
    """What is due, and when the next is."""
    now = await store.now()
    rows = await store.rows("due_schedules", now=to_us(now), limit=max(limit, 0))
    following = await store.row("next_schedule", now=to_us(now))
    next_in = None if following is None or following[0] is None else (from_us(following[0]) - now).total_seconds()
    return DueSchedules([DueSchedule(_entry(row), from_us(row[_ENTRY + 1]), row[_ENTRY]) for row in rows], now, next_in)


async def listed(store: Store, limit: int) -> list[ScheduleInfo]:
    """Every schedule, by name."""
    now = await store.now()
    return [_schedules.info(_stored(row), now) for row in await store.rows("schedules", limit=max(limit, 0))]


async def fetched(store: Store, name: str) -> ScheduleDetail | None:
    """One schedule, whole."""
    row = await store.row("schedule", name=name)
    if row is None:
        return None
    ticks = await store.rows("schedule_ticks", schedule=name, limit=KEPT_TICKS)
    return _schedules.detail(_stored(row), await store.now(), [FiredTick(from_us(tick), TaskId(task), from_us(at)) for tick, task, at in ticks])


def _entry(row: Row) -> Entry:
    name, kind, spec, timezone, task, queue, args, codec, options, missed = row[:_ENTRY]
    return Entry(
        name=name,
        kind=kind,
        spec=spec,
        timezone=timezone,
        task=task,
        queue=queue,
        args=bytes(args),
        codec=codec,
        options=options,
        missed=missed,
    )


def _stored(row: Row) -> Stored:
    version, declared_at, paused_by, paused_at, reason, last_tick, last_task, next_tick = row[_ENTRY:]
    return Stored(
        entry=_entry(row),
        version=version,
        declared_at=from_us(declared_at),
        pause=None if paused_at is None else Pause(by=paused_by, since=from_us(paused_at), reason=reason),
        last_tick=moment(last_tick),
        last_task=last_task,
        next_tick=moment(next_tick),
    )


# --- declaring and firing --------------------------------------------------------------------------------


async def declare(tx: Transaction, schedules: Sequence[Schedule]) -> None:
    """Store what is new or has changed; see ``Backend.declare_schedules``. In the order of names, so that two who declare never wait crosswise.

    What is there is asked for once, and without holding it, so that who starts with many schedules takes no time, and keeps nobody from firing them.
    """
    entries = sorted((Entry.of(schedule) for schedule in schedules), key=lambda entry: entry.name)
    known = {row[0]: _entry(row) for row in await tx.rows("known_schedules", names=[entry.name for entry in entries])}
    for entry in entries:
        if known.get(entry.name) != entry and (await _add(tx, entry) or await _change(tx, entry)):
            tx.tally.named.add(entry.queue)
            tx.tally.topics.add(SCHEDULES)


async def _add(tx: Transaction, entry: Entry) -> bool:
    first = _schedules.first_tick(entry, from_us(tx.now))
    return bool(await tx.run("add_schedule", **_schedules.entry_values(entry), now=tx.now, next_tick=_us(first)))


async def _change(tx: Transaction, entry: Entry) -> bool:
    stored = await _find(tx, entry.name)
    if stored.entry == entry:
        return False
    _schedules.warn_of_rival(stored, from_us(tx.now))
    following = _schedules.next_tick(stored, entry, from_us(tx.now))
    return bool(await tx.run("change_schedule", **_schedules.entry_values(entry), now=tx.now, next_tick=_us(following)))


async def fire(tx: Transaction, due: DueSchedule, tasks: Sequence[tuple[datetime, NewTask]], next_tick: datetime | None, push: Push) -> bool:
    """Push a task for each tick, unless another was first; see ``Backend.fire``."""
    name = due.entry.name
    last_tick, last_task = tasks[-1] if tasks else (None, None)
    if not await tx.run(
        "advance_schedule",
        name=name,
        version=due.version,
        due=to_us(due.due),
        next_tick=_us(next_tick),
        last_tick=_us(last_tick),
        last_task=last_task.id if last_task else None,
    ):
        return False
    await push([task for tick, task in tasks if await tx.run("record_tick", schedule=name, tick=to_us(tick), task=task.id, now=tx.now)])
    await tx.run("trim_ticks", schedule=name, keep=KEPT_TICKS)
    tx.tally.topics.add(SCHEDULES)
    return True


# --- acting ----------------------------------------------------------------------------------------------


async def pause(tx: Transaction, name: str, actor: Actor) -> None:
    """Let no tick push a task."""
    await _find(tx, name)
    if await tx.run("pause_schedule", name=name, by=actor.name, reason=actor.reason, now=tx.now):
        tx.tally.topics.add(SCHEDULES)
    await record(tx, actor, Action.PAUSE_SCHEDULE, (), None, schedule=name)


async def resume(tx: Transaction, name: str, actor: Actor) -> None:
    """End the pause."""
    stored = await _find(tx, name)
    if stored.pause is not None:
        await tx.run("resume_schedule", name=name, next_tick=_us(_schedules.first_tick(stored.entry, from_us(tx.now), stored.last_tick)))
        tx.tally.topics.add(SCHEDULES)
    await record(tx, actor, Action.RESUME_SCHEDULE, (), None, schedule=name)


async def run(tx: Transaction, name: str, actor: Actor, push: Push) -> Pushed:
    """Push one task now."""
    stored = await _find(tx, name)
    [pushed] = await push([stored.entry.schedule().at(from_us(tx.now))])
    await record(tx, actor, Action.RUN_SCHEDULE, [pushed.task.id], pushed.task.queue, schedule=name)
    return pushed


async def delete(tx: Transaction, name: str, actor: Actor) -> None:
    """Forget a schedule and its ticks."""
    await _find(tx, name)
    await tx.run("delete_schedule", name=name)
    await tx.run("delete_ticks", schedule=name)
    tx.tally.topics.add(SCHEDULES)
    await record(tx, actor, Action.DELETE_SCHEDULE, (), None, schedule=name)


async def _find(tx: Transaction, name: str) -> Stored:
    """Raises InvalidValue for an unknown schedule."""
    row = await tx.row("find_schedule", name=name)
    if row is None:
        raise _schedules.unknown(name)
    return _stored(row)


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)
