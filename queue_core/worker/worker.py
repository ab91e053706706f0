"""The worker: claims tasks of its queues and runs their handlers until it is stopped."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeVar

from queue_core.backend import Backend, Retention
from queue_core.codec import CODECS, Codec
from queue_core.errors import StoreUnavailable, WorkerStateError
from queue_core.events import Custom, Event, Stop
from queue_core.handler import Handler
from queue_core.ids import QueueName
from queue_core.middleware import AckHook, Middleware, entered, provided
from queue_core.polling import DEFAULT_POLL, Poll, strategies
from queue_core.worker.announcer import Announcer, Listener
from queue_core.worker.bell import Bell
from queue_core.worker.executor import Executor
from queue_core.worker.gates import Gates
from queue_core.worker.life import End, Life
from queue_core.worker.loop import TROUBLE
from queue_core.worker.recipes import prepare
from queue_core.worker.running import Running
from queue_core.worker.settings import Settings, unique_name
from queue_core.worker.shutdown import stopped_by_signals
from queue_core.worker.supplies import Supplies

T = TypeVar("T")
MAX_BACKLOG: Final = 10_000
"""Events that a slow reader of ``stream`` may be behind; older ones are dropped."""
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
    ``housekeeping``: seconds between two rounds of expiry and retention.

    ``overrides``: dependencies of handlers by what takes their place.

    Raises InvalidValue for settings that break a rule and dependencies that cannot be made, MissingData when a handler asks for data that is
    not in ``data``.
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
        lease_ttl: float = 15.0,
        heartbeat_every: float | None = None,
        shutdown_timeout: float = 30.0,
        stop_grace: float = 5.0,
        poll: Poll = DEFAULT_POLL,
        wakeups: bool = True,
        housekeeping: float = 60.0,
        retention: Retention | None = None,
    ) -> None:
        handlers = list(handlers)
        named = tuple(dict.fromkeys(handler.queue for handler in handlers))
        self.settings = Settings(
            name=unique_name() if name is None else name,
            queues=named if queues is None else tuple(QueueName(queue) for queue in dict.fromkeys(queues)),
            concurrency=concurrency,
            middleware=tuple(middleware),
            lease_ttl=lease_ttl,
            heartbeat_every=lease_ttl / 5 if heartbeat_every is None else heartbeat_every,
            shutdown_timeout=shutdown_timeout,
            stop_grace=stop_grace,
            poll=strategies(poll),
            wakeups=wakeups,
            housekeeping=housekeeping,
            retention=retention or Retention(),
        )
        self._backend = backend
        self._codecs = codecs
        given = data if isinstance(data, Mapping) else {type(value): value for value in data}
        self._recipes = prepare(handlers, Supplies(given, provided(self.settings.middleware), overrides or {}))
        self._gates = Gates(self.settings.middleware)
        self._on_ack = (on_ack,) if callable(on_ack) else tuple(on_ack)
        self._announcer = Announcer((on_event,) if callable(on_event) else tuple(on_event))
        self._running = Running(concurrency)
        self._phase = Phase.PENDING
        self._end: End | None = None
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

    # --- working -------------------------------------------------------------------------------------

    async def run(self, *, signals: bool = False) -> None:
        """Work until stopped. ``signals``: let SIGTERM and SIGINT stop it, a second one at once.

        Raises WorkerStateError when it was started before, WorkerNameTaken, StoreUnavailable when it cannot begin.
        """
        self._expect("run", Phase.PENDING)
        self._phase = Phase.RUNNING
        executor = self._new_executor()
        try:
            with stopped_by_signals(self) if signals else contextlib.nullcontext():
                await self._backend.open()
                async with entered(self.settings.middleware):
                    await self._live(executor)
        finally:
            self._phase = Phase.STOPPED
            executor.close()
            self._announcer.say(Stop(worker=self.name))

    async def run_until(self, until: Awaitable[T]) -> T:
        """Work until ``until`` is done, then stop gracefully. Returns or raises what ``until`` does; raises what ``run`` raises."""
        waiting = asyncio.ensure_future(until)
        working = asyncio.ensure_future(self.run())
        try:
            await asyncio.wait([waiting, working], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not working.done():
                self.stop()
            await working
        if not waiting.done():
            waiting.cancel()
            raise WorkerStateError(f"Worker {self.name} was stopped before what it was to wait for was done.")
        return waiting.result()

    async def stream(self) -> AsyncIterator[Event]:
        """Work, and yield every event in order until the worker has stopped. Leaving the loop stops it.

        A reader that is more than 10,000 events behind misses the oldest.
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
        """Wait until it is registered and claims."""
        await self._ready.wait()

    # --- steering ------------------------------------------------------------------------------------

    def stop(self, *, at_once: bool = False) -> None:
        """Stop: claim nothing more, let what runs end within the shutdown timeout, then cancel it; ``at_once`` cancels it now.

        Returns immediately; ``run`` returns when all is done. Asking twice is harmless. Raises WorkerStateError before the start and after the end.
        """
        self._expect("stop", Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)
        self._phase = Phase.STOPPING
        self._end = End.STOP_AT_ONCE if at_once else self._end or End.STOP
        if self._life is not None:
            self._life.end(self._end)

    def pause(self) -> None:
        """Claim nothing; what runs goes on, and heartbeats too. Raises WorkerStateError unless it is running."""
        self._expect("pause", Phase.RUNNING)
        self._phase = Phase.PAUSED
        if self._life is not None:
            self._life.pause()

    def resume(self) -> None:
        """Claim again. Raises WorkerStateError unless it is paused."""
        self._expect("resume", Phase.PAUSED)
        self._phase = Phase.RUNNING
        if self._life is not None:
            self._life.resume()

    # --- events --------------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with every event from now on, on the event loop. What it raises is logged and harms nothing."""
        self._announcer.add(listener)

    def emit(self, name: str, payload: Any = None) -> None:
        """Tell the listeners a Custom event."""
        self._announcer.say(Custom(worker=self.name, name=name, payload=payload))

    # --- one life after the other --------------------------------------------------------------------

    async def _live(self, executor: Executor) -> None:
        failures = 0
        while self._end is None:
            self._life = self._new_life(executor)
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

    def _new_life(self, executor: Executor) -> Life:
        life = Life(
            self._backend,
            self.settings,
            recipes=self._recipes,
            gates=self._gates,
            executor=executor,
            running=self._running,
            announcer=self._announcer,
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
            on_ack=self._on_ack,
            running=self._running,
            announcer=self._announcer,
            grace=self.settings.stop_grace,
            stop_worker=self._stop_if_running,
            stopping=lambda: self._phase is Phase.STOPPING,
        )

    def _stop_if_running(self) -> None:
        if self._phase in {Phase.RUNNING, Phase.PAUSED}:
            self.stop()

    def _expect(self, verb: str, *phases: Phase) -> None:
        if self._phase not in phases:
            allowed = " or ".join(phases)
            raise WorkerStateError(f"Worker {self.name} cannot {verb}: it is {self._phase}, and must be {allowed}. Make a new Worker to start again.")


def _version() -> str:
    from importlib.metadata import version  # slow to import, and needed here only

    return version("prinia")
