"""``prinia queues``: look at queues, pause and resume them."""

import argparse
from datetime import datetime
from typing import Final

from queue_core.cli.failure import OK
from queue_core.cli.output import show_json
from queue_core.cli.store import actor, with_store
from queue_core.cli.table import Column, show
from queue_core.cli.words import relative
from queue_core.expose import COUNT_CAP, Expose, QueueInfo, QueueName

COLUMNS: Final = (
    Column("QUEUE", gives=True),
    Column("PENDING", right=True),
    Column("SCHEDULED", right=True, spare=True),
    Column("QUEUED", right=True, spare=True),
    Column("RUNNING", right=True),
    Column("FAILED", right=True),
    Column("DONE", right=True),
    Column("KILLED", right=True),
    Column("OLDEST DUE", right=True, spare=True),
    Column("WORKERS", right=True, spare=True),
    Column("SLOTS", right=True, spare=True),
    Column("PAUSED", gives=True),
)


def show_list(args: argparse.Namespace) -> int:
    """``prinia queues list``."""

    async def ask(store: Expose) -> int:
        queues = await store.list_queues()
        show_json(queues) if args.json else _print(queues, await store.now())
        return OK

    return with_store(args, ask)


def act(args: argparse.Namespace) -> int:
    """``prinia queues pause`` and ``resume``."""

    async def ask(store: Expose) -> int:
        verb = {"pause": store.pause, "resume": store.resume}[args.action]
        queue = await verb(QueueName(args.queue), actor=actor(args))
        show_json(queue) if args.json else print(_sentence(queue, await store.now()))
        return OK

    return with_store(args, ask)


def _print(queues: list[QueueInfo], now: datetime) -> None:
    if not queues:
        print("No queue yet: the first push or worker makes one.")
        return
    show(COLUMNS, [_row(queue, now) for queue in queues])


def _row(queue: QueueInfo, now: datetime) -> tuple[str, ...]:
    counts = queue.counts
    scheduled = f"{COUNT_CAP - 1:,}+" if queue.scheduled >= COUNT_CAP else f"{queue.scheduled:,}"
    return (
        queue.name,
        f"{counts.pending:,}",
        scheduled,
        *(f"{number:,}" for number in (counts.queued, counts.running, counts.failed, counts.done, counts.killed)),
        relative(queue.oldest_due, now),
        f"{len(queue.workers)}",
        f"{queue.slots}",
        _pause(queue, now),
    )


def _pause(queue: QueueInfo, now: datetime) -> str:
    if queue.pause is None:
        return ""
    why = f": {queue.pause.reason}" if queue.pause.reason else ""
    return f"by {queue.pause.by} {relative(queue.pause.since, now)}{why}"


def _sentence(queue: QueueInfo, now: datetime) -> str:
    return f"{queue.name} is paused, {_pause(queue, now)}." if queue.pause else f"{queue.name} is active."
