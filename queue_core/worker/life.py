"""One life of a worker: from its registration to its end, or to the loss of its leases."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from enum import Enum, auto
from typing import Any, TypeVar

from queue_core.backend import Backend
from queue_core.errors import PriniaError, StoreUnavailable
from queue_core.events import HeartBeat, Idle, Start, StoreLost
from queue_core.ids import new_boot_id
from queue_core.inject import Ending
from queue_core.middleware import middleware_name
from queue_core.outage import Outage
from queue_core.outcome import Released, settle
from queue_core.task import Claim
from queue_core.worker.acker import Acker
from queue_core.worker.announcer import Announcer
from queue_core.worker.bell import Bell
from queue_core.worker.executor import Executor
from queue_core.worker.fetcher import Fetcher
from queue_core.worker.gates import Gates
from queue_core.worker.heartbeat import Heartbeat
from queue_core.worker.housekeeping import Housekeeping
from queue_core.worker.killer import Killer
from queue_core.worker.loop import Loop
from queue_core.worker.poller import Poller
from queue_core.worker.quota import Quota
from queue_core.worker.recipes import Recipe
from queue_core.worker.running import Running
from queue_core.worker.scheduler import Scheduler
from queue_core.worker.settings import Settings
from queue_core.worker.side_work import SideWork
from queue_core.worker.vitals import Vitals
from queue_core.worker.watchdog import Watchdog
from queue_core.worker_info import Beat, BeatReply, Registration, WorkerState

T = TypeVar("T")
_log = logging.getLogger("prinia.worker")
PATIENCE = 3.0
"""Seconds for which the event loop may be blocked without a warning."""


PROCESS = secrets.token_hex(8)
"""Tells this process from an earlier one that had the same pid."""


class End(Enum):
    """Why a life ends."""

    STOP = auto()
    STOP_AT_ONCE = auto()
    LOST = auto()
    """The store declared it lost; the worker starts another."""


class Life:
    """The moving parts of a worker, for as long as one registration holds."""

    def __init__(
        self,
        backend: Backend,
        settings: Settings,
        *,
        recipes: Mapping[str, Recipe],
        gates: Gates,
        executor: Executor,
        running: Running,
        announcer: Announcer,
        side_work: SideWork,
        quota: Quota,
        outgrown: Callable[[int], None],
        version: str,
    ) -> None:
        self.boot = new_boot_id()
        self._backend, self._settings = backend, settings
        self._recipes, self._executor, self._running, self._announcer = recipes, executor, running, announcer
        self._gates, self._side_work, self._quota = gates, side_work, quota
        self._outgrown = outgrown
        self._version = version
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._state = WorkerState.RUNNING
        self._end: End | None = None
        self._ending = Bell()
        self._at_once: asyncio.Future[Any] = self._loop.create_future()
        self._outage = Outage(_log, f"Worker {settings.name}", "use the store")
        self._idled = False
        self._acker = Acker(backend, scribe=executor.scribe, lost=executor.lost, emptied=self._settled, report=self._trouble)
        self._poller = Poller(settings.poll, worker=settings.name, look=self._look_again)
        self._fetcher = self._new_fetcher()
        self._killer = Killer(backend, self.boot, running, report=self._trouble)
        self._wakeups = backend.wakeups(self.boot, settings.queues)
        self._listener = Loop("listener", self._listen, report=self._trouble)
        self._housekeeping = Housekeeping(
            backend, rescue_every=settings.lease_ttl / 3, every=settings.housekeeping, retention=settings.retention, report=self._trouble
        )
        self._scheduler = Scheduler(backend, every=settings.housekeeping, caught_up=self._fetcher.look, report=self._trouble)
        watchdog = Watchdog(self._loop, running, worker=settings.name, patience=min(PATIENCE, settings.lease_ttl / 3))
        self._heartbeat = Heartbeat(
            backend, every=settings.heartbeat_every, describe=self._describe, answered=self._answered, watch=watchdog.watch
        )  # fmt: skip

    async def run(self, started: Callable[[], None]) -> End:
        """Register, work until the end is asked for, wind up. Raises WorkerNameTaken, StoreUnavailable when it cannot begin."""
        async with contextlib.AsyncExitStack() as stack:
            if self._settings.wakeups:
                await stack.enter_async_context(self._wakeups)
            await self._backend.register(self._registration())
            await self._scheduler.start()
            self._start()
            stack.callback(self._gates.on_change(self._look_again))
            started()
            self._say_start()
            try:
                end = await self._ended()
            except asyncio.CancelledError:
                self._end = End.STOP_AT_ONCE
                self._hasten()
                await asyncio.shield(self._loop.create_task(self._wind_up(End.STOP_AT_ONCE)))
                raise
            return await self._wind_up(end)

    def end(self, why: End) -> None:
        """Ask for the end; a second, harder reason overrides."""
        if self._end is None or self._end is End.STOP:
            self._end = why
            self._ending.ring()
            if why is End.STOP_AT_ONCE:
                self._hasten()
                self._acker.hurry()

    def pause(self) -> None:
        """Claim nothing; what runs goes on."""
        self._fetcher.pause()
        self._be(WorkerState.PAUSED)

    def resume(self) -> None:
        """Claim again."""
        self._fetcher.resume()
        self._be(WorkerState.RUNNING)

    # --- beginning -----------------------------------------------------------------------------------

    def _registration(self) -> Registration:
        settings = self._settings
        return Registration(
            boot=self.boot,
            name=settings.name,
            queues=settings.queues,
            names=tuple(self._recipes),
            host=socket.gethostname(),
            pid=os.getpid(),
            process=PROCESS,
            version=self._version,
            middleware=tuple(middleware_name(layer) for layer in settings.middleware),
            concurrency=settings.concurrency,
            lease_ttl=settings.lease_ttl,
        )

    def _new_fetcher(self) -> Fetcher:
        return Fetcher(
            self._backend,
            self.boot,
            queues=self._settings.queues,
            names=tuple(self._recipes),
            running=self._running,
            timed=self._settings.wakeups,
            looked=self._poller.looked,
            gates=self._gates,
            quota=self._quota,
            acker=self._acker,
            launch=self._launch,
            idle=self._idle,
            report=self._trouble,
        )

    def _start(self) -> None:
        self._heartbeat.start()
        self._acker.start()
        self._killer.start()
        if self._settings.wakeups:
            self._listener.start()
        self._housekeeping.start()
        self._fetcher.start()
        self._poller.start()

    # --- working -------------------------------------------------------------------------------------

    def _launch(self, claim: Claim) -> None:
        """Run what a claim brought; give it back where the worker was paused or stopped while the claim was under way."""
        self._idled = False
        if self._end is None and self._state is not WorkerState.PAUSED:
            self._quota.launched()
            self._executor.launch(claim, self._acker.put)
        else:
            self._acker.put(claim, settle(claim.lease, Released(), attempt=claim.attempt, max_attempts=claim.max_attempts, ran_for=0.0))

    def _look_again(self) -> None:
        """A polling strategy says so, or a gate has changed, perhaps in the thread of another worker that shares it."""
        if threading.get_ident() == self._thread:
            self._fetcher.look()
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to look
                self._loop.call_soon_threadsafe(self._fetcher.look)

    async def _listen(self) -> float:
        if await self._wakeups.wait(None):
            self._fetcher.look()
            self._killer.look()
        return 0.0

    async def _ended(self) -> End:
        while self._end is None:
            await self._ending.wait()
        return self._end

    def _settled(self) -> None:
        """Everything that ended is stored: look once more, so that listeners hear of idleness."""
        if self._announcer and not len(self._running):
            self._fetcher.look()

    def _idle(self) -> None:
        if self._scheduler.is_behind:
            return  # what it pushes next is work; the fetcher looks again when that is done
        if not self._idled and self._announcer:
            self._announcer.say(Idle(worker=self._settings.name))
        self._idled = True

    def _say_start(self) -> None:
        _log.info("Worker %s serves %s.", self._settings.name, ", ".join(self._settings.queues))
        if self._announcer:
            self._announcer.say(Start(worker=self._settings.name, queues=self._settings.queues))

    def _be(self, state: WorkerState) -> None:
        self._state = state
        self._heartbeat.beat_now()

    def _trouble(self, part: str, error: BaseException) -> None:
        if not isinstance(error, StoreUnavailable):
            _log.error("The %s of worker %s failed and tries again: %s", part, self._settings.name, error, exc_info=error)
        else:
            self._outage.failed(error)
        if self._announcer:
            self._announcer.say(StoreLost(worker=self._settings.name, error=str(error)))

    # --- heartbeats, called in their thread ----------------------------------------------------------

    def _describe(self, vitals: Vitals) -> Beat:
        rss, most = vitals.rss(), self._settings.max_memory
        if most is not None and rss is not None and rss > most:
            self._tell_loop(self._outgrown, rss)
        return Beat(boot=self.boot, state=self._state, running=self._running.occupied, rss=rss, cpu=vitals.cpu())

    def _answered(self, reply: BeatReply) -> None:
        self._tell_loop(self._heard, reply.alive)

    def _tell_loop(self, function: Callable[[T], None], fact: T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(function, fact)

    def _heard(self, alive: bool) -> None:
        self._outage.worked()
        if not alive:
            self.end(End.LOST)
            return
        self._killer.look()
        if self._announcer:
            self._announcer.say(HeartBeat(worker=self._settings.name, running=self._running.occupied))

    # --- ending --------------------------------------------------------------------------------------

    async def _wind_up(self, end: End) -> End:
        if end is End.LOST:
            await self._abandon()
        else:
            self._be(WorkerState.STOPPING)
            await self._drain()
        await self._stop_parts()
        if self._end is not End.LOST:
            await self._deregister()
        return end

    async def _drain(self) -> None:
        """Claim nothing more, let what runs end, cancel what does not, store how all of it ended."""
        await self._fetcher.close(grace=self._settings.stop_grace)
        deadline = self._loop.time() + self._settings.shutdown_timeout
        await self._let_end(self._running.emptied, deadline)
        if self._end is not End.STOP_AT_ONCE:  # which has cancelled it already
            self._running.end_all(Ending.STOPPED)
        await self._running.emptied(self._settings.stop_grace)
        self._give_up()
        await self._let_end(self._side_work.finished, deadline)
        await self._acker.drain(max(self._settings.shutdown_timeout, 1.0))

    def _hasten(self) -> None:
        """Cancel what runs, and let nothing wait for its end as long as a graceful stop would."""
        self._running.end_all(Ending.STOPPED)
        self._side_work.cancel()
        if not self._at_once.done():
            self._at_once.set_result(None)

    async def _let_end(self, ended: Callable[[float], Coroutine[Any, Any, bool]], deadline: float) -> None:
        """Wait until it has ``ended``, but not past ``deadline``, nor once all is to end at once."""
        waiting: asyncio.Future[Any] = self._loop.create_task(ended(deadline - self._loop.time()))
        await asyncio.wait([waiting, self._at_once], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    def _give_up(self) -> None:
        """Give back tasks whose handlers do not end, although they go on: otherwise their rows would wait for a rescuer."""
        for run in self._running:
            if run.ending is Ending.LOST:
                continue  # given back by an earlier life
            _log.warning(
                "Task %s (%s) did not end when the worker stopped; it is given back while its handler still runs.", run.claim.id, run.claim.name
            )
            run.ending = Ending.LOST
            claim = run.claim
            self._acker.put(claim, settle(claim.lease, Released(), attempt=claim.attempt, max_attempts=claim.max_attempts, ran_for=0.0))

    async def _abandon(self) -> None:
        """The leases are gone, so nothing is stored: cancel what runs and forget it."""
        _log.warning("Worker %s was declared lost; it drops its work and registers anew.", self._settings.name)
        self._running.end_all(Ending.LOST)
        await self._fetcher.close(grace=self._settings.stop_grace)
        await self._running.emptied(self._settings.stop_grace)
        self._acker.drop()
        await self._acker.drain(0.0)

    async def _stop_parts(self) -> None:
        self._heartbeat.end()
        await self._poller.stop(grace=self._settings.stop_grace)
        await self._killer.stop()
        await self._listener.stop()
        await self._housekeeping.stop()
        await self._scheduler.stop()
        await asyncio.to_thread(self._heartbeat.join, self._settings.stop_grace)

    async def _deregister(self) -> None:
        try:
            await self._backend.deregister(self.boot)
        except PriniaError as error:
            _log.warning("Worker %s could not say goodbye to the store, so it will be found lost: %s", self._settings.name, error)
