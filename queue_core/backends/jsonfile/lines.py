"""One line of the file: what one transaction changed, or a part of what holds."""

from datetime import datetime
from typing import Any, Final

import msgspec

from queue_core.backends._rows import clean
from queue_core.backends._schedules import Stored
from queue_core.backends.memory.rollups import Tally
from queue_core.backends.memory.tasks import Row
from queue_core.backends.memory.workers import WorkerRow
from queue_core.expose import AuditEntry, FiredTick, Pause, Span
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.limits import Limits
from queue_core.logs import LogEntry
from queue_core.task import Lease


class Line(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Rows as they are after the transaction; None for those that are gone. What is not named did not change."""

    tasks: dict[TaskId, Row | None] = {}
    workers: dict[BootId, WorkerRow | None] = {}
    logs: dict[int, tuple[LogEntry, datetime] | None] = {}
    logged: dict[TaskId, tuple[Lease, int] | None] = {}
    """The last line of each task."""
    rollups: list[tuple[Span, datetime, QueueName, Tally]] = []
    pruned: dict[Span, datetime] = {}
    """Rollups that began before are gone."""
    audit: list[AuditEntry] = []
    """New entries."""
    audit_from: int = 0
    """Entries with a lesser id are gone."""
    pauses: dict[QueueName, Pause | None] | msgspec.UnsetType = msgspec.UNSET
    limits: dict[QueueName, Limits] | msgspec.UnsetType = msgspec.UNSET
    taken: dict[QueueName, dict[str, list[datetime]]] | msgspec.UnsetType = msgspec.UNSET
    schedules: dict[str, Stored] | msgspec.UnsetType = msgspec.UNSET
    ticks: dict[str, dict[datetime, FiredTick]] | msgspec.UnsetType = msgspec.UNSET
    last_claim: datetime | None = None
    last_place: int = 0
    """The place of the last line that was ever logged."""
    last_seq: int = 0
    """The place of the last task that was ever pushed."""


_EMPTY: Final = b"{}"
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Line)


def encoded(line: Line) -> bytes | None:
    """The bytes of a line with its end; None when it says nothing. What UTF-8 cannot hold is made visible."""
    try:
        data = _encoder.encode(line)
    except UnicodeEncodeError:
        data = _encoder.encode(_clean(msgspec.to_builtins(line)))
    return None if data == _EMPTY else data + b"\n"


def decoded(data: bytes) -> Line:
    """The line that ``encoded`` wrote. Raises MsgspecError, UnicodeError or RecursionError for bytes that are none."""
    return _decoder.decode(data)


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {_clean(key): _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return clean(value) if isinstance(value, str) else value


def whole(value: Any) -> bytes:
    """The bytes of a small table, by which a change is seen."""
    return _encoder.encode(value)
