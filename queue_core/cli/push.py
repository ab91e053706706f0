"""``prinia push``: one task from a shell."""

import argparse
import sys
from datetime import datetime
from typing import Any

import msgspec

from queue_core.cli.failure import OK, UsageError
from queue_core.cli.output import show_json, task_json
from queue_core.cli.store import actor, with_store
from queue_core.cli.words import moment, relative, seconds
from queue_core.codec import codec_named
from queue_core.expose import Expose, NewTask, Pushed, QueueName


def run(args: argparse.Namespace) -> int:
    """Push the task that ``args`` describe."""
    task = new_task(args)

    async def ask(store: Expose) -> int:
        (pushed,) = await store.push([task], actor=actor(args))
        show_json(_as_json(store, pushed)) if args.json else print(_sentence(pushed, await store.now()))
        return OK

    return with_store(args, ask)


def new_task(args: argparse.Namespace) -> NewTask:
    """The task that ``args`` describe. Raises UsageError or InvalidValue."""
    return NewTask(
        name=args.name,
        queue=QueueName(args.queue),
        args=codec_named("json").encode(arguments(args.args)),
        run_after=None if args.run_after is None else seconds(args.run_after),
        run_at=None if args.run_at is None else moment(args.run_at),
        priority=args.priority,
        max_attempts=args.max_attempts,
        timeout=None if args.timeout is None else seconds(args.timeout),
        key=args.key,
        tags=tuple(args.tag),
    )


def arguments(text: str) -> dict[str, Any]:
    """The arguments that a JSON object names; ``-`` reads it from standard input. Raises UsageError."""
    source = sys.stdin.read() if text == "-" else text
    try:
        value = msgspec.json.decode(source)
    except msgspec.DecodeError as error:
        raise UsageError(f"The arguments must be a JSON object, as '{{\"user_id\": 42}}', got {source[:60]!r}: {error}.") from None
    if not isinstance(value, dict):
        raise UsageError(f"The arguments must be a JSON object that names each parameter, as '{{\"user_id\": 42}}', got {source[:60]!r}.")
    return value


def _sentence(pushed: Pushed, now: datetime) -> str:
    task = pushed.task
    if not pushed.created:
        return f"{task.id} was there already with the key {task.key!r} ({task.status}); nothing was pushed."
    due = f", due {relative(task.run_at, now)}" if task.is_scheduled(now) else ""
    return f"{task.id} pushed: {task.name} in {task.queue}{due}."


def _as_json(store: Expose, pushed: Pushed) -> dict[str, Any]:
    return task_json(store, pushed.task) | {"created": pushed.created}
