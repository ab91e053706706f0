"""The table of workers: one row per process life."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from queue_core.backends._process import is_gone
from queue_core.ids import BootId, QueueName
from queue_core.worker_info import Registration, WorkerInfo, WorkerState


@dataclass(slots=True, eq=False)
class WorkerRow:
    """One process life, as it registered and as it is now."""

    registration: Registration
    info: WorkerInfo


class WorkerTable:
    """All workers that a store remembers."""

    def __init__(self) -> None:
        self._rows: dict[BootId, WorkerRow] = {}

    def add(self, worker: Registration, now: datetime) -> None:
        """Record a process life as running."""
        self._rows[worker.boot] = WorkerRow(worker, _info(worker, now))

    def put(self, row: WorkerRow, **changes: Any) -> None:
        """Store changed columns of a worker."""
        row.info = replace(row.info, **changes)

    def remove(self, row: WorkerRow) -> None:
        """Forget a process life."""
        del self._rows[row.info.boot]

    def get(self, boot: BootId | None) -> WorkerRow | None:
        """The row of a process life."""
        return self._rows.get(boot) if boot is not None else None

    def holds_leases(self, boot: BootId) -> bool:
        """Whether a process life is registered and was not declared lost or stopped."""
        row = self.get(boot)
        return row is not None and row.info.state.is_live

    def living(self, now: datetime, queue: QueueName) -> list[WorkerInfo]:
        """The living workers that serve a queue, by name."""
        return sorted((worker for worker in self._infos(queue) if worker.is_live(now)), key=lambda worker: worker.name)

    def lapsed(self, now: datetime) -> list[WorkerRow]:
        """Workers that say that they live, but whose lease has run out."""
        return [row for row in self._rows.values() if row.info.state.is_live and not row.info.is_live(now)]

    def claiming_to_live(self, worker: Registration) -> list[WorkerRow]:
        """Other process lives with the worker's name that have not ended properly."""
        return [row for row in self._rows.values() if row.info.name == worker.name and row.info.boot != worker.boot and row.info.state.is_live]

    def ended(self, before: datetime) -> list[WorkerRow]:
        """Workers that ended at ``before`` or earlier."""
        return [row for row in self._rows.values() if row.info.stopped_at is not None and row.info.stopped_at <= before]

    def listed(self, now: datetime, queue: QueueName | None, limit: int) -> list[WorkerInfo]:
        """The living by name, then those that ended, latest first."""
        found = self._infos(queue)
        living = sorted((worker for worker in found if worker.is_live(now)), key=lambda worker: worker.name)
        others = sorted((worker for worker in found if not worker.is_live(now)), key=_ended_at, reverse=True)
        return (living + others)[: max(0, limit)]

    def _infos(self, queue: QueueName | None) -> list[WorkerInfo]:
        return [row.info for row in self._rows.values() if queue is None or queue in row.info.queues]


def is_alive(row: WorkerRow, now: datetime, seen_from: Registration) -> bool:
    """Whether a worker still lives, as far as another one can tell."""
    return row.info.is_live(now) and not is_gone(row.registration, seen_from)


def _ended_at(worker: WorkerInfo) -> datetime:
    return worker.stopped_at or worker.last_heartbeat


def _info(worker: Registration, now: datetime) -> WorkerInfo:
    return WorkerInfo(
        boot=worker.boot,
        name=worker.name,
        queues=worker.queues,
        names=worker.names,
        host=worker.host,
        pid=worker.pid,
        version=worker.version,
        middleware=worker.middleware,
        concurrency=worker.concurrency,
        lease_ttl=worker.lease_ttl,
        state=WorkerState.RUNNING,
        started_at=now,
        last_heartbeat=now,
        stopped_at=None,
        running=0,
        rss=None,
        cpu=None,
        backend="MemoryBackend",
    )
