"""The monitor: runs several workers as one, and starts anew those that fail."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar, runtime_checkable

from queue_core.backoff import Retry
from queue_core.errors import InvalidValue, PriniaError, WorkerStateError, not_negative, plain, words
from queue_core.events import StopReason, WorkerFailed
from queue_core.task import check_name
from queue_core.worker import Worker
from queue_core.worker.announcer import Announcer, Listener
from queue_core.worker.bell import Bell
from queue_core.worker.shutdown import stopped_by_signals

T = TypeVar("T")


@runtime_checkable
class Runner(Protocol):
    """What a monitor takes care of: a Worker, or what stands for one that lives elsewhere."""

    @property
    def is_working(self) -> bool:
        """Whether it runs; only then it can be stopped."""
        ...

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it ended the last time."""
        ...

    async def run(self) -> None:
        """Work until stopped."""
        ...

    def stop(self, *, at_once: bool = False) -> None:
        """End gracefully, or at once."""
        ...


Factory = Callable[[int], Runner]
"""Makes a worker, given how many runs in a row have failed before: 0 for the first."""
ShouldRestart = Callable[[str, BaseException, int], bool]
"""Decides by the worker's name in the monitor, what its run raised, and which run that was: 0 for the first."""
RESTARTS: Final = 5
"""How many runs in a row may fail before a monitor gives a worker up, unless ``should_restart`` decides otherwise."""
HEALTHY: Final = 60.0
"""Seconds after which a run counts as one that had begun well; never less than the longest pause between two runs."""
REPLACED: Final = {StopReason.MAX_TASKS, StopReason.RESTART}
"""Ends that another run follows at once."""
FORCED: Final = 10.0
"""Seconds that workers may take to end after they were stopped at once."""
_log = logging.getLogger("prinia.monitor")


