"""The write contract, in memory."""

from collections.abc import AsyncIterator, Collection, Hashable, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from queue_core.backend import Capabilities, Claims, Rescued, Retention, Wakeups
from queue_core.backends.memory import leasing, producing, scheduling
from queue_core.backends.memory import retention as keeping
from queue_core.backends.memory.bells import Bell
from queue_core.backends.memory.session import Session
from queue_core.backends.memory.state import State
from queue_core.backends.memory.waiting import wait_for
from queue_core.backends.memory.workers import is_alive
from queue_core.errors import InvalidValue, WorkerNameTaken
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.limits import Limits
from queue_core.logs import LogLine
from queue_core.outcome import Ack
from queue_core.schedule import DueSchedule, DueSchedules, Schedule
from queue_core.status import Status
from queue_core.task import Lease, NewTask, Pushed, Task, check_checkpoint
from queue_core.worker_info import Beat, BeatReply, Registration, WorkerState

CAPABILITIES: Final = Capabilities(
    persistent=False,
    cross_process=False,
    schedules=True,
    logs=True,
    limits=True,
    checkpoints=True,
    updates=True,
    key_rules=True,
)
BATCH: Final = 500
"""How many tasks one call of ``expire`` or ``prune`` touches at most."""


class MemoryBackend:
    """``Backend`` on a store in this process's memory. Read it to learn what the contract means."""

    def __init__(self, session: Session, capabilities: Capabilities = CAPABILITIES) -> None:
        self.capabilities: Final = capabilities
        self._session = session

    async def open(self) -> None:
        """Allow access."""
        self._session.open()

    async def close(self) -> None:
        """End access. The tasks stay for as long as the store object lives."""
        self._session.close()

    async def now(self) -> datetime:
        """The store's time."""
        with self._session.transaction() as state:
            return state.now

    # --- producers -----------------------------------------------------------------------------------

    async def push(self, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store tasks, all or none."""
        with self._session.transaction() as state:
            return producing.push(state, tasks)

    async def push_in(self, connection: Any, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Refuse: there is no transaction to join."""
        raise InvalidValue(
            f"A memory store can join no transaction, got a connection of type {type(connection).__name__}. "
            "Push without a connection, or use a store in your database."
        )

    def wait_for(self, ids: Sequence[TaskId], *, timeout: float | None = None) -> AsyncIterator[Task]:
        """Yield each task once, as it reaches a final state."""
        return wait_for(self._session, ids, timeout)

    # --- a worker's life -----------------------------------------------------------------------------

    async def register(self, worker: Registration) -> Rescued:
        """Record a process life as running, in place of a dead one with its name."""
        with self._session.transaction() as state:
            namesakes = state.workers.claiming_to_live(worker)
            if any(is_alive(row, state.now, worker) for row in namesakes):
                raise WorkerNameTaken(f"A living worker is called {worker.name!r} already. Stop it first, or give this one another name.")
            leasing.declare_lost(state, namesakes)
            rescued = leasing.take_back(state, [row.info.boot for row in namesakes], namesakes)
            _admit(state, worker)
            return rescued

    def heartbeat(self, beat: Beat) -> BeatReply:
        """Renew the leases of a process life."""
        with self._session.transaction() as state:
            row = state.workers.get(beat.boot)
            if row is None or not row.info.state.is_live:
                return BeatReply(alive=False)
            state.workers.put(row, state=beat.state, running=beat.running, rss=beat.rss, cpu=beat.cpu, last_heartbeat=state.now)
            state.announce_workers()
            return BeatReply(alive=True)

    async def deregister(self, boot: BootId) -> None:
        """Record that a worker ended; give back what it holds."""
        with self._session.transaction() as state:
            row = state.workers.get(boot)
            if row is None or not row.info.state.is_live:
                return
            leasing.release_all(state, boot)
            state.workers.put(row, state=WorkerState.STOPPED, stopped_at=state.now, running=0)
            state.announce_workers()

    def wakeups(self, boot: BootId, queues: Sequence[QueueName]) -> Wakeups:
        """Wake-ups for one worker."""
        return _Wakeups(self._session, [("worker", boot), *(("work", queue) for queue in queues)])

    # --- limits ----------------------------------------------------------------------------------------

    async def declare(self, queue: QueueName, limits: Limits) -> None:
        """Let these be the limits of a queue."""
        with self._session.transaction() as state:
            state.declare(queue, limits)

    # --- running tasks -------------------------------------------------------------------------------

    async def claim(self, boot: BootId, queues: Sequence[QueueName], *, names: Collection[str] | None, limit: int, start: int = 0) -> Claims:
        """Lease due tasks, in order."""
        with self._session.transaction() as state:
            worker = state.workers.get(boot)
            if worker is None or not worker.info.state.is_live:
                return Claims([])
            return leasing.claim(state, worker, queues, names, max(0, limit), start)

    async def start(self, leases: Sequence[Lease]) -> list[bool]:
        """Queued → Running."""
        with self._session.transaction() as state:
            return [leasing.start(state, lease) for lease in leases]

    async def ack(self, acks: Sequence[Ack]) -> list[bool]:
        """Store how attempts ended."""
        with self._session.transaction() as state:
            return [leasing.ack(state, ack) for ack in acks]

    async def release(self, leases: Sequence[Lease]) -> int:
        """Give back Queued tasks."""
        with self._session.transaction() as state:
            return sum(leasing.release(state, lease) for lease in leases)

    async def progress(self, lease: Lease, fraction: float, note: str | None = None) -> bool:
        """Record how far a running attempt is."""
        if not 0 <= fraction <= 1:
            raise InvalidValue(f"progress must be between 0 and 1, got {fraction!r}.")
        with self._session.transaction() as state:
            row = leasing.held(state, lease, Status.RUNNING)
            if row is not None:
                state.change(row, progress=float(fraction), progress_note=note)
            return row is not None

    async def checkpoint(self, lease: Lease, data: bytes | None) -> bool:
        """Keep something for the next attempt."""
        check_checkpoint(data)
        with self._session.transaction() as state:
            row = leasing.held(state, lease, Status.RUNNING)
            if row is not None:
                state.change(row, checkpoint=data)
            return row is not None

    async def log(self, lines: Sequence[tuple[Lease, LogLine]]) -> int:
        """Keep what running attempts logged."""
        with self._session.transaction() as state:
            groups = [(lease, [line for _, line in group]) for lease, group in groupby(lines, key=lambda pair: pair[0])]
            return sum(state.log(row, lease, logged) for lease, logged in groups if (row := leasing.held(state, lease, Status.RUNNING)))

    async def kill_requests(self, boot: BootId) -> list[Lease]:
        """Leases whose tasks somebody asked to kill."""
        with self._session.transaction() as state:
            return [row.lease for row in state.tasks.leased(boot) if row.lease and row.task.kill_requested_at is not None]

    async def leases(self, boot: BootId) -> list[Lease]:
        """Every lease of a process life."""
        with self._session.transaction() as state:
            return [row.lease for row in state.tasks.leased(boot) if row.lease]

    # --- schedules -----------------------------------------------------------------------------------

    async def declare_schedules(self, schedules: Sequence[Schedule]) -> None:
        """Store schedules by name."""
        with self._session.transaction() as state:
            scheduling.declare(state, schedules)

    async def due_schedules(self, *, limit: int = 100) -> DueSchedules:
        """What is due."""
        with self._session.transaction() as state:
            return scheduling.due(state, limit)

    async def fire(self, due: DueSchedule, tasks: Sequence[tuple[datetime, NewTask]], next_tick: datetime | None) -> bool:
        """Push the task of each tick, if nobody did."""
        with self._session.transaction() as state:
            return scheduling.fire(state, due, tasks, next_tick) is not None

    def schedule_wakeups(self) -> Wakeups:
        """Wake-ups for who fires schedules."""
        return _Wakeups(self._session, ["schedules"])

    # --- housekeeping ----------------------------------------------------------------------------------

    async def rescue(self) -> Rescued:
        """Take back what lost workers held."""
        with self._session.transaction() as state:
            return leasing.rescue(state)

    async def expire(self) -> int:
        """Kill waiting tasks whose time has passed."""
        with self._session.transaction() as state:
            return leasing.expire(state, BATCH)

    async def prune(self, retention: Retention) -> int:
        """Remove what retention no longer keeps."""
        with self._session.transaction() as state:
            return keeping.prune(state, retention, BATCH)


def _admit(state: State, worker: Registration) -> None:
    state.workers.add(worker, state.now)
    for queue in worker.queues:
        state.name_queue(queue)
    state.announce_workers()


class _Wakeups:
    """Wake-ups for one worker, from entering to leaving."""

    def __init__(self, session: Session, keys: Sequence[Hashable]) -> None:
        self._session = session
        self._keys = keys
        self._stack = ExitStack()
        self._bell: Bell | None = None

    async def __aenter__(self) -> "_Wakeups":
        self._bell = self._stack.enter_context(self._session.listening(Bell(), self._keys))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stack.close()

    async def wait(self, timeout: float | None) -> bool:
        """Wait until something happened, at most ``timeout`` seconds. Whether it did."""
        assert self._bell is not None, "enter the wake-ups before waiting"
        return bool(await self._bell.wait(timeout)) or self._bell.closed
