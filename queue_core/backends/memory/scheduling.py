"""Schedules, in memory: each is a row that is replaced, and its newest ticks."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from queue_core.backends import _schedules
from queue_core.backends._schedules import KEPT_TICKS, Stored
from queue_core.backends.memory.producing import push
from queue_core.backends.memory.state import State
from queue_core.expose import Action, Actor, FiredTick, Pause, ScheduleDetail, ScheduleInfo
from queue_core.ids import TaskId
from queue_core.schedule import DueSchedule, DueSchedules, Entry, Schedule
from queue_core.task import NewTask, Pushed


def declare(state: State, schedules: Sequence[Schedule]) -> None:
    """Store what is new or has changed."""
    for entry in [Entry.of(schedule) for schedule in schedules]:  # all of them before any, because it may raise
        stored = state.schedules.get(entry.name)
        if stored is None or stored.entry != entry:
            state.put_schedule(_declared(state, entry, stored))
            state.name_queue(entry.queue)


def _declared(state: State, entry: Entry, stored: Stored | None) -> Stored:
    if stored is not None:
        _schedules.warn_of_rival(stored, state.now)
        following = _schedules.next_tick(stored, entry, state.now)
        return replace(stored, entry=entry, version=stored.version + 1, declared_at=state.now, next_tick=following)
    first = _schedules.first_tick(entry, state.now)
    return Stored(entry=entry, version=1, declared_at=state.now, pause=None, last_tick=None, last_task=None, next_tick=first)


def due(state: State, limit: int) -> DueSchedules:
    """What is due, and when the next is."""
    active = [(stored.next_tick, stored) for stored in state.schedules.values() if stored.next_tick and not stored.pause]
    waiting = sorted(active, key=lambda place: (place[0], place[1].entry.name))
    come = [DueSchedule(stored.entry, at, stored.version) for at, stored in waiting if at <= state.now]
    later = next((at for at, _ in waiting if at > state.now), None)
    return DueSchedules(come[: max(limit, 0)], state.now, None if later is None else (later - state.now).total_seconds())


def fire(state: State, due: DueSchedule, tasks: Sequence[tuple[datetime, NewTask]], next_tick: datetime | None) -> list[Pushed] | None:
    """Push a task for each tick; None, and nothing happens, where another was first."""
    stored = state.schedules.get(due.entry.name)
    if stored is None or stored.pause or (stored.version, stored.next_tick) != (due.version, due.due):
        return None
    ticks = state.ticks.setdefault(due.entry.name, {})
    fresh = [(tick, task) for tick, task in tasks if tick not in ticks]
    pushed = push(state, [task for _, task in fresh])
    ticks.update({tick: FiredTick(tick, task.id, state.now) for tick, task in fresh})
    for old in sorted(ticks)[:-KEPT_TICKS]:
        del ticks[old]
    last_tick, last_task = (tasks[-1][0], tasks[-1][1].id) if tasks else (stored.last_tick, stored.last_task)
    state.put_schedule(replace(stored, next_tick=next_tick, last_tick=last_tick, last_task=last_task))
    return pushed


def take_back(state: State, before: Stored, fired: Stored, tasks: Collection[TaskId]) -> None:
    """Undo a ``fire`` whose tasks are not stored after all: their ticks are due again, unless the schedule was changed meanwhile."""
    ticks = state.ticks.get(fired.entry.name, {})
    for tick in [tick for tick, told in ticks.items() if told.task in tasks]:
        del ticks[tick]
    stored = state.schedules.get(fired.entry.name)
    if stored is not None and (stored.version, stored.next_tick) == (fired.version, fired.next_tick):
        state.put_schedule(replace(stored, next_tick=before.next_tick, last_tick=before.last_tick, last_task=before.last_task))


# --- reading and acting ----------------------------------------------------------------------------------


def listed(state: State, limit: int) -> list[ScheduleInfo]:
    """Every schedule, by name."""
    return [_schedules.info(state.schedules[name], state.now) for name in sorted(state.schedules)[: max(limit, 0)]]


def fetched(state: State, name: str) -> ScheduleDetail | None:
    """One schedule, whole."""
    stored = state.schedules.get(name)
    ticks = state.ticks.get(name, {})
    return None if stored is None else _schedules.detail(stored, state.now, [ticks[tick] for tick in sorted(ticks, reverse=True)])


def pause(state: State, name: str, actor: Actor) -> ScheduleInfo:
    """Let no tick push a task."""
    stored = _find(state, name)
    if stored.pause is None:
        state.put_schedule(replace(stored, pause=Pause(by=actor.name, since=state.now, reason=actor.reason)))
    state.record(actor, Action.PAUSE_SCHEDULE, (), None, schedule=name)
    return _schedules.info(_find(state, name), state.now)


def resume(state: State, name: str, actor: Actor) -> ScheduleInfo:
    """End the pause."""
    stored = _find(state, name)
    if stored.pause is not None:
        state.put_schedule(replace(stored, pause=None, next_tick=_schedules.first_tick(stored.entry, state.now, stored.last_tick)))
    state.record(actor, Action.RESUME_SCHEDULE, (), None, schedule=name)
    return _schedules.info(_find(state, name), state.now)


def run(state: State, name: str, actor: Actor) -> Pushed:
    """Push one task now."""
    [pushed] = push(state, [task_now(state, name)])
    record_run(state, name, actor, pushed)
    return pushed


def task_now(state: State, name: str) -> NewTask:
    """The task of a schedule whose tick is now. Raises InvalidValue for an unknown one."""
    return _find(state, name).entry.schedule().at(state.now)


def record_run(state: State, name: str, actor: Actor, pushed: Pushed) -> None:
    """Enter a push by a person into the audit."""
    state.record(actor, Action.RUN_SCHEDULE, [pushed.task.id], pushed.task.queue, schedule=name)


def delete(state: State, name: str, actor: Actor) -> None:
    """Forget a schedule and its ticks."""
    _find(state, name)
    state.remove_schedule(name)
    state.record(actor, Action.DELETE_SCHEDULE, (), None, schedule=name)


def _find(state: State, name: str) -> Stored:
    """Raises InvalidValue for an unknown schedule."""
    if name not in state.schedules:
        raise _schedules.unknown(name)
    return state.schedules[name]