class Monitor:
    """Runs workers side by side, and starts those anew that fail. What happens to one changes nothing for the others.

    ``shutdown_timeout``: seconds that all workers together may take to stop; then they are stopped at once. ``should_restart(name, error, run)``:
    whether a worker whose ``run`` raised ``error`` is started again; by default until its sixth failure in a row. ``run`` counts the failures in
    a row before this one, so it is 0 for the first run, and 0 again after a run that lasted longer than a minute, and than the longest pause of
    ``backoff``, which is the pause before each restart. ``on_event``: a function, plain or async, or several, that hear every event of every
    worker, and WorkerFailed when one fails.

    A worker that ends by itself, because a handler stopped it, is not started again; one that has run its ``max_tasks`` is, at once. One that has
    outgrown its ``max_memory`` is not: only a new process gives memory back, so let the program end and its supervisor start it again.

    Raises InvalidValue for settings that break a rule.

    >>> monitor = Monitor(shutdown_timeout=30, should_restart=lambda name, error, run: run < 5)
    >>> monitor.register(lambda run: app.worker(queues=["email"]), name="email")
    >>> task = await greet.push("Ada")
    >>> await monitor.run_until(task.result())
    'Hello, Ada.'
    """

    def __init__(
        self,
        *,
        shutdown_timeout: float = 30.0,
        should_restart: ShouldRestart | None = None,
        backoff: Retry | None = None,
        on_event: Listener | Sequence[Listener] = (),
    ) -> None:
        self._shutdown_timeout = not_negative("shutdown_timeout", shutdown_timeout)
        plain("should_restart", should_restart or _a_few_times)
        self._should_restart = should_restart or _a_few_times
        self._backoff = backoff or Retry(min=1.0, max=60.0)
        if not isinstance(self._backoff, Retry):
            raise InvalidValue(f"backoff must be a Retry, as Retry(min=1, max=60), got {backoff!r}.")
        self._announcer = Announcer((on_event,) if callable(on_event) else tuple(on_event))
        self._members: dict[str, Member] = {}
        self._gave_up: list[BaseException] = []
        self._has_ended = False
        self._running = False
        self._stopping = False
        self._at_once = False
        self._bell = Bell()
        self._inside: asyncio.Task[None] | None = None

    @property
    def workers(self) -> dict[str, Worker | None]:
        """The workers that it takes care of, by name; None where the next run is being waited for, or where the worker is in another process."""
        return {name: member.worker if isinstance(member.worker, Worker) else None for name, member in self._members.items()}

    # --- its workers -----------------------------------------------------------------------------------

    def register(self, factory: Factory, *, name: str) -> None:
        """Run what ``factory`` makes, under ``name``; at once if the monitor runs. The factory is called before each run, with its index.

        Raises InvalidValue for a name that is taken, and for what is no plain function.

        >>> monitor = Monitor()
        >>> monitor.register(lambda run: app.worker(f"email-{run}", queues=["email"]), name="email")
        """
        check_name("name", name)
        plain("factory", factory)
        if name in self._members:
            raise InvalidValue(f"The monitor has a worker {name!r} already. Choose another name, or remove that one first.")
        member = self._members[name] = Member(name, factory, self._should_restart, self._backoff, self._announcer)
        if self._running and not self._stopping:
            self._start(member)

    def add(self, worker: Worker) -> None:
        """Run ``worker`` itself, again and again; as ``register`` with a factory that always gives it. Raises InvalidValue for what is no Worker.

        >>> monitor = Monitor()
        >>> monitor.add(app.worker("email-1"))
        >>> list(monitor.workers)
        ['email-1']
        """
        if not isinstance(worker, Worker):
            raise InvalidValue(f"A monitor takes a Worker, as monitor.add(app.worker()), got {worker!r}.")
        self.register(lambda _: worker, name=worker.name)

    async def remove(self, name: str) -> None:
        """Stop the worker called ``name`` gracefully, wait for that, and take care of it no more. What its last run raised is raised here.

        Raises InvalidValue when there is none.

        >>> monitor = Monitor()
        >>> monitor.add(app.worker("email-1"))
        >>> await monitor.remove("email-1")
        >>> list(monitor.workers)
        []
        """
        member = self._members.get(name)
        if member is None:
            raise InvalidValue(f"The monitor has no worker {name!r}; it has {', '.join(map(repr, self._members)) or 'none'}.")
        member.stop()
        if member.task is not None:
            await asyncio.wait([member.task])
        if self._members.get(name) is member:
            del self._members[name]
        if (error := member.error) is not None and error in self._gave_up:
            self._gave_up.remove(error)
            raise error

    # --- working -----------------------------------------------------------------------------------------

    async def run(self, *, signals: bool = False) -> None:
        """Run until it is stopped, or until every worker has ended. ``signals``: let SIGTERM and SIGINT stop it, a second one at once.

        Without any worker it waits for one to be registered. Raises an ExceptionGroup of the errors of workers that were given up, each with a note
        that names the worker, once all have ended; WorkerStateError when it runs already.

        >>> monitor = Monitor(on_event=lambda event: monitor.stop() if isinstance(event, Idle) else None)
        >>> monitor.add(app.worker())
        >>> task = await greet.push("Ada")
        >>> await monitor.run()
        >>> await task.status()
        <Status.DONE: 'Done'>
        """
        self._expect_rest()
        self._running, self._stopping, self._at_once, self._has_ended = True, False, False, False
        self._gave_up.clear()
        try:
            with stopped_by_signals(self) if signals else contextlib.nullcontext():
                await self._work()
        finally:
            self._running = False
            await self._announcer.finish(grace=FORCED)
        if self._gave_up:
            raise BaseExceptionGroup("Workers of the monitor failed", self._gave_up)

    async def run_until(self, until: "Awaitable[T] | Callable[[Monitor], Awaitable[T]]") -> T:
        """Run until ``until`` is done, then stop gracefully. ``until`` may be a function of the monitor.

        Returns or raises what ``until`` does; raises what ``run`` raises, and WorkerStateError when all workers ended before.

        >>> monitor = Monitor()
        >>> monitor.add(app.worker())
        >>> task = await greet.push("Ada")
        >>> await monitor.run_until(task.result())
        'Hello, Ada.'
        """
        waiting = asyncio.ensure_future(until(self) if callable(until) else until)
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
            raise WorkerStateError("All workers of the monitor ended before what it was to wait for was done.")
        return waiting.result()

    def stop(self, *, at_once: bool = False) -> None:
        """Stop all workers gracefully, and at once when the shutdown timeout is over, or now. Of no effect when it does not run.

        >>> async def stop(monitor: Monitor) -> None:
        ...     monitor.stop()
        >>> monitor = Monitor()
        >>> monitor.add(app.worker())
        >>> await monitor.run_until(stop)
        """
        self._stopping = True
        self._at_once = self._at_once or at_once
        self._bell.ring()

    async def __aenter__(self) -> Self:
        """Run in the background: for the lifespan of a host. Raises WorkerStateError when it runs already."""
        self._expect_rest()
        self._inside = asyncio.ensure_future(self.run())
        await asyncio.sleep(0)  # so that it runs
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop gracefully. Raises what ``run`` raises."""
        assert self._inside is not None
        self.stop()
        await self._inside

    # --- events --------------------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with every event of every worker from now on; as ``Worker.listen``.

        >>> monitor = Monitor()
        >>> monitor.listen(lambda event: print(event.task.name, event.ack.status) if isinstance(event, TaskEnded) else None)
        >>> monitor.add(app.worker())
        >>> task = await greet.push("Ada")
        >>> ended = await monitor.run_until(task.result())
        greet Done
        """
        self._announcer.add(listener)
        for member in self._members.values():
            member.tell()

    def unlisten(self, listener: Listener) -> None:
        """Tell ``listener`` nothing more. Raises InvalidValue when it does not listen.

        >>> monitor = Monitor()
        >>> monitor.listen(print)
        >>> monitor.unlisten(print)
        """
        self._announcer.remove(listener)

    # --- inside ----------------------------------------------------------------------------------------------

    def _expect_rest(self) -> None:
        if self._running:
            raise WorkerStateError("The monitor runs already. Make another Monitor, or register the workers with this one.")

    async def _work(self) -> None:
        for member in list(self._members.values()):
            self._start(member)
        try:
            while not self._stopping and (self._living() or not self._has_ended):
                await self._bell.wait()
        except asyncio.CancelledError:
            self._at_once = True
            await asyncio.shield(asyncio.ensure_future(self._shut_down()))
            raise
        await self._shut_down()

    def _start(self, member: "Member") -> None:
        member.stopped, member.error = False, None
        member.task = asyncio.ensure_future(member.live())
        member.task.add_done_callback(lambda task: self._ended(member, task))

    def _ended(self, member: "Member", task: "asyncio.Task[None]") -> None:
        self._has_ended = self._has_ended or not member.stopped
        if not task.cancelled() and (fault := task.exception()) is not None:
            member.error = fault
        if member.error is not None:
            member.error.add_note(f"This was worker {member.name} of the monitor.")
            self._gave_up.append(member.error)
        self._bell.ring()

    def _living(self) -> "list[Member]":
        return [member for member in self._members.values() if member.task is not None and not member.task.done()]

    async def _shut_down(self) -> None:
        self._stopping = True
        for member in self._living():
            member.stop()
        if not await self._emptied(self._shutdown_timeout, unless_at_once=True):
            for member in self._living():
                member.stop(at_once=True)
            await self._emptied(FORCED)
        for member in self._living():
            self._abandon(member)
        await asyncio.sleep(0)  # so that what was cancelled hears of it

    async def _emptied(self, timeout: float, *, unless_at_once: bool = False) -> bool:
        """Wait until no worker is left, at most ``timeout`` seconds. Whether that is so."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._living():
            left = deadline - loop.time()
            if left <= 0 or (unless_at_once and self._at_once):
                return False
            await self._bell.wait(left)
        return True

    def _abandon(self, member: "Member") -> None:
        _log.error("Worker %s did not end, although it was stopped at once; it is left behind.", member.name)
        self._gave_up.append(WorkerStateError(f"Worker {member.name} did not end within {FORCED:g} s of being stopped at once."))
        if member.task is not None:
            member.task.cancel()


class Member:
    """One worker of a monitor: its runs, one after the other."""

    def __init__(self, name: str, factory: Factory, should_restart: ShouldRestart, backoff: Retry, announcer: Announcer) -> None:
        self.name = name
        self.worker: Runner | None = None
        self.task: asyncio.Task[None] | None = None
        self.stopped = False
        """Whether it was asked to end."""
        self.error: BaseException | None = None
        """What its last run raised, for which it was given up."""
        self._factory, self._should_restart, self._backoff = factory, should_restart, backoff
        self._announcer = announcer
        self._told: Worker | None = None
        self._bell = Bell()

    async def live(self) -> None:
        """Run until asked to stop, until the worker ends by itself, or until it is given up."""
        loop = asyncio.get_running_loop()
        run = 0
        while not self.stopped:
            began = loop.time()
            error = await self._run(run)
            if loop.time() - began > max(HEALTHY, self._backoff.max):
                run = 0
            if error is None and self._is_over():
                return
            if error is not None and not await self._may_go_on(error, run):
                self.error = error
                return
            run = 0 if error is None else run + 1

    def stop(self, *, at_once: bool = False) -> None:
        """End its run, and begin no other."""
        self.stopped = True
        self._bell.ring()
        if self.worker is not None and self.worker.is_working:
            self.worker.stop(at_once=at_once)

    def tell(self) -> None:
        """Pass the worker's events on, from when somebody listens: a worker without listeners makes none."""
        if self._announcer and isinstance(self.worker, Worker) and self._told is None:
            self.worker.listen(self._announcer.say)
            self._told = self.worker

    async def _run(self, run: int) -> BaseException | None:
        """One run of the worker. What it raised, whatever that is: it must not end the others."""
        try:
            self.worker = worker = self._made(run)
            self.tell()
            try:
                if not self.stopped:  # the factory may have done that
                    await worker.run()
            finally:
                if self._told is not None:
                    self._told.unlisten(self._announcer.say)
                    self._told = None
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            return error
        return None

    def _made(self, run: int) -> Runner:
        worker: object = self._factory(run)
        if not isinstance(worker, Runner):
            raise InvalidValue(f"The factory of worker {self.name} must give a Worker, as lambda run: app.worker(), got {worker!r}.")
        return worker

    def _is_over(self) -> bool:
        """Whether a worker that ended without an error has ended for good."""
        return self.stopped or self.worker is None or self.worker.stop_reason not in REPLACED

    async def _may_go_on(self, error: BaseException, run: int) -> bool:
        """Whether another run follows, once the pause before it is over."""
        told, trace = f"{type(error).__name__}: {words(error)}", None if isinstance(error, PriniaError) else error
        if self.stopped or not self._wants_another(error, run):
            _log.error("Worker %s failed in run %d, and is not started again: %s", self.name, run, told, exc_info=trace)
            self._announcer.say(WorkerFailed(worker=self.name, error=told, run=run, again_in=None))
            return False
        pause = self._backoff.delay(run + 1)
        _log.warning("Worker %s failed in run %d, and is started again in %.1f s: %s", self.name, run, pause, told, exc_info=trace)
        self._announcer.say(WorkerFailed(worker=self.name, error=told, run=run, again_in=pause))
        self.worker = None
        await self._bell.wait(pause)
        return True

    def _wants_another(self, error: BaseException, run: int) -> bool:
        try:
            return bool(self._should_restart(self.name, error, run))
        except Exception:
            _log.exception("should_restart failed, so worker %s is not started again.", self.name)
            return False


def _a_few_times(name: str, error: BaseException, run: int) -> bool:
    return run < RESTARTS
