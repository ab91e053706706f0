"""``prinia tasks``: look at tasks and act on them."""

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from queue_core.cli.failure import FAILED, OK, CommandFailed, UsageError
from queue_core.cli.output import readable, show_json, task_json
from queue_core.cli.store import actor, with_store
from queue_core.cli.table import Column, show
from queue_core.cli.words import duration, harmless, many, relative, stamp
from queue_core.expose import Attempt, Cursor, Expose, Page, QueueName, Report, Status, Task, TaskFilter, TaskId, TaskSummary

COLUMNS: Final = (
    Column("ID"),
    Column("STATE", gives=True),
    Column("QUEUE", gives=True),
    Column("NAME", gives=True),
    Column("TRIED", right=True, spare=True),
    Column("PUSHED", right=True, spare=True),
    Column("DUE / RAN", right=True, spare=True),
    Column("ERROR", gives=True, spare=True),
)
MOST: Final = 1000
DONE_WORDS: Final = {"retry": "Retried", "kill": "Killed, or asked its worker to:", "delete": "Deleted", "run-now": "Made due now:"}


# --- list ------------------------------------------------------------------------------------------------


def show_list(args: argparse.Namespace) -> int:
    """``prinia tasks list``."""
    wanted = _filter(args)
    if not 1 <= args.limit <= MOST:
        raise UsageError(f"--limit must be from 1 to {MOST}, got {args.limit}. Use --start with the cursor of a page to go on.")

    async def ask(store: Expose) -> int:
        page = await store.list_tasks(wanted, start=None if args.start is None else Cursor(args.start), limit=args.limit)
        show_json(page) if args.json else _print_page(page, await store.now(), wanted)
        return OK

    return with_store(args, ask)


def _filter(args: argparse.Namespace) -> TaskFilter:
    queue = None if args.queue is None else QueueName(args.queue)
    return TaskFilter(queue=queue, statuses=statuses(args.status), name=args.name, text=args.text)


def statuses(text: str | None) -> tuple[Status, ...]:
    """The states that ``Failed,killed`` names, in any case. Raises UsageError."""
    known = {status.value.lower(): status for status in Status}
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in names:
        if name.lower() not in known:
            raise UsageError(f"--status must be among {', '.join(Status)}, got {name!r}.")
    return tuple(dict.fromkeys(known[name.lower()] for name in names))


def _print_page(page: Page, now: datetime, wanted: TaskFilter) -> None:
    if not page.tasks:
        print("No task is stored." if wanted == TaskFilter() else "No task fits.")
    else:
        show(COLUMNS, [_row(task, now) for task in page.tasks])
    if page.searched is not None:
        print(f"\nThe newest {many(page.searched, 'task')} were searched.")
    if page.older is not None:
        print(f"\nOlder ones: --start {page.older}")


def _row(task: TaskSummary, now: datetime) -> tuple[str, ...]:
    tried = f"{task.attempts}/{task.max_attempts}"
    return (task.id, _state(task, now), task.queue, task.name, tried, relative(task.created_at, now), _when(task, now), task.error or "")


def _state(task: TaskSummary, now: datetime) -> str:
    if task.reason is not None:
        return f"{task.status} ({task.reason})"
    return "Pending (scheduled)" if task.is_scheduled(now) else str(task.status)


def _when(task: TaskSummary, now: datetime) -> str:
    if task.status in {Status.PENDING, Status.FAILED}:
        return f"due {relative(task.run_at, now)}"
    if task.status is Status.RUNNING and task.started_at is not None:
        return f"for {duration((now - task.started_at).total_seconds())}"
    return "" if task.ran_for is None else f"ran {duration(task.ran_for)}"


# --- show ------------------------------------------------------------------------------------------------


def task_id(text: str) -> TaskId:
    """``text`` as the id of a task. Raises UsageError when it is blank."""
    if not text.strip():
        raise UsageError(f"An id must not be blank, got {text!r}. prinia tasks list shows the ids.")
    return TaskId(text)


