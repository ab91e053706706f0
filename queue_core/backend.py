"""The write contract: what a store does for producers and workers. These docstrings are its specification.

``queue_core.conformance`` is the same specification as tests. Every method is atomic unless it says otherwise: it happens whole
or not at all, and what it returned survives the death of any process. Every method may raise StoreUnavailable, after which
nothing of the call is stored, unless a connection broke in the very moment: then it may be, but whole. Every change is counted
in the numbers of ``expose.Metrics`` in the same transaction and announced to ``expose.Watch``.

Every event loop that uses a store opens it, and closes it for itself: any number of loops, in any threads, at once or one after the other. What
one loop does to its connection changes nothing for another, and neither does a loop that ends without closing, whatever it had under way. In a
loop that has not opened it a store raises NotConnected at once.

*Now* is always the store's own now: ``Backend.now``. Delays go in as seconds; the store adds them to its now.

A store may lack parts of the contract, if its ``Capabilities`` say so: nobody calls what belongs to them.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from queue_core.capabilities import PARTS, Capabilities, Part
from queue_core.errors import InvalidValue
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.limits import Limits
from queue_core.logs import LogLine
from queue_core.task import MAX_PERIOD, Claim, Lease, NewTask, Pushed, Task
from queue_core.worker_info import Beat, BeatReply, Registration

if TYPE_CHECKING:
    from queue_core.outcome import Ack
    from queue_core.schedule import DueSchedule, DueSchedules, Schedule


@dataclass(frozen=True, slots=True)
class Claims:
    """What a claim returned."""

    tasks: list[Claim]
    """In the order in which they should start."""
    next_due: float | None = None
    """Seconds until the next scheduled task of the asked queues is due; None when there is none, or when more work is due already."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a rescue did."""

    pending: int = 0
    """Tasks that went back to wait."""
    killed: int = 0
    """Tasks that ended Killed: ``crashed``, ``exhausted`` or, if their kill was asked for, ``killed``."""
    workers: tuple[str, ...] = ()
    """Names of the workers that were found lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long finished tasks stay, in seconds, and how many; None keeps them for ever, or all. ``queues`` overrides by queue name.

    Raises InvalidValue for a time that is no number of seconds, and for a number of tasks that is none.

    >>> Retention(done=86_400, killed=None, queues={"audit": Retention(done=None)}).done
    86400
    >>> Retention(most_done=10_000).most_done
    10000
    """

    done: float | None = 7 * 86_400
    killed: float | None = 30 * 86_400
    workers: float | None = 86_400
    """Records of workers that ended."""
    minutes: float | None = 2 * 86_400
    """Rollups by minute; those by hour stay 30 times and those by day 365 times as long."""
    audit: float | None = 365 * 86_400
    logs: float | None = 7 * 86_400
    """Log lines, since they were stored; those of a task go with it in any case."""
    most_done: int | None = None
    """How many Done tasks of each queue stay at most, those that were pushed last. Not exact at any moment: it holds after each pruning."""
    most_killed: int | None = None
    """The same of Killed tasks."""
    queues: "dict[QueueName, Retention]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("done", "killed", "workers", "minutes", "audit", "logs"):
            if (seconds := getattr(self, name)) is not None:
                _check_age(name, seconds)
        for name in ("most_done", "most_killed"):
            most = getattr(self, name)
            if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 0):
                raise InvalidValue(f"{name} must be a whole number of tasks, zero or more, or None for any number, got {most!r}.")
        if not isinstance(self.queues, Mapping) or not all(isinstance(own, Retention) for own in self.queues.values()):
            raise InvalidValue(f'queues must be Retentions by the names of queues, as {{"audit": Retention(done=None)}}, got {self.queues!r}.')


def _check_age(name: str, seconds: object) -> None:
    years = 1 if name == "minutes" else 100  # those by day stay 365 times as long, and no clock goes back so far
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_PERIOD / 100 * years:
        longest = "a year" if years == 1 else "100 years"
        raise InvalidValue(f"{name} must be a number of seconds, zero or more and at most {longest}, or None for ever, got {seconds!r}.")


class Wakeups(Protocol):
    """Tells one worker when to look again. An async context manager; leaving it stops the listening."""

    async def __aenter__(self) -> "Wakeups": ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def wait(self, timeout: float | None) -> bool:
        """Wait until something happened that may concern the worker since the last ``wait`` returned (work due in its queues, a
        kill or pause asked for), or for ``timeout`` seconds. True: woken; False: timed out. May wake for nothing; never sleeps
        through a wake-up that came between two waits.
        """
        ...


