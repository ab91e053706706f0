"""A worker as the store and the board know it: one record per process life."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from queue_core.ids import BootId, QueueName


class WorkerState(StrEnum):
    """What a worker does, as it last said itself, or as others concluded from its silence."""

    RUNNING = "running"
    PAUSED = "paused"
    """Claims nothing; finishes what it has."""
    STOPPING = "stopping"
    """Claims nothing; drains, then ends."""
    STOPPED = "stopped"
    """Ended properly."""
    LOST = "lost"
    """Its lease ran out, or its process is known to be gone; its tasks went back."""

    @property
    def is_live(self) -> bool:
        """Whether it may hold leases."""
        return self in {WorkerState.RUNNING, WorkerState.PAUSED, WorkerState.STOPPING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a worker says of itself when it starts."""

    boot: BootId
    name: str
    queues: tuple[QueueName, ...]
    names: tuple[str, ...] | None
    """The task names that it has handlers for; None: any."""
    host: str
    pid: int
    process: str
    """Told apart from an earlier process with the same pid by this."""
    version: str
    middleware: tuple[str, ...]
    concurrency: int
    lease_ttl: float
    """Seconds after its last heartbeat at which its leases run out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a heartbeat reports."""

    boot: BootId
    state: WorkerState
    running: int
    """Tasks running now."""
    rss: int | None = None
    """Resident memory in bytes."""
    cpu: float | None = None
    """Share of one core used since the last beat: 0.5 is half a core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatReply:
    """What the store answers to a heartbeat."""

    alive: bool
    """False: the worker was declared lost. Its leases are gone; it must drop its work and register anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """One worker's process life, as lists show it."""

    boot: BootId
    name: str
    queues: tuple[QueueName, ...]
    names: tuple[str, ...] | None
    host: str
    pid: int
    version: str
    middleware: tuple[str, ...]
    concurrency: int
    lease_ttl: float
    state: WorkerState
    started_at: datetime
    last_heartbeat: datetime
    stopped_at: datetime | None
    running: int
    rss: int | None
    cpu: float | None
    backend: str
    """The kind of store that it is connected to, as ``SqliteBackend``."""

    def is_live(self, now: datetime) -> bool:
        """Whether it is alive: in a live state, and heard of within its lease."""
        return self.state.is_live and (now - self.last_heartbeat).total_seconds() <= self.lease_ttl
