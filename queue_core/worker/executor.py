"""Runs one task: decode, middleware, handler, outcome."""

import asyncio
import logging
import threading
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, assert_never

from queue_core.backend import Backend
from queue_core.codec import Codec, codec_named
from queue_core.errors import (
    AbortError,
    DecodeError,
    DeferredError,
    EncodeError,
    HandlerReturnedFalse,
    InvalidValue,
    RetryAfterError,
    TaskTimeout,
    not_negative,
)
from queue_core.events import Error, GivenBack, LeaseLost, Success, TaskStarted
from queue_core.handler import DEFAULT_RETRY, Place
from queue_core.inject import AttemptNumber, WorkerContext
from queue_core.middleware import Call, Middleware, compose
from queue_core.outcome import Aborted, Ack, Deferred, Errored, Outcome, Released, Stopped, Succeeded, settle
from queue_core.status import Status
from queue_core.task import Claim, ErrorInfo
from queue_core.worker.announcer import Announcer
from queue_core.worker.deadlines import Deadlines
from queue_core.worker.recipes import Recipe
from queue_core.worker.running import Ending, Run, Running
from queue_core.worker.threads import Threads, Unstoppable
from queue_core.worker.tracebacks import error_info

if TYPE_CHECKING:
    from queue_core.worker.processes import Processes

_log = logging.getLogger("prinia.worker")
STRANGE_NAME_DELAY: Final = 60.0
"""Seconds for which a task is deferred whose name was claimed although no handler has it: only a faulty store does that."""


