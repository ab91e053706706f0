"""How a worker is set up."""

import enum
import logging
import os
import secrets
import socket
from dataclasses import dataclass, field
from typing import Final, Literal

from queue_core.backend import Retention
from queue_core.errors import InvalidValue, not_negative
from queue_core.ids import QueueName
from queue_core.middleware import Middleware, checked
from queue_core.polling import DEFAULT_POLL, Interval, Strategy
from queue_core.task import check_name


class Usual(enum.Enum):
    """The value of a setting that nobody made, where what is usual depends on the store."""

    USUAL = "usual"


USUAL: Final[Literal[Usual.USUAL]] = Usual.USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a worker; ``Worker`` describes them. Raises InvalidValue for those that break a rule."""

    name: str
    queues: tuple[QueueName, ...]
    concurrency: int
    middleware: tuple[Middleware, ...] = ()
    lease_ttl: float = 15.0
    heartbeat_every: float = 3.0
    shutdown_timeout: float = 30.0
    stop_grace: float = 5.0
    poll: tuple[Strategy, ...] = (Interval(DEFAULT_POLL),)
    wakeups: bool = True
    housekeeping: float = 60.0
    max_tasks: int | None = None
    max_memory: int | None = None
    max_tasks_per_child: int | None = None
    retention: Retention = field(default_factory=Retention)
    capture_logs: int | None = logging.INFO

    def __post_init__(self) -> None:
        checked(self.middleware)
        check_name("worker name", self.name)
        for queue in self.queues:
            check_name("queue", queue)
        if not self.queues:
            raise InvalidValue(f"Worker {self.name} serves no queue: no task is registered and queues= names none.")
        check_count("concurrency", self.concurrency, or_none="")
        for setting in ("lease_ttl", "heartbeat_every", "housekeeping"):
            if not_negative(setting, getattr(self, setting)) == 0:
                raise InvalidValue(f"{setting} must be more than 0 seconds.")
        for limit in ("max_tasks", "max_memory", "max_tasks_per_child"):
            check_count(limit, getattr(self, limit))
        not_negative("shutdown_timeout", self.shutdown_timeout)
        not_negative("stop_grace", self.stop_grace)
        if self.heartbeat_every * 2 > self.lease_ttl:
            raise InvalidValue(
                f"heartbeat_every must be at most half of lease_ttl, got {self.heartbeat_every:g} s and {self.lease_ttl:g} s; "
                "one late beat would lose all leases."
            )


def check_count(name: str, count: object, *, or_none: str = ", or None for no limit") -> None:
    """Raise InvalidValue unless ``count`` is a whole number of at least 1, or None where that is allowed."""
    if count is None and or_none:
        return
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InvalidValue(f"{name} must be a whole number of at least 1{or_none}, got {count!r}.")


def unique_name() -> str:
    """A worker name that no other process has: host, process id, and a few letters."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
