"""Who waits for changes in this process, and what they are told."""

import asyncio
import threading
from collections.abc import Callable, Collection, Iterable, Sequence

from queue_core.backends.relational.tally import SCHEDULES, Changes
from queue_core.expose import ALL_TOPICS, Topic
from queue_core.ids import BootId, QueueName


class Bell:
    """Wakes one coroutine from any thread. What was rung before the wait is not lost."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        """Where its coroutine waits."""
        self._event = asyncio.Event()
        self._ringing = False

    def ring(self) -> None:
        """Wake the waiter, or its next wait. From any thread; cheap while it rings already."""
        if self._ringing:
            return
        self._ringing = True
        try:
            self.loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    async def wait(self, timeout: float | None) -> bool:
        """Wait for a ring; False after ``timeout`` seconds without."""
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return False
        self._ringing = False  # first, so that a ring which comes between the two lines is scheduled, and then not cleared
        self._event.clear()
        return True


class WorkerBell:
    """The wake-ups of one worker; see ``backend.Wakeups``."""

    def __init__(self, hub: "Hub", boot: BootId, queues: Sequence[QueueName]) -> None:
        self._hub = hub
        self.boot = boot
        self.queues = frozenset(queues)

    async def __aenter__(self) -> "WorkerBell":
        self.bell = Bell()
        self._hub.add_worker(self)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._hub.remove_worker(self)

    async def wait(self, timeout: float | None) -> bool:
        """Wait until the worker should look again."""
        return await self.bell.wait(timeout)

    def ring(self) -> None:
        """Let the worker look again."""
        self.bell.ring()

    def cares_for(self, changes: Changes) -> bool:
        """Whether ``changes`` may concern the worker."""
        return self.boot in changes.boots or not self.queues.isdisjoint(changes.work)


class ScheduleBell:
    """The wake-ups of one who fires schedules; see ``backend.Backend.schedule_wakeups``."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub

    async def __aenter__(self) -> "ScheduleBell":
        self.bell = Bell()
        self._hub.add_scheduler(self)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._hub.remove_scheduler(self)

    async def wait(self, timeout: float | None) -> bool:
        """Wait until schedules have changed."""
        return await self.bell.wait(timeout)


