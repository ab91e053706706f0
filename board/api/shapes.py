"""The JSON shapes of the seed board, with Prinia's own fields beside the seed's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from board.filters import iso, visible
from board.payloads import plain_json, redacted, redacted_text
from board.screen import Ask
from queue_core.expose import Attempt, AuditEntry, Bucket, DecodeError, LogEntry, QueueInfo, Report, Statistic, Task, WorkerInfo

Json = dict[str, Any]


def queue(info: QueueInfo, statistics: Sequence[Statistic], activity: Sequence[Bucket]) -> Json:
    """QueueInfo; ``activity``: finished tasks a day, over the last seven days."""
    return {
        "name": info.name,
        "stats": [statistic(one) for one in statistics],
        "workers": list(info.workers),
        "activity": [day.done + day.killed for day in activity],
        "counts": {"pending": info.counts.pending, "queued": info.counts.queued, "running": info.counts.running}
        | {"done": info.counts.done, "failed": info.counts.failed, "killed": info.counts.killed},
        "scheduled": info.scheduled,
        "oldest_due": _moment(info.oldest_due),
        "slots": info.slots,
        "paused": {"by": info.pause.by, "since": iso(info.pause.since), "reason": info.pause.reason} if info.pause else None,
    }


def statistic(one: Statistic) -> Json:
    """Statistic."""
    return {"title": one.title, "stat_type": one.stat_type.value, "value": one.value, "priority": one.priority}


def workers(worker: WorkerInfo, only: str | None = None) -> list[Json]:
    """RunningWorker, one for each queue that the worker serves."""
    return [_worker(worker, queue) for queue in worker.queues if only in (None, queue)]


def _worker(worker: WorkerInfo, queue: str) -> Json:
    return {
        "id": worker.name,
        "queue": queue,
        "backend": worker.backend,
        "started_at": _seconds(worker.started_at),
        "last_heartbeat": _seconds(worker.last_heartbeat),
        "layers": ", ".join(worker.middleware),
        "boot": worker.boot,
        "state": worker.state.value,
        "host": worker.host,
        "pid": worker.pid,
        "version": worker.version,
        "concurrency": worker.concurrency,
        "running": worker.running,
        "stopped_at": _moment(worker.stopped_at),
    }


def task(ask: Ask, task: Task) -> Json:
    """Task, as the seed shows it; times to the millisecond beside its whole seconds."""
    args, problem = value(ask, task, task.args)
    result, _ = value(ask, task, task.result) if task.result is not None else (None, None)
    return {
        "args": args,
        "parts": {
            "task_id": task.id,
            "attempt": task.attempts,
            "status": task.status.value,
            "run_at": _seconds(task.run_at),
            "ctx": {
                "max_attempts": task.max_attempts,
                "last_result": result if task.result is not None else _error(ask, task),
                "lock_at": _whole(task.queued_at),
                "lock_by": task.worker,
                "done_at": _whole(task.done_at),
                "priority": task.priority,
                "queue": task.queue,
                "meta": redacted(task.name, dict(task.metadata), ask.redact),
                "_pool": None,
            },
        },
        "name": task.name,
        "reason": task.reason.value if task.reason else None,
        "error": redacted_text(task.name, task.error, ask.redact),
        "args_problem": problem,
        "created_at": iso(task.created_at),
        "due_at": iso(task.run_at),
        "started_at": _moment(task.started_at),
        "finished_at": _moment(task.done_at),
        "crashes": task.crashes,
        "key": task.key,
        "tags": list(task.tags),
        "progress": task.progress,
    }


def _error(ask: Ask, task: Task) -> Json | None:
    """A failed task's result as the seed stores it: ``{"Err": …}``."""
    return {"Err": redacted_text(task.name, task.error, ask.redact)} if task.error else None


def value(ask: Ask, task: Task, data: bytes) -> tuple[Any, str | None]:
    """A payload as JSON; one that cannot be decoded as null, with the reason."""
    try:
        return msgspec.Raw(plain_json(data, task.codec, name=task.name, codecs=ask.store.codecs, redact=ask.redact)), None
    except DecodeError as error:
        return None, str(error)


def attempt(ask: Ask, task: Task, one: Attempt) -> Json:
    """One attempt of a task."""
    error = one.error
    return {
        "number": one.number,
        "worker": one.worker,
        "started_at": _moment(one.started_at),
        "finished_at": _moment(one.finished_at),
        "ran_for": one.ran_for,
        "outcome": one.outcome.value if one.outcome else None,
        "error": {
            "type": error.type,
            "message": redacted_text(task.name, error.message, ask.redact),
            "traceback": redacted_text(task.name, error.traceback, ask.redact),
        }
        if error
        else None,
    }


def report(done: Report) -> Json:
    """What an action did."""
    skipped = [{"id": skip.id, "status": skip.status.value if skip.status else None, "why": skip.why} for skip in done.skipped]
    return {"action": done.action.value, "changed": list(done.changed), "skipped": skipped}


def audit(entry: AuditEntry) -> Json:
    """One action of a person."""
    return {
        "id": entry.id,
        "at": iso(entry.at),
        "actor": entry.actor,
        "action": entry.action.value,
        "queue": entry.queue,
        "task_ids": list(entry.task_ids),
        "count": entry.count,
        "reason": entry.reason,
        "schedule": entry.schedule,
    }


def log_line(ask: Ask, task: Task, entry: LogEntry) -> Json:
    """LogEntry, of a line that the task's handler logged."""
    message = redacted_text(task.name, entry.message, ask.redact) or ""
    return log_entry(
        task_id=task.id,
        name=task.name,
        attempt=entry.attempt,
        level=visible(entry.level_name),
        at=entry.at,
        message=message,
        target=visible(entry.logger),
    )


def log_entry(*, task_id: str, name: str, attempt: int, level: str, at: datetime, message: str, target: str = "prinia", **fields: Any) -> Json:
    """LogEntry."""
    span: Mapping[str, Any] = {"attempt": attempt, "task_id": task_id, "name": name}
    return {"span": span, "level": level, "timestamp": iso(at), "target": target, "fields": {"message": message, **fields}}


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _whole(moment: datetime | None) -> int | None:
    return _seconds(moment) if moment else None


def _moment(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None
