"""What producers do: push."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from queue_core.backends._keys import Verdict, debounced_until, verdict
from queue_core.backends.memory.state import State
from queue_core.backends.memory.tasks import Row
from queue_core.codec import JsonCodec
from queue_core.errors import InvalidValue
from queue_core.ids import QueueName, TaskId
from queue_core.status import Status
from queue_core.task import ARGS_HEAD, NewTask, Pushed, Task


def push(state: State, tasks: Sequence[NewTask]) -> list[Pushed]:
    """Store tasks, all or none. A task whose key is there already is not stored."""
    _check_ids(state, tasks)
    storable = [_storable(task, state.now) for task in tasks]  # before anything is stored, because it may raise
    return [_push(state, new, task) for new, task in zip(tasks, storable, strict=True)]


def _check_ids(state: State, tasks: Sequence[NewTask]) -> None:
    """Raise InvalidValue for an id that is stored already, or would be twice."""
    ids: set[TaskId] = set()
    keys: set[tuple[QueueName, str]] = set()
    for task in tasks:
        if task.key is not None:
            if (task.queue, task.key) in keys or _keeps_key(state, task):
                continue
            keys.add((task.queue, task.key))
        if task.id in ids or state.tasks.get(task.id):
            raise InvalidValue(f"id must be new, but a task has the id {task.id} already. Leave the id out, or use key= to push a task only once.")
        ids.add(task.id)


def _keeps_key(state: State, new: NewTask) -> bool:
    same = state.tasks.with_key(new.queue, new.key)
    return same is not None and verdict(new, same.task, state.now) is not Verdict.RELEASE


def _push(state: State, new: NewTask, task: Task) -> Pushed:
    same = state.tasks.with_key(task.queue, task.key)
    if same is not None:
        match verdict(new, same.task, state.now):
            case Verdict.KEEP:
                return Pushed(task=same.task, created=False)
            case Verdict.REPLACE:
                return _replace(state, same, new, task)
            case Verdict.RELEASE:
                state.change(same, key=None)
    return Pushed(task=state.add(task).task)


def _replace(state: State, row: Row, new: NewTask, task: Task) -> Pushed:
    run_at = debounced_until(new, row.task, state.now)
    state.change(row, name=task.name, args=task.args, args_head=task.args_head, codec=task.codec, run_at=run_at)
    return Pushed(task=row.task, created=False)


def _storable(new: NewTask, now: datetime) -> Task:
    """What is stored of a pushed task. Raises InvalidValue for what cannot be stored."""
    return Task(
        id=new.id,
        seq=0,  # given when it is stored
        queue=new.queue,
        name=new.name,
        status=Status.PENDING,
        priority=new.priority,
        created_at=now,
        run_at=_run_at(new, now),
        max_attempts=new.max_attempts,
        tags=tuple(new.tags),
        args=bytes(new.args),
        args_head=bytes(new.args[:ARGS_HEAD]),
        codec=new.codec,
        timeout=new.timeout,
        retry=new.retry,
        key=new.key,
        group=new.group,
        expires_at=new.expires_at.astimezone(UTC) if new.expires_at else None,
        metadata=as_stored(new.metadata),
        parent=new.parent,
    )


_JSON = JsonCodec()


def as_stored(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a store of bytes gives back."""
    return cast("Mapping[str, Any]", _JSON.decode(_JSON.encode(metadata)))


def _run_at(new: NewTask, now: datetime) -> datetime:
    if new.run_at is not None:
        return new.run_at.astimezone(UTC)
    try:
        return now + timedelta(seconds=new.run_after or 0.0)
    except OverflowError:
        raise InvalidValue(f"run_after must end before the year 10000, got {new.run_after:g} seconds.") from None
