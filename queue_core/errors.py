"""Every error that Prinia raises. The message names the thing, the rule, the value and the cure."""

import inspect
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final


class PriniaError(Exception):
    """Base of every error of Prinia.

    >>> issubclass(TaskKilled, PriniaError) and issubclass(StoreUnavailable, PriniaError)
    True
    """


class InvalidValue(PriniaError, ValueError):
    """A value given to Prinia breaks a rule. Nothing was stored.

    >>> await greet.push(name=7)
    Traceback (most recent call last):
    InvalidValue: greet: name must be str, got 7 (int).
    """


class UnknownTaskName(InvalidValue):
    """No registered task has this name.

    >>> app.registry.find("gret")
    Traceback (most recent call last):
    UnknownTaskName: No task is called 'gret' here. Did you mean greet?
    """


class UnknownTask(PriniaError, LookupError):
    """No stored task has this id.

    >>> await app.handle("42")
    Traceback (most recent call last):
    UnknownTask: No stored task has the id 42. It was never pushed here, or retention removed it.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        shown = ", ".join(self.ids[:5]) + (", …" if len(self.ids) > 5 else "")
        noun = "task has the id" if len(self.ids) == 1 else "tasks have the ids"
        super().__init__(f"No stored {noun} {shown}. It was never pushed here, or retention removed it.")


class IllegalTransition(PriniaError):
    """The state of a task forbids what was asked of it. The task is unchanged.

    >>> task = await greet.push("Ada")
    >>> await task.retry()
    Traceback (most recent call last):
    IllegalTransition: ...Pending...
    """


class NotConnected(PriniaError, RuntimeError):
    """The store is used before ``open()`` or after ``close()``."""


class StoreUnavailable(PriniaError, ConnectionError):
    """The store cannot be read or written now: locked, full, unreachable or read-only. Nothing was stored; try again.

    One exception: where the connection to a server broke in the very moment of storing, it may be stored. The same NewTask can be
    pushed again without harm: its id is then either new, or refused as taken.

    >>> nowhere = App("sqlite:///missing.db", create=False)
    >>> try:
    ...     await nowhere.open()
    ... except StoreUnavailable as error:
    ...     print("Try again later.")
    Try again later.
    """


class StoreMissing(StoreUnavailable):
    """There is no store where its URL says, and this was not to make one."""

    def __init__(self, where: object, url: str) -> None:
        super().__init__(f"There is no store at {where}. Check the name, or make one: prinia migrate {shlex.quote(url)}")


class UnknownScheme(InvalidValue):
    """No backend serves URLs of this scheme."""


class WorkerNameTaken(PriniaError):
    """A living worker has this name already.

    >>> async with app.running("mail-1"):
    ...     await app.worker("mail-1").run()
    Traceback (most recent call last):
    WorkerNameTaken: ...mail-1...
    """


class WorkerStateError(PriniaError, RuntimeError):
    """The worker is not in a state that allows this call.

    >>> app.worker("mail-1").stop()
    Traceback (most recent call last):
    WorkerStateError: Worker mail-1 cannot stop: it is not started, and must be running or paused or stopping.
    """


class MissingData(PriniaError):
    """A handler asks for data that the worker was not given. Found at start, before anything is claimed.

    >>> class Smtp: ...
    >>> @app.task
    ... async def send(address: str, *, smtp: Annotated[Smtp, Data()] = INJECTED) -> None: ...
    >>> app.worker()
    Traceback (most recent call last):
    MissingData: send(smtp) asks for a Smtp, but the worker was given nothing. Call app.provide(Smtp(…)) before it starts.
    """


class EncodeError(InvalidValue):
    """A value cannot be encoded by the codec. Nothing was stored."""


class DecodeError(PriniaError, ValueError):
    """Stored bytes cannot be decoded, or do not fit the handler's parameters.

    >>> JsonCodec().decode(b"{")
    Traceback (most recent call last):
    DecodeError: The stored 1 bytes are not valid json: Input data was truncated.
    """


class ResultTimeout(PriniaError, TimeoutError):
    """A task did not finish within the time that the caller was ready to wait.

    >>> task = await greet.push("Ada")
    >>> await task.result(timeout=0)
    Traceback (most recent call last):
    ResultTimeout: ...
    """


class TaskKilled(PriniaError):
    """The awaited task ended Killed, so it has no result.

    >>> task = await greet.push("Ada")
    >>> report = await task.kill()
    >>> await task.result()
    Traceback (most recent call last):
    TaskKilled: Task ... (greet) was killed (killed) after 0 of 3 attempts...
    """


# --- what a handler may raise to decide its own fate ------------------------------------------------


class AbortError(PriniaError):
    """Raised by a handler: do not attempt this task again. It ends Killed with reason ``aborted``.

    The seed system's AbortError, honoured by every backend and through every retry layer.

    >>> @app.task
    ... async def charge(order: int) -> None:
    ...     raise AbortError("The card is stolen.")
    >>> task = await charge.push(order=1)
    >>> [task] = await drain(app)
    >>> task.status, task.reason, task.attempts
    (<Status.KILLED: 'Killed'>, <KillReason.ABORTED: 'aborted'>, 1)
    """


class RetryAfterError(PriniaError):
    """Raised by a handler: this attempt failed; make the next one after ``delay`` seconds.

    One attempt is used. The seed system declares this error and never reads it; here it decides ``run_at``.

    >>> @app.task
    ... async def fetch(url: str) -> None:
    ...     raise RetryAfterError("The server is busy.", delay=60)
    >>> task = await fetch.push("https://example.com")
    >>> [task] = await drain(app)
    >>> task.status, task.attempts
    (<Status.FAILED: 'Failed'>, 1)
    """

    def __init__(self, message: object = "", *, delay: float) -> None:
        self.delay = not_negative("delay", delay)
        super().__init__(str(message) or f"retry after {delay:g} s")


class DeferredError(PriniaError):
    """Raised by a handler: not now. The task goes back to Pending, at once or after ``delay`` seconds; no attempt is used.

    >>> @app.task
    ... async def fetch(url: str) -> None:
    ...     raise DeferredError("Only at night.", delay=3600)
    >>> task = await fetch.push("https://example.com")
    >>> [task] = await drain(app)
    >>> task.status, task.attempts
    (<Status.PENDING: 'Pending'>, 0)
    """

    def __init__(self, message: object = "", *, delay: float = 0.0) -> None:
        self.delay = not_negative("delay", delay)
        super().__init__(str(message) or "deferred")


Verdict = AbortError | RetryAfterError | DeferredError
"""What a handler may raise to decide its own fate."""


def verdict_of(error: BaseException) -> Verdict | None:
    """What ``error`` says about the fate of its task; None for an ordinary failure.

    An exception group, as a TaskGroup raises it, is judged by all that is in it: an AbortError anywhere counts, then a
    RetryAfterError, and a DeferredError only where nothing else is in the group, because a failure must not be hidden by it. Of several
    delays the longest counts. What an exception was raised *from* does not: ``raise Wrong() from AbortError()`` is a Wrong.

    >>> verdict_of(ExceptionGroup("two at once", [ValueError("no"), AbortError("never")]))
    AbortError('never')
    """
    found = list(leaves(error))
    aborts = [leaf for leaf in found if isinstance(leaf, AbortError)]
    delays = [leaf for leaf in found if isinstance(leaf, RetryAfterError)]
    deferrals = [leaf for leaf in found if isinstance(leaf, DeferredError)]
    if aborts:
        return aborts[0]
    if delays:
        return max(delays, key=lambda leaf: leaf.delay)
    return max(deferrals, key=lambda leaf: leaf.delay) if deferrals and len(deferrals) == len(found) else None


def leaves(error: BaseException) -> Iterator[BaseException]:
    """What is in ``error`` if it is an exception group, at any depth; else itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error


