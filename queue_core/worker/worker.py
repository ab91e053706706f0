"""The worker: claims tasks of its queues and runs their handlers until it is stopped."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from queue_core.backend import Backend, Capabilities, Retention
from queue_core.codec import CODECS, Codec
from queue_core.errors import StoreUnavailable, WorkerStateError, several
from queue_core.events import Custom, Event, Stop, StopReason
from queue_core.handler import Handler
from queue_core.ids import QueueName
from queue_core.inject import Verb
from queue_core.limits import Limits
from queue_core.middleware import AckHook, Middleware, checked, entered, provided
from queue_core.polling import DEFAULT_POLL, Poll, strategies
from queue_core.schedule import Schedule
from queue_core.worker.announcer import MAX_BACKLOG, Announcer, Listener
from queue_core.worker.bell import Bell
from queue_core.worker.capture import level_of
from queue_core.worker.executor import Executor
from queue_core.worker.gates import Gates
from queue_core.worker.life import End, Life
from queue_core.worker.loop import TROUBLE
from queue_core.worker.quota import Quota
from queue_core.worker.recipes import prepare
from queue_core.worker.running import Running
from queue_core.worker.scribe import Scribe, scribing
from queue_core.worker.settings import USUAL, Settings, Usual, unique_name
from queue_core.worker.shutdown import stopped_by_signals
from queue_core.worker.side_work import SideWork
from queue_core.worker.supplies import Supplies

T = TypeVar("T")
DECLARED_AT_ONCE: Final = 100
"""How many schedules are stored in one call, so that none takes long, however many an app has."""
_log = logging.getLogger("prinia.worker")


class Phase(StrEnum):
    """Where a worker is between its making and its end."""

    PENDING = "not started"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Worker:
    """Runs the tasks of ``handlers`` from the queues of ``backend``.

    ``name``: unique among living workers; None makes one up. ``queues``: those to serve; None: those that the handlers name.
    ``concurrency``: how many tasks may run at once. ``middleware``: around every run, the first outermost. ``data``: objects that handlers
    get by type. ``on_event``: a function, or several, called with every event. ``on_ack``: an async function, or several, called with how an
    attempt ended before that is stored; see AckHook. ``lease_ttl``: seconds of silence after which others take its
    tasks; ``heartbeat_every``: seconds between two signs of life, a fifth of that by default. ``shutdown_timeout``: seconds that running tasks
    may take when it stops; ``stop_grace``: seconds that a cancelled handler may take to end. ``poll``: seconds after which it looks again
    though nothing woke it, a strategy of ``queue_core.polling``, or several that are raced. ``wakeups``: whether the store's wake-ups and the
    timer to the next due task let it look too; without them it polls and nothing else, and hears of kills with its heartbeats.
    ``housekeeping``: seconds between two rounds of expiry and retention. ``max_tasks``: how many tasks it may start before it stops gracefully, to be
    replaced by whoever runs it; ``max_memory``: bytes that its process may use, looked at with every heartbeat; ``max_tasks_per_child``: how many
    tasks a child process may run before another takes its place. ``Stop`` tells which of the two first it was.

    ``capture_logs``: the level from which on what handlers log is kept beside their tasks, as far as the settings of ``logging`` let it
    through, INFO by default; None captures nothing, as does the default where the store has no logs.

    ``schedules``: those that it stores when it starts; it pushes the tasks of all that are stored.
    ``overrides``: dependencies of handlers by what takes their place.

    Raises InvalidValue for settings that break a rule, for parts that the store lacks and for dependencies that cannot be made, MissingData
    when a handler asks for data that is not in ``data``.

    >>> worker = app.worker("mail-1", queues=["email"], concurrency=20, poll=1)
    >>> worker.settings.lease_ttl, worker.settings.heartbeat_every
    (15.0, 3.0)
    """

    def __init__(
        self,
        name: str | None,
        backend: Backend,
        handlers: Iterable[Handler],
        *,
        queues: Sequence[str] | None = None,
        concurrency: int = 10,
        middleware: Sequence[Middleware] = (),
        data: Iterable[Any] | Mapping[type, Any] = (),
        on_event: Listener | Sequence[Listener] = (),
        on_ack: AckHook | Sequence[AckHook] = (),
        overrides: Mapping[Callable[..., Any], Callable[..., Any]] | None = None,
        codecs: Mapping[str, Codec] = CODECS,
        limits: Mapping[QueueName, Limits] = MappingProxyType({}),
        lease_ttl: float = 15.0,
        heartbeat_every: float | None = None,
        shutdown_timeout: float = 30.0,
        stop_grace: float = 5.0,
        poll: Poll = DEFAULT_POLL,
        wakeups: bool = True,
        housekeeping: float = 60.0,
        retention: Retention | None = None,
        max_tasks: int | None = None,
        max_memory: int | None = None,
        max_tasks_per_child: int | None = None,
        capture_logs: str | int | Usual | None = USUAL,
        schedules: Iterable[Schedule] = (),
    ) -> None:
        if queues is not None:
            several("queues", queues)
        handlers = list(handlers)
        named = tuple(dict.fromkeys(handler.queue for handler in handlers))
        self.settings = Settings(
            name=unique_name() if name is None else name,
            queues=named if queues is None else tuple(QueueName(queue) for queue in dict.fromkeys(queues)),
            concurrency=concurrency,
            middleware=checked(middleware),
            lease_ttl=lease_ttl,
            heartbeat_every=lease_ttl / 5 if heartbeat_every is None else heartbeat_every,
            shutdown_timeout=shutdown_timeout,
            stop_grace=stop_grace,
            poll=strategies(poll),
            wakeups=wakeups,
            housekeeping=housekeeping,
            retention=retention or Retention(),
            max_tasks=max_tasks,
            max_memory=max_memory,
            max_tasks_per_child=max_tasks_per_child,
            capture_logs=_captured(capture_logs, backend.capabilities),
        )
        self._backend = backend
        self._codecs = codecs
        self._schedules = tuple(schedules)
        self._limits = limits
        _check_parts(backend.capabilities, self._schedules, limits)
        given = data if isinstance(data, Mapping) else {type(value): value for value in data}
        self._recipes = prepare(handlers, Supplies(given, provided(self.settings.middleware), overrides or {}))
        self._gates = Gates(self.settings.middleware)
        self._on_ack = (on_ack,) if callable(on_ack) else tuple(on_ack)
        self._announcer = Announcer((on_event,) if callable(on_event) else tuple(on_event))
        self._side_work = SideWork(self.name)
        self._running = Running(concurrency)
        self._phase = Phase.PENDING
        self._end: End | None = None
        self._again = False
        self._reason = StopReason.ASKED
        self._life: Life | None = None
        self._ready = asyncio.Event()

    @property
    def name(self) -> str:
        """The worker's name."""
        return self.settings.name

    @property
    def phase(self) -> Phase:
        """Where it is between its making and its end."""
        return self._phase

    @property
    def running(self) -> int:
        """How many of its slots are occupied."""
        return self._running.occupied

    @property
    def is_working(self) -> bool:
        """Whether it runs, paused or stopping included; only then it can be stopped."""
        return self._phase in {Phase.RUNNING, Phase.PAUSED, Phase.STOPPING}

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it ended the last time; None while it works, and before it did."""
        return self._reason if self._phase is Phase.STOPPED else None

    # --- working -------------------------------------------------------------------------------------

    async def run(self, *, signals: bool = False) -> None:
        """Work until stopped. ``signals``: let SIGTERM and SIGINT stop it, a second one at once. A worker that has stopped may run again.

        Raises WorkerStateError when it runs already, WorkerNameTaken, StoreUnavailable when it cannot begin.

        >>> async def stop_when_idle(event: Event) -> None:
        ...     if isinstance(event, Idle):
        ...         worker.stop()
        >>> task = await greet.push("Ada")
        >>> worker = app.worker(on_event=stop_when_idle)
        >>> await worker.run()
        >>> await task.status()
        <Status.DONE: 'Done'>
        """
        self._expect("run", Phase.PENDING, Phase.STOPPED)
        self._end, self._again = None, False
        with stopped_by_signals(self) if signals else contextlib.nullcontext():
            await self._work()
            while self._again:
                self._end, self._again = None, False
                await self._work()

    async def run_until(self, until: "Awaitable[T] | Callable[[Worker], Awaitable[T]]") -> T:
        """Work until ``until`` is done, then stop gracefully. ``until`` may be a function: it is given this worker once that claims.

        Returns or raises what ``until`` does; raises what ``run`` raises, and WorkerStateError when the worker stopped before.

        >>> task = await greet.push("Ada")
        >>> await app.worker().run_until(task.result())
        'Hello, Ada.'
        """
        waiting = asyncio.ensure_future(self._then(until) if callable(until) else until)
        working = asyncio.ensure_future(self.run())
        try:
            await asyncio.wait([waiting, working], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not working.done():
                self.stop()
            try:
                await working
            finally:
                waiting.cancel()  # of no effect on what is done
        if not waiting.done():
            raise WorkerStateError(f"Worker {self.name} was stopped before what it was to wait for was done.")
        return waiting.result()

    async def stream(self) -> AsyncIterator[Event]:
        """Work, and yield every event in order until the worker has stopped. Leaving the loop stops it.

        A reader that is more than 10,000 events behind misses the oldest.

        >>> task = await greet.push("Ada")
        >>> async for event in app.worker().stream():
        ...     if isinstance(event, TaskEnded):
        ...         print(event.task.name, event.ack.status)
        ...         break
        greet Done
        """
        inbox: deque[Event] = deque(maxlen=MAX_BACKLOG)
        bell = Bell()

        def receive(event: Event) -> None:
            inbox.append(event)
            bell.ring()

        self._announcer.add(receive)
        working = asyncio.ensure_future(self.run())
        working.add_done_callback(lambda _: bell.ring())
        try:
            while inbox or not working.done():
                if inbox:
                    yield inbox.popleft()
                else:
                    await bell.wait()
        finally:
            self._announcer.remove(receive)
            if not working.done():
                self.stop()
            await working

    async def ready(self) -> None:
        """Wait until it is registered and claims.

        >>> async with app.running() as worker:
        ...     await worker.ready()
        """
        await self._ready.wait()

    # --- steering ------------------------------------------------------------------------------------

    def stop(self, *, at_once: bool = False) -> None:
        """Stop: claim nothing more, let what runs end within the shutdown timeout, then cancel it; ``at_once`` cancels it now.

        Returns immediately; ``run`` returns when all is done. Asking twice is harmless. Raises WorkerStateError before the start and after the end.

        >>> async with app.running() as worker:
        ...     worker.stop()
        """
        self._expect("stop", Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)
        self._again = False
        self._finish(End.STOP_AT_ONCE if at_once else self._end or End.STOP)

    def restart(self) -> None:
        """Stop gracefully and begin anew, with a new life, its middleware entered again: all within the same ``run``.

        Returns immediately; a Stop with the reason ``restart`` and a Start are told. A paused worker claims again afterwards. Raises
        WorkerStateError unless it works; one that has stopped is started by ``run``.

        >>> async with app.running() as worker:
        ...     worker.restart()
        """
        self._expect("restart", Phase.RUNNING, Phase.PAUSED)
        self._again = True
        self._finish(End.STOP)

    def pause(self) -> None:
        """Claim nothing; what runs goes on, and heartbeats too. What a claim brings that is under way is given back, which uses no attempt.

        Raises WorkerStateError unless it is running.

        >>> async with app.running() as worker:
        ...     worker.pause()
        ...     task = await greet.push("Ada")
        ...     worker.resume()
        ...     print(await task.result())
        Hello, Ada.
        """
        self._expect("pause", Phase.RUNNING)
        self._phase = Phase.PAUSED
        if self._life is not None:
            self._life.pause()

    def resume(self) -> None:
        """Claim again. Raises WorkerStateError unless it is paused.

        >>> async with app.running() as worker:
        ...     worker.pause()
        ...     worker.resume()
        ...     worker.phase
        <Phase.RUNNING: 'running'>
        """
        self._expect("resume", Phase.PAUSED)
        self._phase = Phase.RUNNING
        if self._life is not None:
            self._life.resume()

    # --- events --------------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """Call ``listener``, a plain or an async function, with every event from now on, on the event loop.

        What it raises is logged and harms nothing. An async one hears one event after the other, and may be at most 10,000 behind.

        >>> def tell(event: Event) -> None:
        ...     if isinstance(event, Custom):
        ...         print(event.name, event.payload)
        >>> async with app.running() as worker:
        ...     worker.listen(tell)
        ...     worker.emit("cache cleared", 42)
        cache cleared 42
        """
        self._announcer.add(listener)

    def unlisten(self, listener: Listener) -> None:
        """Tell ``listener`` nothing more. Raises InvalidValue when it does not listen.

        >>> async with app.running() as worker:
        ...     worker.listen(print)
        ...     worker.unlisten(print)
        ...     worker.emit("told to nobody")
        """
        self._announcer.remove(listener)

    def emit(self, name: str, payload: Any = None) -> None:
        """Tell the listeners a Custom event.

        >>> def tell(event: Event) -> None:
        ...     if isinstance(event, Custom):
        ...         print(event.name)
        >>> async with app.running(on_event=tell) as worker:
        ...     worker.emit("cache cleared")
        cache cleared
        """
        self._announcer.say(Custom(worker=self.name, name=name, payload=payload))

    def track(self, work: Awaitable[Any]) -> None:
        """Take care of ``work``, a coroutine, a task or a future: a stop waits for it within the shutdown timeout, and cancels it then.

        What it raises is logged. Raises InvalidValue for what cannot be awaited, WorkerStateError unless the worker works.

        >>> async with app.running() as worker:
        ...     worker.track(asyncio.sleep(0.01))
        """
        self._side_work.track(work)

    def steer(self, verb: Verb) -> None:
        """What a handler asks for: done where that makes sense, and else ignored.

        >>> async with app.running() as worker:
        ...     worker.steer("pause")
        ...     worker.phase
        <Phase.PAUSED: 'paused'>
        """
        if verb == "stop" and self._phase in {Phase.RUNNING, Phase.PAUSED}:
            self.stop()
        elif verb == "pause" and self._phase is Phase.RUNNING:
            self.pause()
        elif verb == "resume" and self._phase is Phase.PAUSED:
            self.resume()

    # --- one life after the other --------------------------------------------------------------------

    async def _then(self, until: "Callable[[Worker], Awaitable[T]]") -> T:
        await self.ready()
        return await until(self)

    async def _work(self) -> None:
        self._phase, self._reason = Phase.RUNNING, StopReason.ASKED
        executor = self._new_executor()
        self._side_work.begin()
        try:
            await self._backend.open()
            await self._declare()
            async with scribing(executor.scribe), entered(self.settings.middleware):
                await self._live(executor)
        except BaseException:
            self._reason = StopReason.FAILED
            raise
        finally:
            await self._close(executor)

    async def _declare(self) -> None:
        """Store what the app declares: when it starts, and not when it registers anew, for another version of the app may have started since."""
        for queue, limits in self._limits.items():
            await self._backend.declare(queue, limits)
        for start in range(0, len(self._schedules), DECLARED_AT_ONCE):
            await self._backend.declare_schedules(self._schedules[start : start + DECLARED_AT_ONCE])

    async def _close(self, executor: Executor) -> None:
        self._phase = Phase.STOPPING
        await self._side_work.close(grace=self.settings.stop_grace)
        executor.close()
        self._announcer.say(Stop(worker=self.name, reason=StopReason.RESTART if self._again else self._reason))
        await self._announcer.finish(grace=self.settings.stop_grace)
        self._phase, self._life, self._ready = Phase.STOPPED, None, asyncio.Event()

    def _finish(self, end: End) -> None:
        self._phase, self._end = Phase.STOPPING, end
        if self._life is not None:
            self._life.end(end)

    def _recycle(self, reason: StopReason, because: str) -> None:
        if self._phase in {Phase.RUNNING, Phase.PAUSED}:
            self._reason = reason
            _log.warning("Worker %s stops, to be replaced: %s.", self.name, because)
            self.stop()

    def _used_up(self) -> None:
        self._recycle(StopReason.MAX_TASKS, f"it has started {self.settings.max_tasks} tasks (max_tasks)")

    def _outgrown(self, rss: int) -> None:
        most = self.settings.max_memory
        self._recycle(StopReason.MAX_MEMORY, f"its process uses {rss:,} bytes, more than {most:,} (max_memory)")

    async def _live(self, executor: Executor) -> None:
        failures = 0
        quota = Quota(self.settings.max_tasks, self._used_up)
        while self._end is None:
            self._life = self._new_life(executor, quota)
            try:
                if await self._life.run(self._ready.set) is not End.LOST:
                    return
                failures = 0
            except StoreUnavailable as error:
                if not self._ready.is_set():
                    raise
                failures += 1
                _log.warning("Worker %s cannot register anew and tries again: %s", self.name, error)
                await asyncio.sleep(TROUBLE.delay(failures))

    def _new_life(self, executor: Executor, quota: Quota) -> Life:
        life = Life(
            self._backend,
            self.settings,
            recipes=self._recipes,
            gates=self._gates,
            executor=executor,
            running=self._running,
            announcer=self._announcer,
            side_work=self._side_work,
            quota=quota,
            outgrown=self._outgrown,
            version=_version(),
        )
        if self._phase is Phase.PAUSED:
            life.pause()
        return life

    def _new_executor(self) -> Executor:
        return Executor(
            self._backend,
            worker=self.name,
            recipes=self._recipes,
            codecs=self._codecs,
            gates=self._gates,
            scribe=None if self.settings.capture_logs is None else Scribe(self._backend, self.settings.capture_logs),
            on_ack=self._on_ack,
            running=self._running,
            announcer=self._announcer,
            grace=self.settings.stop_grace,
            stopping=lambda: self._phase is Phase.STOPPING,
            crew=self,
            calls_per_child=self.settings.max_tasks_per_child,
        )

    def _expect(self, verb: str, *phases: Phase) -> None:
        if self._phase not in phases:
            allowed = " or ".join(phases)
            raise WorkerStateError(f"Worker {self.name} cannot {verb}: it is {self._phase}, and must be {allowed}.")


def _captured(level: str | int | Usual | None, can: Capabilities) -> int | None:
    if isinstance(level, Usual):
        return logging.INFO if can.logs else None
    number = level_of(level)
    if number is not None:
        can.require("logs", f"capture_logs is {level!r}", "Leave it out.")
    return number


def _check_parts(can: Capabilities, schedules: Sequence[Schedule], limits: Mapping[QueueName, Limits]) -> None:
    for schedule in schedules:
        can.require("schedules", f"The schedule {schedule.name} is declared", "Take it out; pipe(Cron(…).ticks(), task) pushes without one.")
    for queue in limits:
        can.require("limits", f"The queue {queue} has limits", "Take app.queue out.")


def _version() -> str:
    from importlib.metadata import version  # slow to import, and needed here only

    return version("prinia")