class Watcher:
    """Collects topics for one watcher until it asks."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._topics: set[Topic] = set()
        self._lock = threading.Lock()
        self.closed = False

    def __enter__(self) -> "Watcher":
        self.bell = Bell()
        self._hub.add_watcher(self)
        return self

    def __exit__(self, *exc: object) -> None:
        self._hub.remove_watcher(self)

    def tell(self, topics: Iterable[Topic]) -> None:
        """Add ``topics``. From any thread."""
        with self._lock:
            self._topics.update(topics)
        self.bell.ring()

    def close(self) -> None:
        """Let the watcher end."""
        self.closed = True
        self.bell.ring()

    async def wait(self, timeout: float | None = None) -> frozenset[Topic]:
        """The topics since the last call; empty after ``timeout`` seconds, or when the store was closed."""
        await self.bell.wait(timeout)
        with self._lock:
            topics, self._topics = frozenset(self._topics), set()
        return topics


class Waiter:
    """Waits for particular tasks to end."""

    def __init__(self, hub: "Hub", ids: Iterable[str]) -> None:
        self._hub = hub
        self._ended: set[str] = set()
        self._lock = threading.Lock()
        self.ids = frozenset(ids)
        self.closed = False

    def __enter__(self) -> "Waiter":
        self.bell = Bell()
        self._hub.add_waiter(self)
        return self

    def __exit__(self, *exc: object) -> None:
        self._hub.remove_waiter(self)

    def tell(self, id: str) -> None:
        """Say that a task ended. From any thread."""
        with self._lock:
            self._ended.add(id)
        self.bell.ring()

    def close(self) -> None:
        """Let the waiter look for the last time."""
        self.closed = True
        self.bell.ring()

    async def wait(self, timeout: float) -> set[str]:
        """The tasks that ended since the last call; empty after ``timeout`` seconds, or when the store was closed."""
        await self.bell.wait(timeout)
        with self._lock:
            ended, self._ended = self._ended, set()
        return ended


class Hub:
    """All listeners of one opened store. Thread-safe."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._workers: tuple[WorkerBell, ...] = ()
        self._watchers: tuple[Watcher, ...] = ()
        self._schedulers: tuple[ScheduleBell, ...] = ()
        self._awaited: dict[str, tuple[Waiter, ...]] = {}
        self._on_change = on_change

    @property
    def has_workers(self) -> bool:
        """Whether any worker listens."""
        return bool(self._workers)

    @property
    def wants_all(self) -> bool:
        """Whether anybody listens to more than work."""
        return bool(self._watchers or self._awaited)

    @property
    def has_listeners(self) -> bool:
        """Whether anybody listens."""
        return bool(self._workers or self._watchers or self._awaited)

    @property
    def awaited(self) -> list[str]:
        """The ids of all tasks that somebody waits for."""
        return list(self._awaited.copy())

    def add_waiter(self, waiter: Waiter) -> None:
        """Tell ``waiter`` from now on."""
        with self._lock:
            for id in waiter.ids:
                self._awaited[id] = (*self._awaited.get(id, ()), waiter)
        self._on_change()

    def remove_waiter(self, waiter: Waiter) -> None:
        """Tell ``waiter`` no more."""
        with self._lock:
            for id in waiter.ids:
                others = tuple(other for other in self._awaited[id] if other is not waiter)
                if others:
                    self._awaited[id] = others
                else:
                    del self._awaited[id]

    def add_worker(self, worker: WorkerBell) -> None:
        """Tell ``worker`` from now on."""
        with self._lock:
            self._workers += (worker,)
        self._on_change()

    def remove_worker(self, worker: WorkerBell) -> None:
        """Tell ``worker`` no more."""
        with self._lock:
            self._workers = tuple(other for other in self._workers if other is not worker)
        self._on_change()

    def add_scheduler(self, scheduler: ScheduleBell) -> None:
        """Tell ``scheduler`` from now on. It adds nothing to what is listened to: its worker does that."""
        with self._lock:
            self._schedulers += (scheduler,)

    def remove_scheduler(self, scheduler: ScheduleBell) -> None:
        """Tell ``scheduler`` no more."""
        with self._lock:
            self._schedulers = tuple(other for other in self._schedulers if other is not scheduler)

    def add_watcher(self, watcher: Watcher) -> None:
        """Tell ``watcher`` from now on."""
        with self._lock:
            self._watchers += (watcher,)
        self._on_change()

    def remove_watcher(self, watcher: Watcher) -> None:
        """Tell ``watcher`` no more."""
        with self._lock:
            self._watchers = tuple(other for other in self._watchers if other is not watcher)
        self._on_change()

    def tell(self, changes: Changes) -> None:
        """Tell those whom a commit of this process concerns."""
        for worker in self._workers:
            if worker.cares_for(changes):
                worker.ring()
        self.tell_ended(changes.ended)
        self.tell_topics(changes.versions)

    def tell_ended(self, ids: Iterable[str]) -> None:
        """Tell those who wait for one of these tasks."""
        if self._awaited:
            for id in ids:
                for waiter in self._awaited.get(id, ()):
                    waiter.tell(id)

    def tell_topics(self, topics: Collection[Topic]) -> None:
        """Tell all watchers, and who fires schedules if it concerns them."""
        for watcher in self._watchers:
            watcher.tell(topics)
        if self._schedulers and (SCHEDULES in topics or ALL_TOPICS in topics):
            self._wake_schedulers()

    def wake_workers(self) -> None:
        """Let every worker look again."""
        for worker in self._workers:
            worker.ring()

    def time_moved(self) -> None:
        """A test moved the clock: anything may be due."""
        self.wake_workers()
        self._wake_schedulers()

    def _wake_schedulers(self) -> None:
        for scheduler in self._schedulers:
            scheduler.bell.ring()

    def close(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Let the watchers and waiters of an event loop end, and wake its workers; those of all loops, if none is given."""
        waiters = {waiter for waiters in self._awaited.copy().values() for waiter in waiters}
        listeners: list[Waiter | Watcher] = [*waiters, *self._watchers]
        for listener in listeners:
            if loop in {None, listener.bell.loop}:
                listener.close()
        for worker in self._workers:
            if loop in {None, worker.bell.loop}:
                worker.ring()