class Executor:
    """Makes runs out of claims, and acks out of runs. Every way through it ends in ``ended``, or in a lost lease."""

    def __init__(
        self,
        backend: Backend,
        *,
        worker: str,
        recipes: Mapping[str, Recipe],
        codecs: Mapping[str, Codec],
        middleware: Sequence[Middleware],
        running: Running,
        announcer: Announcer,
        grace: float,
        stop_worker: Callable[[], None],
    ) -> None:
        self._backend = backend
        self._worker = worker
        self._recipes, self._codecs = recipes, codecs
        self._chain = compose(middleware, self._innermost) if middleware else None
        self._running = running
        self._announcer = announcer
        self._grace = grace
        self._stop_worker = stop_worker
        self._deadlines = Deadlines()
        self._threads = Threads()
        self._processes: Processes | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def launch(self, claim: Claim, ended: Callable[[Claim, Ack], None]) -> None:
        """Run ``claim``'s handler in a task of its own, and tell ``ended`` how it went."""
        recipe = self._recipes.get(claim.name)
        if recipe is None:
            ended(claim, _settle(claim, Deferred(STRANGE_NAME_DELAY), 0.0))
            return
        run = Run(claim, recipe, perf_counter())
        self._running.add(run)
        if run.limit is not None:
            self._deadlines.add(run, run.limit)
        run.task = self._loop.create_task(self._carry_out(run, ended))

    def close(self) -> None:
        """End the threads and children that are idle."""
        self._deadlines.close()
        if self._processes is not None:
            self._processes.close()
        self._threads.close()

    async def _carry_out(self, run: Run, ended: Callable[[Claim, Ack], None]) -> None:
        run.begun = True
        if self._announcer:
            self._announcer.say(TaskStarted(worker=self._worker, task=run.claim))
        outcome = await self._outcome(run)
        ran_for = perf_counter() - run.began
        if run.limit is not None:
            self._deadlines.discard(run)
        if outcome is None:
            self.lost(run.claim)
        else:
            ack = _settle(run.claim, outcome, ran_for)
            ended(run.claim, ack)
            self._tell(run.claim, ack)
        self._running.remove(run)

    async def _outcome(self, run: Run) -> Outcome | None:
        """How the run ended; None when its lease is lost, so that nothing may be said about it."""
        try:
            value = await self._begin(run)
            if run.ending is None or run.ending is Ending.RELEASE:
                return self._success(run, value)
            raise CancelledError  # its handler swallowed the cancellation
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                run.ending = run.ending or Ending.RELEASE
                self._stop_worker()
            return _failure(run, error)

    def _begin(self, run: Run) -> Awaitable[Any]:
        """The awaitable result of the run, through its middleware. Plain, because a coroutine more would cost every task."""
        if run.ending is not None:
            raise CancelledError  # ended before it began
        claim, recipe = run.claim, run.recipe
        try:
            arguments = recipe.parameters.decode(claim.args, codec_named(claim.codec, self._codecs))
        except DecodeError as error:
            raise Hopeless(error) from error
        if self._chain is not None:
            return self._chain(Call(self._context(run), arguments))
        return self._invoke(run, arguments)

    async def _innermost(self, call: Call) -> Any:
        hooks = call.context.hooks
        assert isinstance(hooks, RunHooks)
        return await self._invoke(hooks.run, call.arguments)

    def _invoke(self, run: Run, stored: Mapping[str, Any]) -> Awaitable[Any]:
        """The awaitable result of the handler itself."""
        recipe = run.recipe
        arguments = recipe.complete(stored, lambda: self._context(run))
        match recipe.handler.place:
            case Place.LOOP:
                result: Awaitable[Any] = recipe.handler.function(**arguments)
                return result
            case Place.THREAD:
                return self._in_thread(run, arguments)
            case Place.PROCESS:
                return self._in_process(run, arguments)

    async def _in_thread(self, run: Run, arguments: Mapping[str, Any]) -> Any:
        function = run.recipe.handler.function
        try:
            return await self._threads.call(lambda: function(**arguments), grace=self._grace, late=self._running.unstick)
        except Unstoppable:
            run.stuck = True
            _log.warning(
                "The thread of task %s (%s) was asked to stop and still runs after %g s; its slot stays occupied until it ends.",
                run.claim.id, run.claim.name, self._grace,
            )  # fmt: skip
            raise

    async def _in_process(self, run: Run, arguments: Mapping[str, Any]) -> Any:
        if self._processes is None:
            from queue_core.worker.processes import Processes  # multiprocessing is slow to import, and few need it

            self._processes = Processes(self._threads)
        return await self._processes.call(run.recipe.handler, arguments, RunHooks(self, run), grace=self._grace)

    def _success(self, run: Run, value: Any) -> Outcome:
        if value is False:
            raise HandlerReturnedFalse
        handler = run.recipe.handler
        if value is None or not handler.keep_result:
            return Succeeded()
        try:
            return Succeeded(codec_named(run.claim.codec, self._codecs).encode(value))
        except EncodeError as error:
            told = f"The handler succeeded, but its result cannot be stored: {error} Return something else, or set keep_result=False."
            raise Hopeless(EncodeError(told)) from error

    def _context(self, run: Run) -> WorkerContext:
        claim = run.claim
        return WorkerContext(
            task_id=claim.lease.id,
            name=claim.name,
            queue=claim.queue,
            attempt=AttemptNumber(claim.attempt),
            max_attempts=claim.max_attempts,
            metadata=claim.metadata,
            worker=self._worker,
            hooks=RunHooks(self, run),
        )

    async def progress(self, run: Run, fraction: float, note: str | None) -> bool:
        """Store how far ``run`` is; cancels it when its lease is lost."""
        held = await self._backend.progress(run.claim.lease, fraction, note)
        if not held and run.task is not None and not run.task.done():
            run.end(Ending.LOST)
        return held

    def stop_worker(self) -> None:
        """Ask the worker to stop; from any thread."""
        self._loop.call_soon_threadsafe(self._stop_worker)

    def await_anywhere(self, work: Coroutine[Any, Any, bool]) -> Awaitable[bool]:
        """``work`` to be awaited on the event loop; in any other thread, done now."""
        if threading.get_ident() == self._thread:
            return work
        return Known(asyncio.run_coroutine_threadsafe(work, self._loop).result())

    def lost(self, claim: Claim) -> None:
        """The lease of ``claim`` is gone: its result is dropped."""
        _log.warning("The lease of task %s (%s) is lost; what this worker did for attempt %d is dropped.", claim.id, claim.name, claim.attempt)
        if self._announcer:
            self._announcer.say(LeaseLost(worker=self._worker, task=claim))

    def _tell(self, claim: Claim, ack: Ack) -> None:
        if ack.error is not None:
            _log.warning("%s", _sentence(claim, ack))
        if not self._announcer:
            return
        if ack.status is Status.DONE:
            self._announcer.say(Success(worker=self._worker, task=claim, ack=ack))
        elif ack.error is not None or ack.status is Status.KILLED:
            error = ack.error or error_info(CancelledError("The task was killed."))
            self._announcer.say(Error(worker=self._worker, task=claim, ack=ack, error=error))
        else:
            self._announcer.say(GivenBack(worker=self._worker, task=claim, ack=ack))