class Backend(Protocol):
    """A store of tasks. See the module's docstring for what holds for every method."""

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do; the same before and after it is opened, and that of its Expose."""
        ...

    async def open(self) -> None:
        """Connect the running event loop, and bring the schema up to date. Safe to call from many processes and loops at once, and again."""
        ...

    async def close(self) -> None:
        """Finish what was accepted of the running event loop, then disconnect it. Whoever watches or waits there is told. Safe to call twice."""
        ...

    async def now(self) -> datetime:
        """The store's time: aware, UTC."""
        ...

    # --- producers -----------------------------------------------------------------------------------

    async def push(self, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store ``tasks`` as Pending, all or none, and return them in the same order.

        A task is due at ``run_at``, at now + ``run_after``, or now. Where a task with the same key exists in the same queue, in any
        state, nothing is stored for it and the existing task is returned with ``created=False``; so too for the second of two with
        the same key in one call. An id that is stored already raises InvalidValue. Waiting workers are woken.
        """
        ...

    async def push_in(self, connection: Any, tasks: Sequence[NewTask]) -> list[Pushed]:
        """As ``push``, inside the transaction that the caller has open on ``connection``: the tasks appear when it commits and
        vanish with its rollback. Raises InvalidValue for a connection of a kind not in ``capabilities.transactions``, or to another store.
        """
        ...

    def wait_for(self, ids: Sequence[TaskId], *, timeout: float | None = None) -> AsyncIterator[Task]:
        """Yield each task of ``ids`` once, as it reaches a final state; finished ones at once. Survives a lost connection.

        Raises UnknownTask for ids that are not stored, ResultTimeout when ``timeout`` seconds passed with some unfinished.
        """
        ...

    # --- a worker's life -----------------------------------------------------------------------------

    async def register(self, worker: Registration) -> Rescued:
        """Record a process life of a worker as running, its lease starting now.

        A living worker with the same name raises WorkerNameTaken. If that record's process is known to be gone (same host, no such
        process), the record is marked lost and its tasks are rescued in the same transaction; the answer says what came back.
        Names every queue of the worker as existing.
        """
        ...

    def heartbeat(self, beat: Beat) -> BeatReply:
        """Renew the leases of a process life. Synchronous, callable from any thread; blocks until it is stored, a few seconds at most."""
        ...

    async def deregister(self, boot: BootId) -> None:
        """Record that the worker ended properly. What it still holds is released as by ``release``. Unknown boots are ignored."""
        ...

    def wakeups(self, boot: BootId, queues: Sequence[QueueName]) -> Wakeups:
        """Wake-ups for one worker and its queues; to be entered before the first claim, so that nothing is missed."""
        ...

    # --- limits ----------------------------------------------------------------------------------------

    async def declare(self, queue: QueueName, limits: Limits) -> None:
        """Let these be the limits of ``queue``, in place of those before: every worker keeps to them from its next claim on.

        What is held already goes on, so less may be held at once only when some of it has ended. Names the queue as existing.
        """
        ...

    # --- running tasks -------------------------------------------------------------------------------

    async def claim(self, boot: BootId, queues: Sequence[QueueName], *, names: Collection[str] | None, limit: int, start: int = 0) -> Claims:
        """Lease up to ``limit`` due tasks of ``queues`` whose name is in ``names`` (None: any name) to ``boot``.

        Due are Pending and Failed tasks with run_at ≤ now. Order, also inside the answer: priority high to low, then run_at, then
        order of pushing, over all the queues together. Paused queues give nothing. Tasks whose ``expires_at`` has passed are Killed
        ``expired`` instead. Limits of a queue and of its groups hold over all workers together: what is beyond them waits until there is
        room; a claim costs the same however much of that there is. A due task whose name is in nobody's ``names`` keeps its place in its
        group. The first ``start`` tasks of the answer are started as by ``start`` (Running); the others become Queued. No task
        is ever leased twice at once. A ``boot`` that is not registered, or was declared lost, gets nothing.
        """
        ...

    async def start(self, leases: Sequence[Lease]) -> list[bool]:
        """Queued → Running; attempts + 1. For each lease, in order: whether it held. A False must not be run."""
        ...

    async def ack(self, acks: "Sequence[Ack]") -> list[bool]:
        """Store how attempts ended and what becomes of their tasks. For each, in order: whether its lease held; a False changed nothing.

        Where the kill of a task was asked for, an ack to Failed or Pending is stored as Killed ``killed`` instead; Done stays Done. The
        result of a Done task is kept as given. An attempt that did not simply succeed is kept in the task's history.
        """
        ...

    async def release(self, leases: Sequence[Lease]) -> int:
        """Give back Queued tasks that will not be started: → Pending, nothing counted (Killed, if that was asked for).

        Returns how many leases held.
        """
        ...

    async def progress(self, lease: Lease, fraction: float, note: str | None = None) -> bool:
        """Record how far a running attempt is, 0 to 1. Whether the lease held."""
        ...

    async def checkpoint(self, lease: Lease, data: bytes | None) -> bool:
        """Keep ``data``, which a running attempt gives, for the next attempt of its task; None forgets what was kept. Whether the lease held.

        It replaces what was kept before. It survives failures, crashes, timeouts, kills and retries, and is forgotten when the task is Done.
        Raises InvalidValue for more than ``MAX_CHECKPOINT`` bytes.
        """
        ...

    async def log(self, lines: Sequence[tuple[Lease, LogLine]]) -> int:
        """Keep what running attempts logged, in the given order. Returns how many lines were stored.

        Lines under a lease that does not hold are dropped. Of an attempt only lines whose number is above that of its last stored one are
        stored, so that a call whose answer was lost may be repeated. About ``KEPT_LINES`` of a task are kept, the latest; all of them go
        with their task. What is logged need not survive a loss of power.
        """
        ...

    async def kill_requests(self, boot: BootId) -> list[Lease]:
        """The leases of ``boot`` whose Running tasks somebody asked to kill and that are not acked yet."""
        ...

    async def leases(self, boot: BootId) -> list[Lease]:
        """Every lease that ``boot`` holds now; what a worker compares with its own view after trouble."""
        ...

    # --- schedules: every worker fires any of them ----------------------------------------------------------

    async def declare_schedules(self, schedules: "Sequence[Schedule]") -> None:
        """Store these schedules, by name; what is stored and declared as it is already stays untouched.

        A new one is due at its first tick after now. Of a changed one the tasks follow the new declaration from now on; where its ticks
        have changed it is due at the first of them after now and after its last one. A pause survives, and so does a schedule that
        nobody declares any more. The queues of their tasks exist from now on. Raises InvalidValue for what cannot be stored.
        """
        ...

    async def due_schedules(self, *, limit: int = 100) -> "DueSchedules":
        """The schedules whose next tick has come and that are not paused, and when the next of the others is due."""
        ...

    async def fire(self, due: "DueSchedule", tasks: Sequence[tuple[datetime, NewTask]], next_tick: datetime | None) -> bool:
        """Push the task of each tick, and let the schedule be due at ``next_tick`` (None: never again), if it is still as ``due`` says:
        neither fired by another, nor changed, paused or deleted since. Whether it was; otherwise nothing happens.

        However many ask at once, one of them is told True. A tick that is recorded already gets no second task. The newest 100 ticks are kept.
        """
        ...

    def schedule_wakeups(self) -> Wakeups:
        """Wake-ups for who fires schedules: one was declared, changed, fired or resumed. To be entered before the first look."""
        ...

    # --- housekeeping: every worker does it, none is needed ------------------------------------------------

    async def rescue(self) -> Rescued:
        """Take back the tasks of workers whose lease has run out, or that ended without giving them back.

        Such a worker is marked lost. Each of its tasks gets crashes + 1 and a ``crashed`` attempt in its history if it had started, and goes
        to Pending; to Killed ``killed`` if that was asked for, ``crashed`` when crashes > MAX_CRASHES, ``exhausted`` when all attempts
        were started. Late writes of the old worker find their lease gone.
        """
        ...

    async def expire(self) -> int:
        """Kill waiting tasks whose ``expires_at`` has passed (reason ``expired``); a bounded batch. Returns how many."""
        ...

    async def prune(self, retention: Retention) -> int:
        """Remove one small batch of what retention no longer keeps. Returns how many tasks went; call again until 0.

        What is too old goes first. Of what is beyond ``most_done`` or ``most_killed``, those go first that were pushed first; however many
        prune at once, no more go than are beyond it.
        """
        ...


__all__ = [
    "PARTS",
    "Backend",
    "Capabilities",
    "Claims",
    "Part",
    "Rescued",
    "Retention",
    "Wakeups",
]
