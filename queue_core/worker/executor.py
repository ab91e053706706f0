"""Runs one task: decode, middleware, handler, outcome."""

import asyncio
import logging
import threading
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol, assert_never

from queue_core.backend import Backend
from queue_core.codec import Codec, codec_named
from queue_core.errors import (
    AbortError,
    DecodeError,
    DeferredError,
    InvalidValue,
    RetryAfterError,
    TaskTimeout,
    not_negative,
    verdict_of,
)
from queue_core.events import Error, GivenBack, LeaseLost, Success, TaskEnded, TaskStarted
from queue_core.handler import DEFAULT_RETRY, Place
from queue_core.inject import AttemptNumber, Ending, Verb, WorkerContext
from queue_core.middleware import AckHook, Call, compose, middleware_name
from queue_core.outcome import Aborted, Ack, Deferred, Errored, Outcome, Released, Stopped, Succeeded, settle
from queue_core.status import Status
from queue_core.task import Claim, ErrorInfo, check_checkpoint
from queue_core.worker.announcer import Announcer
from queue_core.worker.capture import Said
from queue_core.worker.deadlines import Deadlines
from queue_core.worker.dependencies import Plan
from queue_core.worker.gates import Gates
from queue_core.worker.recipes import Recipe
from queue_core.worker.results import stored_result
from queue_core.worker.running import Run, Running
from queue_core.worker.scribe import Scribe, current
from queue_core.worker.threads import Threads, Unstoppable
from queue_core.worker.tracebacks import error_info

if TYPE_CHECKING:
    from queue_core.worker.processes import Processes

_log = logging.getLogger("prinia.worker")
STRANGE_NAME_DELAY: Final = 60.0
"""Seconds for which a task is deferred whose name was claimed although no handler has it: only a faulty store does that."""


class Crew(Protocol):
    """What runs can ask of their worker."""

    def steer(self, verb: Verb) -> None:
        """Stop, pause or resume, where that makes sense."""
        ...

    def track(self, work: Awaitable[Any]) -> None:
        """Wait for ``work`` when the worker stops."""
        ...

    def emit(self, name: str, payload: Any = None) -> None:
        """Tell the listeners a Custom event."""
        ...


