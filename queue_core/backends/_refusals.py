"""Why an action leaves a task alone, in words for people. Shared by all backends, so that they say the same."""

from queue_core.expose import Action, Skipped
from queue_core.ids import TaskId
from queue_core.status import DELETABLE, KILLABLE, RESCHEDULABLE, RETRYABLE, Status

ALLOWED: dict[Action, frozenset[Status]] = {
    Action.RETRY: RETRYABLE,
    Action.KILL: KILLABLE,
    Action.RUN_NOW: RESCHEDULABLE,
    Action.RESCHEDULE: RESCHEDULABLE,
    Action.UPDATE: RESCHEDULABLE,
    Action.DELETE: DELETABLE,
}
"""The states in which each action changes a task."""

_WORDS = {
    Action.RETRY: "retried",
    Action.KILL: "killed",
    Action.RUN_NOW: "run now",
    Action.RESCHEDULE: "rescheduled",
    Action.UPDATE: "changed",
    Action.DELETE: "deleted",
}
_CURES = {
    Action.RETRY: "It will run without it.",
    Action.KILL: "It has ended already.",
    Action.RUN_NOW: "Retry it once it has ended.",
    Action.RESCHEDULE: "Retry it once it has ended.",
    Action.UPDATE: "Push another one, or change it when it waits for its next attempt.",
    Action.DELETE: "Kill it first.",
}


def refusal(action: Action, id: TaskId, status: Status | None) -> Skipped | None:
    """Why ``action`` must leave a task in ``status`` (None: not stored) alone; None when it need not."""
    if status is None:
        return Skipped(id, None, f"No task has the id {id}. It was never pushed here, or it was removed.")
    allowed = ALLOWED[action]
    if status in allowed:
        return None
    names = [state.value for state in Status if state in allowed]
    listed = f"{', '.join(names[:-1])} or {names[-1]}"
    return Skipped(id, status, f"Task {id} is {status.value}; only {listed} tasks can be {_WORDS[action]}. {_cure(action, status)}")


def _cure(action: Action, status: Status) -> str:
    if status.is_final and action in {Action.RUN_NOW, Action.RESCHEDULE}:
        return "Retry it instead."
    if status.is_final and action is Action.UPDATE:
        return "Push another one."
    return _CURES[action]
