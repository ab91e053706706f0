"""``prinia push``: one task from a shell."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import msgspec

from queue_core.cli.failure import OK, UsageError
from queue_core.cli.output import show_json, task_json
from queue_core.cli.store import actor, app_named, named, with_store
from queue_core.cli.words import moment, relative, seconds
from queue_core.codec import codec_named
from queue_core.expose import Actor, Codec, Expose, NewTask, Pushed, QueueName
from queue_core.middleware import pushed_through

if TYPE_CHECKING:
    from queue_core.app import App
    from queue_core.backend import Backend
    from queue_core.definition import Options, TaskDefinition


def run(args: argparse.Namespace) -> int:
    """Push the task that ``args`` describe: as its app defines it where the store is ``module:app``, else as it was typed."""
    app = app_named(named(args))
    new = None if app else new_task(args)

    async def ask(store: Expose) -> int:
        pushed = (await store.push([new], actor=actor(args)))[0] if new else await push_defined(cast("App", app), args)
        show_json(_as_json(store, pushed)) if args.json else print(_sentence(pushed, await store.now(), args.debounce is not None))
        return OK

    return with_store(args, ask)


def new_task(args: argparse.Namespace) -> NewTask:
    """The task that ``args`` describe, as it was typed. Raises UsageError or InvalidValue."""
    encoded = codec_named("json").encode(arguments(args.args))
    return NewTask(name=args.name, queue=QueueName(args.queue), args=encoded, **options(args))


async def push_defined(app: "App", args: argparse.Namespace) -> Pushed:
    """Push through the definition in ``app``: its checks and its settings, except for those that were typed. Raises UsageError or InvalidValue."""
    from queue_core.definition import TaskDefinition

    definition: TaskDefinition[..., Any] = TaskDefinition(Typist(app, actor(args)), _definition(app, args).handler)
    (handle,) = await definition.using(**cast("Options", options(args))).push_many([arguments(args.args)])
    return Pushed(task=handle.task, created=handle.created)


def _definition(app: "App", args: argparse.Namespace) -> "TaskDefinition[..., Any]":
    definition = app.tasks.get(args.name)
    if definition is None:
        known = f"Its tasks: {', '.join(sorted(app.tasks))}." if app.tasks else "It has none."
        raise UsageError(f"{named(args)} has no task {args.name!r}. {known}")
    if args.queue != definition.queue:
        raise UsageError(f"{args.name} goes to the queue {definition.queue}, got {args.queue!r}. Write: prinia push {definition.queue} {args.name} …")
    return definition


@dataclass(frozen=True, slots=True)
class Typist:
    """An app as its definitions need it, whose pushes are recorded in the audit under the name of who typed."""

    app: "App"
    actor: Actor

    @property
    def backend(self) -> "Backend":
        """The app's."""
        return self.app.backend

    @property
    def expose(self) -> Expose:
        """The app's."""
        return self.app.expose

    @property
    def codec(self) -> Codec:
        """The app's."""
        return self.app.codec

    @property
    def codecs(self) -> Mapping[str, Codec]:
        """The app's."""
        return self.app.codecs

    async def open(self) -> None:
        """Connect the app."""
        await self.app.open()

    async def push(self, tasks: Sequence[NewTask], connection: Any = None) -> list[Pushed]:
        """Store tasks, recorded; a shell has no transaction to join."""
        return await self.expose.push(pushed_through(self.app.on_push, tasks), actor=self.actor)


def options(args: argparse.Namespace) -> dict[str, Any]:
    """The settings of the task that were typed. Raises InvalidValue."""
    typed = {
        "run_after": None if args.run_after is None else seconds(args.run_after),
        "run_at": None if args.run_at is None else moment(args.run_at),
        "priority": args.priority,
        "max_attempts": args.max_attempts,
        "timeout": None if args.timeout is None else seconds(args.timeout),
        "key": args.key,
        "unique": args.unique if args.unique in {None, "ever", "live"} else seconds(args.unique),
        "debounce": None if args.debounce is None else seconds(args.debounce),
        "debounce_max": None if args.debounce_max is None else seconds(args.debounce_max),
        "group": args.group,
        "tags": tuple(args.tag),
    }
    return {name: value for name, value in typed.items() if value is not None}


def arguments(text: str) -> dict[str, Any]:
    """The arguments that a JSON object names; ``-`` reads it from standard input. Raises UsageError."""
    source = _readable(text)
    try:
        value = msgspec.json.decode(source)
    except msgspec.DecodeError as error:
        raise UsageError(f"The arguments must be a JSON object, as '{{\"user_id\": 42}}', got {source[:60]!r}: {error}.") from None
    if not isinstance(value, dict):
        raise UsageError(f"The arguments must be a JSON object that names each parameter, as '{{\"user_id\": 42}}', got {source[:60]!r}.")
    return value


def _readable(text: str) -> str:
    try:
        source = sys.stdin.read() if text == "-" else text
        source.encode()  # bytes that are no UTF-8 come in as lone surrogates, or not at all
    except UnicodeError:
        raise UsageError("The arguments must be JSON in UTF-8, and these bytes are not. Convert them first, as with iconv -t UTF-8.") from None
    return source


def _sentence(pushed: Pushed, now: datetime, debounced: bool) -> str:
    task = pushed.task
    if not pushed.created:
        return f"{task.id} was there already with the key {task.key!r} ({task.status}); {_kept(debounced)}."
    due = f", due {relative(task.run_at, now)}" if task.is_scheduled(now) else ""
    return f"{task.id} pushed: {task.name} in {task.queue}{due}."


def _kept(debounced: bool) -> str:
    return "it has the new arguments, and waits anew" if debounced else "nothing was pushed"


def _as_json(store: Expose, pushed: Pushed) -> dict[str, Any]:
    return task_json(store, pushed.task) | {"created": pushed.created}