class Executor:
    """Makes runs out of claims, and acks out of runs. Every way through it ends in ``ended``, or in a lost lease."""

    def __init__(
        self,
        backend: Backend,
        *,
        worker: str,
        recipes: Mapping[str, Recipe],
        codecs: Mapping[str, Codec],
        gates: Gates,
        scribe: Scribe | None,
        on_ack: Sequence[AckHook],
        running: Running,
        announcer: Announcer,
        grace: float,
        stopping: Callable[[], bool],
        crew: Crew,
        calls_per_child: int | None,
    ) -> None:
        self._backend = backend
        self._worker = worker
        self._recipes, self._codecs = recipes, codecs
        self._chain = compose(gates.layers, self._innermost) if gates.layers else None
        self._gates, self._on_ack = gates or None, on_ack
        self.scribe = scribe
        """Who stores what its runs log."""
        self._running = running
        self._announcer = announcer
        self._grace = grace
        self.stopping = stopping
        """Whether the worker was asked to stop."""
        self._crew, self._calls_per_child = crew, calls_per_child
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
        if self._gates:
            self._gates.launched(claim.id)
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
        if self.scribe is not None:
            run.scribe = self.scribe
            current.set(run)
        outcome = await self._outcome(run)
        ack = None if outcome is None else _settle(run.claim, outcome, perf_counter() - run.began)
        if self._on_ack and ack is not None:
            ack = await self._shown(run, ack)
        if run.limit is not None:
            self._deadlines.discard(run)
        if run.journal is not None and self.scribe is not None:
            self.scribe.end(run.journal)
        if ack is None:
            self.lost(run.claim)
        else:
            ended(run.claim, ack)
            self._tell(run.claim, ack)
        if self._gates:
            self._gates.ended(run.claim.id)
        self._running.remove(run)

    async def _outcome(self, run: Run) -> Outcome | None:
        """How the run ended; None when its lease is lost, so that nothing may be said about it."""
        try:
            value = await self._begin(run)
            if run.ending is None or (run.ending is Ending.STOPPED and (run.handled or self._chain is None)):
                return Succeeded(stored_result(value, run.recipe.handler, run.claim.codec, self._codecs))
            raise CancelledError  # its handler, or middleware, swallowed the cancellation
        except BaseException as error:
            return self._judge(run, error)

    def _judge(self, run: Run, error: BaseException) -> Outcome | None:
        if isinstance(error, KeyboardInterrupt):
            run.ending = run.ending or Ending.STOPPED
            self._crew.steer("stop")
        return _failure(run, error)

    async def _shown(self, run: Run, ack: Ack) -> Ack | None:
        """``ack`` as it is after every hook has seen it: what a hook raises turns a success into that failure."""
        for hook in self._on_ack:
            try:
                await hook(_event(self._worker, run.claim, ack))
            except BaseException as error:
                if ack.status is not Status.DONE:
                    name, told = middleware_name(hook), error_info(error).line
                    _log.warning("The on_ack hook %s failed at task %s, which did not succeed anyhow: %s", name, run.claim.id, told)
                elif (failure := self._judge(run, error)) is None:
                    return None
                else:
                    ack = _settle(run.claim, failure, ack.ran_for)
        return ack

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
        """The handler, for the middleware around it: what is a failure in the end raises here already."""
        hooks = call.context.hooks
        assert isinstance(hooks, RunHooks)
        run = hooks.run
        run.handled = False
        if run.ending is not None:
            raise CancelledError  # a middleware calls on, although the run was ended
        if run.stuck:
            raise Unstoppable(f"The thread of an earlier try of {run.claim.name} still runs, so it is not run beside that.")
        value = await self._invoke(run, call.arguments)
        if run.recipe.plan is None:
            self._judge_result(run, value)
        run.handled = True
        return value

    def _judge_result(self, run: Run, value: Any) -> None:
        """Raise where what the handler returned is no success."""
        if run.ending is not None and run.ending is not Ending.STOPPED:
            raise CancelledError  # the handler swallowed it
        stored_result(value, run.recipe.handler, run.claim.codec, self._codecs)

    def _invoke(self, run: Run, stored: Mapping[str, Any]) -> Awaitable[Any]:
        """The awaitable result of the handler itself."""
        recipe = run.recipe
        if recipe.plan is not None:
            return self._with_dependencies(run, recipe.plan, stored)
        return self._call(run, recipe.handler.function, recipe.complete(stored, lambda: self._context(run)))

    async def _with_dependencies(self, run: Run, plan: Plan, stored: Mapping[str, Any]) -> Any:
        context = self._context(run)
        arguments = run.recipe.complete(stored, lambda: context)
        call, judge = partial(self._call, run), partial(self._judge_result, run)
        return await plan.around(context, arguments, run.recipe.handler.function, call, judge)

    def _call(self, run: Run, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Awaitable[Any]:
        match run.recipe.handler.place:
            case Place.LOOP:
                result: Awaitable[Any] = function(**arguments)
                return result
            case Place.THREAD:
                return self._in_thread(run, function, arguments)
            case Place.PROCESS:
                return self._in_process(run, arguments)

    async def _in_thread(self, run: Run, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
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

            self._processes = Processes(self._threads, calls=self._calls_per_child)
        return await self._processes.call(run.recipe.handler, arguments, RunHooks(self, run), grace=self._grace)

    def _context(self, run: Run) -> WorkerContext:
        claim = run.claim
        return WorkerContext(
            task_id=claim.lease.id,
            name=claim.name,
            queue=claim.queue,
            attempt=AttemptNumber(claim.attempt),
            max_attempts=claim.max_attempts,
            metadata=claim.metadata,
            priority=claim.priority,
            run_at=claim.run_at,
            created_at=claim.created_at,
            crashes=claim.crashes,
            worker=self._worker,
            hooks=RunHooks(self, run),
        )

    async def progress(self, run: Run, fraction: float, note: str | None) -> bool:
        """Store how far ``run`` is; cancels it when its lease is lost."""
        return _still_held(run, await self._backend.progress(run.claim.lease, fraction, note))

    async def checkpoint(self, run: Run, data: bytes | None) -> bool:
        """Store ``data`` for the attempt after ``run``; cancels it when its lease is lost. Raises InvalidValue where the store keeps none."""
        self._backend.capabilities.require("checkpoints", f"{run.claim.name} calls ctx.checkpoint", "Leave the call out.")
        held = _still_held(run, await self._backend.checkpoint(run.claim.lease, data))
        if held:
            run.claim = run.claim._replace(checkpoint=data)
        return held

    def codec_of(self, run: Run) -> Codec:
        """The codec of a task's payloads. Raises DecodeError when it is not known here."""
        return codec_named(run.claim.codec, self._codecs)

    def steer(self, verb: Verb) -> None:
        """Ask the worker to stop, pause or resume; from any thread."""
        self._loop.call_soon_threadsafe(self._crew.steer, verb)

    def track(self, work: Awaitable[Any]) -> None:
        """Let the worker wait for ``work``; from any thread."""
        if threading.get_ident() == self._thread:
            self._crew.track(work)
        else:
            asyncio.run_coroutine_threadsafe(self._track(work), self._loop).result()

    def emit(self, name: str, payload: Any) -> None:
        """Tell the listeners; from any thread."""
        if threading.get_ident() == self._thread:
            self._crew.emit(name, payload)
        else:
            self._loop.call_soon_threadsafe(self._crew.emit, name, payload)

    async def _track(self, work: Awaitable[Any]) -> None:
        self._crew.track(work)

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
        if self._announcer:
            self._announcer.say(_event(self._worker, claim, ack))


class RunHooks:
    """What a context can do to the run that it belongs to."""

    __slots__ = ("_executor", "run")

    def __init__(self, executor: Executor, run: Run) -> None:
        self._executor = executor
        self.run = run

    @property
    def ending(self) -> Ending | None:
        """As ``WorkerContext.ending``."""
        return self.run.ending

    @property
    def remaining(self) -> float | None:
        """As ``WorkerContext.remaining``."""
        return self.run.remaining

    @property
    def repeatable(self) -> bool:
        """As ``Call.repeatable``."""
        return self.run.ending is None and not self.run.stuck and not self._executor.stopping()

    @property
    def extensions(self) -> dict[type, Any]:
        """As ``Call.extensions``."""
        if self.run.extensions is None:
            self.run.extensions = {}
        return self.run.extensions

    def progress(self, fraction: float, note: str | None) -> Awaitable[bool]:
        """As ``WorkerContext.progress``."""
        if not_negative("fraction", fraction) > 1:
            raise InvalidValue(f"fraction must be from 0 to 1, got {fraction!r}.")
        return self._executor.await_anywhere(self._executor.progress(self.run, fraction, note))

    @property
    def capture(self) -> int | None:
        """The level from which on what a child logs is to be sent here; None: not at all."""
        return None if self.run.scribe is None else self.run.scribe.level

    def log(self, what: Said) -> None:
        """Note what a child logged."""
        if self.run.scribe is not None:
            self.run.scribe.add(self.run, what)

    def checkpoint(self, value: Any) -> Awaitable[bool]:
        """As ``WorkerContext.checkpoint``."""
        data = None if value is None else self._executor.codec_of(self.run).encode(value)
        check_checkpoint(data)
        return self._executor.await_anywhere(self._executor.checkpoint(self.run, data))

    def last_checkpoint(self) -> Any:
        """As ``Hooks.last_checkpoint``."""
        data = self.run.claim.checkpoint
        return None if data is None else self._executor.codec_of(self.run).decode(data)

    def steer(self, verb: Verb) -> None:
        """As ``Hooks.steer``."""
        self._executor.steer(verb)

    def track(self, work: Awaitable[Any]) -> None:
        """As ``WorkerContext.track``."""
        self._executor.track(work)

    def emit(self, name: str, payload: Any) -> None:
        """As ``WorkerContext.emit``."""
        self._executor.emit(name, payload)


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


def _still_held(run: Run, held: bool) -> bool:
    """Whether the lease of ``run`` held when something was written; ends the run when it did not."""
    if not held and run.task is not None and not run.task.done():
        run.end(Ending.LOST)
    return held


def _settle(claim: Claim, outcome: Outcome, ran_for: float) -> Ack:
    return settle(claim.lease, outcome, attempt=claim.attempt, max_attempts=claim.max_attempts, ran_for=ran_for)


def _event(worker: str, claim: Claim, ack: Ack) -> TaskEnded:
    if ack.status is Status.DONE:
        return Success(worker=worker, task=claim, ack=ack)
    if ack.error is None and ack.status is not Status.KILLED:
        return GivenBack(worker=worker, task=claim, ack=ack)
    error = ack.error or error_info(CancelledError("The task was killed."))
    return Error(worker=worker, task=claim, ack=ack, error=error)


def _failure(run: Run, error: BaseException) -> Outcome | None:
    """What an exception means, given why the run was ended, if it was."""
    match run.ending:
        case Ending.LOST:
            return None
        case Ending.KILLED:
            return Stopped()
        case Ending.STOPPED:
            return Released()
        case Ending.TIMEOUT:
            return Errored(_timeout(run, error), _pause(run), timed_out=True)
        case None:
            return _verdict(run, error)
        case _:
            assert_never(run.ending)


def _verdict(run: Run, error: BaseException) -> Outcome:
    """What the handler decided about its task by what it raised."""
    if isinstance(error, Hopeless):
        return Aborted(error_info(error.error))
    match verdict_of(error):
        case AbortError():
            return Aborted(error_info(error))
        case DeferredError() as verdict:
            return Deferred(verdict.delay)
        case RetryAfterError() as verdict:
            return Errored(error_info(error), verdict.delay)
        case None:
            return Errored(error_info(error), _pause(run), timed_out=isinstance(error, TaskTimeout))


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
    line = ack.error.line.rstrip(".") if ack.error else ""
    then = f"next attempt in {ack.delay:.1f} s" if ack.status is Status.FAILED else f"no further attempt ({ack.reason})"
    return f"Task {claim.id} ({claim.name}), attempt {claim.attempt} of {claim.max_attempts}: {line}; {then}."
