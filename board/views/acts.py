"""Actions: what one would touch and skip, doing it, and what it did, in sentences. The permissions are checked here, below HTTP."""

from collections.abc import Sequence
from typing import Final, assert_never

from board.contexts import ConfirmPart, Link, Notice, Touched
from board.filters import plural, short_id, visible
from board.notices import notice
from board.params import short
from board.screen import Ask, NotFound
from board.security import Permissions
from board.views.rows import Crew, Verb, label_of
from queue_core.expose import Action, Actor, QueueName, Report, Skipped, Status, TaskId, TaskSummary

NAMED: Final = 10
"""Tasks that a confirmation or notice names."""

IRREVERSIBLE: Final = {
    Action.KILL: "Waiting tasks are killed at once; running ones are told to stop. Killed tasks can be retried.",
    Action.DELETE: "They are removed with their attempts and results. This cannot be undone.",
    Action.RETRY: "They run again, now, with one more attempt where needed.",
    Action.RUN_NOW: "They become due now instead of later.",
}


def needs_confirmation(verb: Verb, ids: Sequence[TaskId]) -> bool:
    """Whether a person should see first what will happen."""
    return verb.danger or len(ids) > 1


async def confirmation(ask: Ask, verb: Verb, ids: Sequence[TaskId]) -> ConfirmPart:
    """What an action would touch, and what it would leave alone and why."""
    crew = await Crew.of(ask)
    found = {task.id: task for task in await ask.store.summaries(ids)}
    touched = [_touched(ask, found[id], crew) for id in ids if id in found and found[id].status in verb.states]
    skipped = [_skipped(ask, id, found.get(id), verb, crew) for id in ids if id not in found or found[id].status not in verb.states]
    what = plural(len(touched), "task")
    return ConfirmPart(
        heading=f"{verb.label} {what}?" if touched else "Nothing to do",
        sentence=IRREVERSIBLE[verb.action] if touched else f"None of the chosen tasks can be {verb.done}.",
        action=verb.path,
        label=f"{verb.label} {what}",
        danger=verb.danger,
        url=ask.urls.tasks_act(verb.path),
        fields=(*(("id", str(id)) for id in ids), ("back", ask.back), ("confirmed", "yes")) if touched else (),
        back=ask.urls.at(ask.back),
        touched=tuple(touched[:NAMED]),
        touched_count=len(touched),
        skipped=tuple(skipped[:NAMED]),
        skipped_count=len(skipped),
        asks_reason=bool(touched),
    )


def _touched(ask: Ask, task: TaskSummary, crew: Crew, why: str | None = None) -> Touched:
    return Touched(
        task=Link(label=short_id(task.id), href=ask.urls.task(task.id)),
        name=visible(task.name),
        status=task.status.value.lower(),
        label=label_of(task, crew),
        why=why,
    )


def _skipped(ask: Ask, id: TaskId, task: TaskSummary | None, verb: Verb, crew: Crew) -> Touched:
    if task is None:
        return Touched(task=Link(label=short(id), href=None), name="", status="", label="Gone", why="It is not stored any more.")
    allowed = " or ".join(sorted(status.value for status in verb.states))
    return _touched(ask, task, crew, f"It is {task.status.value}; only a task that is {allowed} can be {verb.done}.")


async def perform(ask: Ask, permissions: Permissions, action: Action, ids: Sequence[TaskId], actor: Actor) -> Report:
    """Do it. Raises Forbidden without the permission."""
    permissions.require(action)
    match action:
        case Action.RETRY:
            return await ask.store.retry(ids, actor=actor)
        case Action.KILL:
            return await ask.store.kill(ids, actor=actor)
        case Action.RUN_NOW:
            return await ask.store.run_now(ids, actor=actor)
        case Action.DELETE:
            return await ask.store.delete(ids, actor=actor)
        case Action.VIEW | Action.PUSH | Action.RESCHEDULE | Action.UPDATE | Action.PAUSE | Action.RESUME:
            raise ValueError(f"{action} is not an action on stored tasks without further values.")
        case Action.PAUSE_SCHEDULE | Action.RESUME_SCHEDULE | Action.RUN_SCHEDULE | Action.DELETE_SCHEDULE:
            raise ValueError(f"{action} is an action on schedules, not on tasks.")
        case _:
            assert_never(action)


async def set_pause(ask: Ask, permissions: Permissions, queue: QueueName, action: Action, actor: Actor) -> Notice:
    """Pause or resume a queue. Raises Forbidden without the permission, NotFound for a queue that nobody ever named."""
    permissions.require(action)
    before = await ask.store.fetch_queue(queue)
    if before is None:
        raise NotFound(f"There is no queue {short(queue)}, so nothing was changed.")
    name = visible(queue)
    if action is Action.RESUME:
        await ask.store.resume(queue, actor=actor)
        return notice("good", f"Resumed queue {name}." if before.pause else f"Queue {name} was not paused.")
    await ask.store.pause(queue, actor=actor)
    if before.pause:
        return notice("warn", f"Queue {name} was paused already, by {visible(before.pause.by)}.")
    return notice("good", f"Paused queue {name}: workers take nothing from it; what runs goes on.")


async def told(ask: Ask, report: Report, verb: Verb) -> Notice:
    """What an action did, in a sentence, and what it left alone and why."""
    changed, left = len(report.changed), len(report.skipped)
    did = await _did(ask, report, verb) if changed else f"No task was {verb.done}"
    kept = f"; left {plural(left, 'task')} alone" if left else ""
    tone = "good" if changed and not left else "warn" if changed else "bad"
    return notice(tone, f"{did}{kept}.", _details(report.skipped))


async def _did(ask: Ask, report: Report, verb: Verb) -> str:
    """A running task is not dead yet when its kill was asked for, so that is said apart."""
    changed = len(report.changed)
    if verb.action is not Action.KILL:
        return verb.told.format(plural(changed, "task"))
    stopping = sum(task.status is Status.RUNNING for task in await ask.store.summaries(report.changed))
    asked = f"asked the workers of {plural(stopping, 'running task')} to stop {'it' if stopping == 1 else 'them'}"
    if not stopping:
        return verb.told.format(plural(changed, "task"))
    return f"{verb.told.format(plural(changed - stopping, 'task'))} and {asked}" if changed > stopping else asked.capitalize()


def _details(skipped: Sequence[Skipped]) -> tuple[str, ...]:
    named = tuple(f"{short_id(skip.id)}: {visible(skip.why)}" for skip in skipped[:NAMED])
    return (*named, f"And {len(skipped) - NAMED:,} more.") if len(skipped) > NAMED else named