def show_one(args: argparse.Namespace) -> int:
    """``prinia tasks show``."""

    async def ask(store: Expose) -> int:
        task = await store.fetch(task_id(args.id))
        if task is None:
            raise CommandFailed(f"No stored task has the id {args.id}. It was never pushed here, or retention removed it.")
        attempts = await store.attempts(task.id)
        if args.json:
            show_json(task_json(store, task) | {"history": attempts})
        else:
            _print_task(store, task, attempts, await store.now())
        return OK

    return with_store(args, ask)


def _print_task(store: Expose, task: Task, attempts: Sequence[Attempt], now: datetime) -> None:
    for title, value in _facts(task, now):
        print(f"{title:<10} {harmless(value)}")
    print(f"\nArguments\n{_payload(store, task, task.args)}")
    if task.result is not None:
        print(f"\nResult\n{_payload(store, task, task.result)}")
    if task.checkpoint is not None:
        print(f"\nCheckpoint\n{_payload(store, task, task.checkpoint)}")
    if attempts:
        print("\nAttempts")
    for attempt in attempts:
        _print_attempt(attempt)


def _facts(task: Task, now: datetime) -> list[tuple[str, str]]:
    facts = [
        ("Task", task.id),
        ("State", _state(task, now)),
        ("Name", task.name),
        ("Queue", task.queue),
        ("Priority", str(task.priority)),
        ("Tried", f"{task.attempts} of {task.max_attempts}" + (f"; its worker died {many(task.crashes, 'time')}" if task.crashes else "")),
        ("Pushed", f"{stamp(task.created_at)} ({relative(task.created_at, now)})"),
        ("Due", f"{stamp(task.run_at)} ({relative(task.run_at, now)})"),
        ("Started", stamp(task.started_at)),
        ("Finished", stamp(task.done_at)),
        ("Ran", "–" if task.ran_for is None else duration(task.ran_for)),
        ("Worker", task.worker or "–"),
    ]
    optional = {
        "Key": task.key,
        "Tags": ", ".join(task.tags),
        "Limit": None if task.timeout is None else f"{duration(task.timeout)} an attempt",
        "Expires": None if task.expires_at is None else stamp(task.expires_at),
        "Progress": None if task.progress is None else f"{task.progress:.0%} {task.progress_note or ''}",
        "Kill asked": None if task.kill_requested_at is None else stamp(task.kill_requested_at),
        "Metadata": msgspec.json.encode(task.metadata).decode() if task.metadata else None,
    }
    return facts + [(title, value) for title, value in optional.items() if value]


def _payload(store: Expose, task: Task, payload: bytes) -> str:
    value: Any = readable(store, task.codec, payload)
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return "\n".join(f"  {line}" for line in harmless(text, lines=True).splitlines())


def _print_attempt(attempt: Attempt) -> None:
    took = "" if attempt.ran_for is None else f" after {duration(attempt.ran_for)}"
    print(f"  {attempt.number}. {attempt.outcome or 'running'}{took}, started {stamp(attempt.started_at)} on {harmless(attempt.worker or '–')}")
    if attempt.error is not None:
        text = attempt.error.traceback.rstrip() or attempt.error.line
        print("\n".join(f"     {line}" for line in harmless(text, lines=True).splitlines()))


# --- act -------------------------------------------------------------------------------------------------


def act(args: argparse.Namespace) -> int:
    """``prinia tasks retry``, ``kill``, ``delete`` and ``run-now``. Ends with 1 if any task was left alone."""
    ids = [task_id(text) for text in dict.fromkeys(args.ids)]

    async def ask(store: Expose) -> int:
        report = await _verb(store, args.action)(ids, actor=actor(args))
        show_json(report) if args.json else _print_report(report, args.action)
        return FAILED if report.skipped else OK

    return with_store(args, ask)


def _verb(store: Expose, action: str) -> "Callable[..., Awaitable[Report]]":
    verbs: dict[str, Callable[..., Awaitable[Report]]] = {
        "retry": store.retry,
        "kill": store.kill,
        "delete": store.delete,
        "run-now": store.run_now,
    }
    return verbs[action]


def _print_report(report: Report, action: str) -> None:
    if report.changed:
        print(f"{DONE_WORDS[action]} {many(len(report.changed), 'task')}.")
    for skipped in report.skipped:
        print(f"Left alone: {harmless(skipped.why)}", file=sys.stderr)
