"""Rows of the store to the nouns of the contracts, and back. The order of the columns is that of the statements."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, overload

import msgspec

from queue_core.backoff import Retry
from queue_core.clock import from_us, to_us
from queue_core.errors import InvalidValue
from queue_core.logs import LogEntry
from queue_core.status import KillReason, Status
from queue_core.task import ARGS_HEAD, Attempt, AttemptOutcome, Claim, ErrorInfo, Lease, NewTask, Task, TaskSummary
from queue_core.worker_info import WorkerInfo, WorkerState

Row = Sequence[Any]

_STATUS: Mapping[str, Status] = {status.value: status for status in Status}
_SUMMARY_COLUMNS = 23


def summary(row: Row) -> TaskSummary:
    """A row of ``SUMMARY`` columns followed by the codec and the beginning of the arguments."""
    return TaskSummary(**_summary_fields(row), codec=row[_SUMMARY_COLUMNS], args_head=row[_SUMMARY_COLUMNS + 1] or b"")


def task(row: Row) -> Task:
    """A row of ``SUMMARY`` columns followed by those of the payload."""
    args, codec, result, timeout, retry_text, key, expires_at, metadata, parent, checkpoint, group = row[_SUMMARY_COLUMNS:]
    return Task(
        **_summary_fields(row),
        args=args,
        args_head=args[:ARGS_HEAD],
        codec=codec,
        result=result,
        timeout=timeout,
        retry=retry(retry_text),
        key=key,
        expires_at=moment(expires_at),
        metadata=mapping(metadata),
        parent=parent,
        checkpoint=checkpoint,
        group=group,
    )


def _summary_fields(row: Row) -> dict[str, Any]:
    return {
        "id": row[0],
        "seq": row[1],
        "queue": row[2],
        "name": row[3],
        "status": _STATUS[row[4]],
        "reason": KillReason(row[5]) if row[5] else None,
        "priority": row[6],
        "created_at": from_us(row[7]),
        "run_at": from_us(row[8]),
        "attempts": row[9],
        "max_attempts": row[10],
        "crashes": row[11],
        "worker": row[12],
        "boot": row[13],
        "queued_at": moment(row[14]),
        "started_at": moment(row[15]),
        "done_at": moment(row[16]),
        "ran_for": seconds(row[17]),
        "kill_requested_at": moment(row[18]),
        "progress": row[19],
        "progress_note": row[20],
        "error": row[21],
        "tags": texts(row[22]),
    }


def claim(row: Row) -> Claim:
    """A row that ``lease`` returned."""
    id, boot, token, queue, name, args, codec, attempts, max_attempts = row[:9]
    priority, run_at, created_at, timeout, retry_text, metadata, status, crashes, checkpoint, group, *_ = row[9:]
    started = status == "Running"
    due_at = from_us(run_at)
    return Claim(
        Lease(id, boot, token),
        queue,
        name,
        args,
        codec,
        attempts if started else attempts + 1,
        max_attempts,
        priority,
        due_at,
        due_at if created_at == run_at else from_us(created_at),
        timeout,
        retry(retry_text) if retry_text else None,
        mapping(metadata) if metadata else {},
        started,
        crashes,
        checkpoint,
        group,
    )


def attempt(task_id: str, row: Row) -> Attempt:
    """A row of the history of ``task_id``."""
    number, worker, started_at, finished_at, ran_us, outcome, error_type, message, traceback = row
    return Attempt(
        task_id=task_id,  # type: ignore[arg-type]  # as it was given
        number=number,
        worker=worker,
        started_at=moment(started_at),
        finished_at=moment(finished_at),
        ran_for=seconds(ran_us),
        outcome=AttemptOutcome(outcome),
        error=ErrorInfo(type=error_type, message=message or "", traceback=traceback or "") if error_type else None,
    )


def log_entry(row: Row) -> LogEntry:
    """A row of the log."""
    place, task, queue, attempt, number, at, level, logger, message, *_ = row
    return LogEntry(
        place=place, task_id=task, queue=queue, attempt=attempt, number=number, at=from_us(at), level=level, logger=logger, message=message
    )  # fmt: skip


def worker(row: Row, backend: str) -> WorkerInfo:
    """A row of the workers."""
    (
        boot,
        name,
        queues,
        names,
        host,
        pid,
        version,
        middleware,
        concurrency,
        lease_us,
        state,
        started_at,
        last_heartbeat,
        stopped_at,
        running,
        rss,
        cpu,
    ) = row
    return WorkerInfo(
        boot=boot,
        name=name,
        queues=texts(queues),  # type: ignore[arg-type]  # stored from queue names
        names=None if names is None else texts(names),
        host=host,
        pid=pid,
        version=version,
        middleware=texts(middleware),
        concurrency=concurrency,
        lease_ttl=lease_us / 1_000_000,
        state=WorkerState(state),
        started_at=from_us(started_at),
        last_heartbeat=from_us(last_heartbeat),
        stopped_at=moment(stopped_at),
        running=running,
        rss=rss,
        cpu=cpu,
        backend=backend,
    )


def stored(new: NewTask, seq: int, now: datetime, run_at: datetime) -> Task:
    """``new`` as it is once it is stored."""
    return Task(
        id=new.id,
        seq=seq,
        queue=new.queue,
        name=new.name,
        status=Status.PENDING,
        priority=new.priority,
        created_at=now,
        run_at=run_at,
        max_attempts=new.max_attempts,
        tags=tuple(new.tags),
        args=new.args,
        args_head=new.args[:ARGS_HEAD],
        codec=new.codec,
        timeout=new.timeout,
        retry=new.retry,
        key=new.key,
        group=new.group,
        expires_at=new.expires_at and from_us(to_us(new.expires_at)),
        metadata=new.metadata,
        parent=new.parent,
    )


# --- single values ---------------------------------------------------------------------------------------


def moment(us: int | None) -> datetime | None:
    """A stored time."""
    return None if us is None else from_us(us)


def seconds(us: int | None) -> float | None:
    """A stored duration."""
    return None if us is None else us / 1_000_000


def to_json(value: Any) -> str:
    """``value`` as JSON text. Raises InvalidValue for what JSON cannot hold."""
    try:
        return msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidValue(f"Only values that JSON can hold are stored beside a task, got {type(value).__name__}: {error}.") from error


# Somebody may have written a row by hand. What cannot be read then is shown as it is, and stops neither a claim nor a list.


def texts(stored: str | None) -> tuple[str, ...]:
    """A stored list of texts."""
    try:
        return tuple(msgspec.json.decode(stored, type=list[str])) if stored else ()
    except (msgspec.MsgspecError, UnicodeError):
        return (f"unreadable: {stored}",)


def mapping(stored: str | None) -> Mapping[str, Any]:
    """Stored metadata."""
    try:
        return msgspec.json.decode(stored, type=dict[str, Any]) if stored else {}
    except (msgspec.MsgspecError, UnicodeError):
        return {"unreadable": stored}


def retry(stored: str | None) -> Retry | None:
    """A stored retry policy; None, which means the handler's own, for one that cannot be read."""
    try:
        return msgspec.json.decode(stored, type=Retry) if stored else None
    except (msgspec.MsgspecError, InvalidValue, UnicodeError):
        return None


@overload
def clean(text: str) -> str: ...
@overload
def clean(text: str | None) -> str | None: ...
def clean(text: str | None) -> str | None:
    """``text`` with lone surrogates made visible, since UTF-8 cannot hold them."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
