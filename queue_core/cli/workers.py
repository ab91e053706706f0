"""``prinia workers``: who is alive, and what they hold."""

import argparse
from datetime import datetime
from typing import Final

from queue_core.cli.failure import OK, UsageError
from queue_core.cli.output import show_json
from queue_core.cli.store import with_store
from queue_core.cli.table import Column, show
from queue_core.cli.words import relative, size
from queue_core.expose import Expose, QueueName, WorkerInfo

COLUMNS: Final = (
    Column("WORKER", gives=True),
    Column("STATE"),
    Column("RUNNING", right=True),
    Column("HEARD", right=True),
    Column("STARTED", right=True, spare=True),
    Column("MEMORY", right=True, spare=True),
    Column("CPU", right=True, spare=True),
    Column("PROCESS", gives=True),
    Column("QUEUES", gives=True),
)


def show_list(args: argparse.Namespace) -> int:
    """``prinia workers list``."""
    queue = None if args.queue is None else QueueName(args.queue)
    if args.limit < 1:
        raise UsageError(f"--limit must be 1 or more, got {args.limit}.")

    async def ask(store: Expose) -> int:
        workers = await store.list_workers(queue, limit=args.limit)
        show_json(workers) if args.json else _print(workers, await store.now(), queue)
        return OK

    return with_store(args, ask)


def _print(workers: list[WorkerInfo], now: datetime, queue: QueueName | None) -> None:
    if not workers:
        print(f"No worker {f'serves {queue!r}' if queue else 'yet'}. Start one: prinia worker module:app")
        return
    show(COLUMNS, [_row(worker, now) for worker in workers])


def _row(worker: WorkerInfo, now: datetime) -> tuple[str, ...]:
    return (
        worker.name,
        state(worker, now),
        f"{worker.running}/{worker.concurrency}",
        relative(worker.last_heartbeat, now),
        relative(worker.started_at, now),
        size(worker.rss),
        "–" if worker.cpu is None else f"{worker.cpu:.0%}",
        f"{worker.host}:{worker.pid}",
        ", ".join(worker.queues),
    )


def state(worker: WorkerInfo, now: datetime) -> str:
    """Its state; ``silent`` for one that says it runs and has not been heard of within its lease."""
    return "silent" if worker.state.is_live and not worker.is_live(now) else str(worker.state)