class MetadataError(AbortError, DecodeError):
    """The metadata of a task lacks what its handler asks for, or does not fit. The task ends Killed, because another run would find the same."""


class UnstorableResult(AbortError):
    """What a handler returned cannot be encoded by the codec of its task. The task ends Killed, because another run would return the same."""


class TaskTimeout(PriniaError, TimeoutError):
    """An attempt ran longer than its time limit and was stopped.

    >>> @app.task(timeout=0.01)
    ... async def sleep() -> None:
    ...     await asyncio.sleep(60)
    >>> task = await sleep.push()
    >>> [task] = await drain(app)
    >>> task.error
    'TaskTimeout: The attempt was stopped after its time limit of 0.01 s.'
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        super().__init__(f"The attempt was stopped after its time limit of {limit:g} s.")


class OperationTimeout(TaskTimeout):
    """A part of an attempt ran longer than ``ctx.limit`` allows, and was cancelled."""

    def __init__(self, limit: float) -> None:
        TimeoutError.__init__(self, f"A part of the attempt was stopped after its limit of {limit:g} s.")
        self.limit = limit


GUARD: Final = 'A child process imports the program\'s main module again, so put what that module starts under `if __name__ == "__main__":`.'
"""What people forget who run functions in child processes for the first time."""


class ChildDied(PriniaError):
    """The child process that ran a handler ended before the handler did. Other tasks are not touched."""

    def __init__(self, name: str, exit_code: int | None, *, began: bool = True) -> None:
        self.exit_code = exit_code
        how = f"was ended by signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"ended with exit code {exit_code}"
        hint = " Signal 9 often means that the machine ran out of memory." if exit_code == -9 else ""
        if not began and (exit_code or 0) > 0:
            hint = f" It ended while it started. {GUARD}"
        super().__init__(f"The process that ran {name} {how} before the handler returned.{hint}")


class HandlerReturnedFalse(PriniaError):
    """A handler returned ``False``, which the seed's return rule counts as an error; return None or raise instead."""

    def __init__(self) -> None:
        super().__init__("The handler returned False, which counts as a failure. Return None for success, or raise an error that says what failed.")


def words(error: BaseException) -> str:
    """What ``error`` says; its ``__str__`` is the user's code, and may fail."""
    try:
        return str(error)
    except Exception as second:
        return f"<its text cannot be shown: {type(second).__name__}>"


def plain(name: str, function: object) -> None:
    """Raise InvalidValue unless ``function`` can be called and is no ``async`` one, whose coroutine would count as a yes."""
    if not callable(function):
        raise InvalidValue(f"{name} must be a function, got {function!r}.")
    if inspect.iscoroutinefunction(function):
        raise InvalidValue(f"{name} must be a plain function, got the async {getattr(function, '__name__', function)}, which nobody awaits.")


def several(name: str, given: object, *, what: str = "texts") -> None:
    """Raise InvalidValue unless ``given`` is a collection; one text is none, for its letters would be taken one by one."""
    if isinstance(given, str):
        raise InvalidValue(f"{name} must be several {what}, got the one text {given!r}. Put it in a list.")
    if not isinstance(given, Iterable):
        raise InvalidValue(f"{name} must be several {what}, got {given!r}. Put it in a list.")


def not_negative(name: str, seconds: float) -> float:
    """Return ``seconds``; raise InvalidValue unless it is a finite number of at least zero."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= sys.float_info.max:
        raise InvalidValue(f"{name} must be a number of seconds, zero or more, got {seconds!r}.")
    return float(seconds)