class RunHooks:
    """What a context can do to the run that it belongs to."""

    __slots__ = ("_executor", "run")

    def __init__(self, executor: Executor, run: Run) -> None:
        self._executor = executor
        self.run = run

    @property
    def cancelled(self) -> bool:
        """Whether the run was asked to end."""
        return self.run.ending is not None

    def progress(self, fraction: float, note: str | None) -> Awaitable[bool]:
        """As ``WorkerContext.progress``."""
        if not_negative("fraction", fraction) > 1:
            raise InvalidValue(f"fraction must be from 0 to 1, got {fraction!r}.")
        return self._executor.await_anywhere(self._executor.progress(self.run, fraction, note))

    def stop_worker(self) -> None:
        """As ``WorkerContext.stop_worker``."""
        self._executor.stop_worker()


class Hopeless(Exception):
    """Another attempt would end in the same ``error``, so none is made."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Known:
    """An awaitable whose value is known already."""

    def __init__(self, value: bool) -> None:
        self._value = value

    def __await__(self) -> Generator[None, None, bool]:
        return self._value
        yield


def _settle(claim: Claim, outcome: Outcome, ran_for: float) -> Ack:
    return settle(claim.lease, outcome, attempt=claim.attempt, max_attempts=claim.max_attempts, ran_for=ran_for)


def _failure(run: Run, error: BaseException) -> Outcome | None:
    """What an exception means, given why the run was ended, if it was."""
    match run.ending:
        case Ending.LOST:
            return None
        case Ending.KILL:
            return Stopped()
        case Ending.RELEASE:
            return Released()
        case Ending.TIMEOUT:
            return Errored(_timeout(run, error), _pause(run), timed_out=True)
        case None:
            return _verdict(run, error)
        case _:
            assert_never(run.ending)


def _verdict(run: Run, error: BaseException) -> Outcome:
    """What the handler decided about its task by what it raised."""
    match error:
        case Hopeless():
            return Aborted(error_info(error.error))
        case AbortError():
            return Aborted(error_info(error))
        case DeferredError():
            return Deferred(error.delay)
        case RetryAfterError():
            return Errored(error_info(error), error.delay)
        case _:
            return Errored(error_info(error), _pause(run))


def _pause(run: Run) -> float:
    """Seconds to the next attempt. A policy of the user's own that fails is no reason to lose the ack."""
    attempt = run.claim.attempt
    try:
        return not_negative("the retry delay", (run.claim.retry or run.recipe.handler.retry).delay(attempt))
    except Exception as error:
        _log.warning("The retry policy of %s failed, so the default one decides: %s", run.claim.name, error_info(error).line)
        return DEFAULT_RETRY.delay(attempt)


def _timeout(run: Run, error: BaseException) -> ErrorInfo:
    assert run.limit is not None
    timeout = TaskTimeout(run.limit)
    if not run.stuck:
        timeout.__cause__ = error
        return error_info(timeout)
    info = error_info(timeout)
    return replace(info, message=f"{info.message} Its thread could not be stopped: it still runs and occupies a slot until it ends.")


def _sentence(claim: Claim, ack: Ack) -> str:
    line = ack.error.line if ack.error else ""
    then = f"next attempt in {ack.delay:.1f} s" if ack.status is Status.FAILED else f"no further attempt ({ack.reason})"
    return f"Task {claim.id} ({claim.name}), attempt {claim.attempt} of {claim.max_attempts}: {line}; {then}."
