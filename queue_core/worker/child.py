"""The inside of a child process: receives calls, makes them, sends back what came of it."""

import importlib
import inspect
import logging
import os
import pickle
import signal
import threading
import time
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

from queue_core import inject
from queue_core.errors import WorkerStateError
from queue_core.inject import Verb, WorkerContext
from queue_core.task import ErrorInfo
from queue_core.worker.capture import Said, Tap, said
from queue_core.worker.tracebacks import error_info


@dataclass(frozen=True, slots=True)
class Request:
    """A call: where the function is, and its arguments."""

    module: str
    qualname: str
    arguments: dict[str, Any]
    call: int
    """Tells it from other calls of this worker."""
    capture: int | None = None
    """The level from which on to send what it logs; None: not at all."""


@dataclass(frozen=True, slots=True)
class Began:
    """The child is up: the program's main module was imported without harm."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The function told how far it is."""

    fraction: float
    note: str | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The function gives something to keep, and waits until it is stored."""

    value: Any


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a Checkpoint. ``error`` is what the function shall raise."""

    held: bool
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """The function logged something."""

    what: Said


@dataclass(frozen=True, slots=True)
class Steer:
    """The function asked its worker to stop, pause or resume."""

    verb: Verb


@dataclass(frozen=True, slots=True)
class Emit:
    """The function has something to say to its worker's listeners."""

    name: str
    payload: Any


@dataclass(frozen=True, slots=True)
class Returned:
    """The function returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """The function raised. ``error`` is None when it cannot be pickled; ``info`` describes it in any case."""

    error: BaseException | None
    info: ErrorInfo


Reply = Returned | Raised


class Told:
    """What ``progress`` and ``checkpoint`` give in a child, where nobody awaits anything: whether the lease held, as far as is known."""

    def __init__(self, held: bool = True) -> None:
        self._held = held

    def __await__(self) -> Generator[None, None, bool]:
        return self._held
        yield


class Uplink:
    """A context's way to the worker from within a child."""

    connection: "Connection[Any, Any] | None" = None
    """Set in the child; None in the worker, where the object is made."""
    turn = threading.RLock()
    """Held to talk: a function may start threads. The same thread may enter again, as when a clean-up logs at any point."""
    calling: int | None = None
    """The call that is being made; what a thread of an earlier one says is not about it."""
    ending = None
    """Unknown: a child is ended from outside."""
    repeatable = False
    """That is for middleware to ask, which stays in the worker."""

    def __init__(self, call: int, remaining: float | None, checkpoint: Any) -> None:
        self._call = call
        self._checkpoint = checkpoint
        self._deadline = None if remaining is None else time.time() + remaining
        self.extensions: dict[type, Any] = {}

    @property
    def remaining(self) -> float | None:
        """Seconds left, by the clock that all processes of a machine share."""
        return None if self._deadline is None else max(0.0, self._deadline - time.time())

    def progress(self, fraction: float, note: str | None) -> Awaitable[bool]:
        """Pass it on."""
        self._send(Progress(fraction, note))
        return Told()

    def checkpoint(self, value: Any) -> Awaitable[bool]:
        """Pass it on, and wait for the answer. Raises what storing it raised."""
        with Uplink.turn:
            kept = self._ask(Checkpoint(value)) if Uplink.calling == self._call else Kept(False)
        if kept.error is not None:
            raise kept.error
        self._checkpoint = value if kept.held else self._checkpoint
        return Told(kept.held)

    def last_checkpoint(self) -> Any:
        """What came along, or was stored since."""
        return self._checkpoint

    def steer(self, verb: Verb) -> None:
        """Pass it on."""
        self._send(Steer(verb))

    def emit(self, name: str, payload: Any) -> None:
        """Pass it on."""
        self._send(Emit(name, payload))

    def track(self, work: Awaitable[Any]) -> None:
        """Impossible: the worker cannot wait for what goes on elsewhere."""
        if inspect.iscoroutine(work):
            work.close()
        raise WorkerStateError("A task in a child process has no event loop, so nothing can go on beside it. Push a task for what is to follow.")

    def _send(self, message: Progress | Steer | Emit) -> None:
        with Uplink.turn:
            if Uplink.connection is not None and Uplink.calling == self._call:
                Uplink.connection.send(message)

    @staticmethod
    def hear(record: logging.LogRecord) -> None:
        """Pass on what is logged, in whichever thread."""
        with Uplink.turn:
            if Uplink.connection is not None and Uplink.calling is not None:
                Uplink.connection.send(Logged(said(record)))

    def _ask(self, message: Checkpoint) -> Kept:
        assert Uplink.connection is not None
        Uplink.connection.send(message)
        answer = Uplink.connection.recv()
        assert isinstance(answer, Kept)
        return answer


_tap = Tap(Uplink.hear)


def portable(value: Any, call: int) -> Any:
    """An argument as it can travel into a child: a context is cut off from its worker."""
    match value:
        case WorkerContext():
            return replace(value, hooks=Uplink(call, value.remaining, value.hooks.last_checkpoint()))
        case inject.Progress(context):
            return inject.Progress(portable(context, call))
        case _:
            return value


def serve(connection: "Connection[Any, Any]") -> None:
    """Make calls until the pipe closes; the target of a child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the worker decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    Uplink.connection = connection
    connection.send(Began())
    while True:
        try:
            request = connection.recv()
        except (EOFError, ConnectionError):
            return
        except Exception as error:  # the arguments cannot be unpickled here
            _send(connection, Raised(None, error_info(error)))
        else:
            _send(connection, _make(request))


def _make(request: Request) -> Reply:
    Uplink.calling = request.call
    try:
        with _tap.open(request.capture):
            return Returned(_find(request)(**request.arguments))
    except BaseException as error:
        return Raised(_picklable(error), error_info(error))
    finally:
        with Uplink.turn:
            Uplink.calling = None


def _find(request: Request) -> Callable[..., Any]:
    found: Any = importlib.import_module(request.module)
    for name in request.qualname.split("."):
        found = getattr(found, name)
    function: Callable[..., Any] = getattr(found, "function", found)  # the decorated name is a task definition
    return function


def _picklable(error: BaseException) -> BaseException | None:
    if isinstance(error, SystemExit | KeyboardInterrupt | CancelledError):
        return None  # they would end the worker's own thread or task
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made one expression earlier
    except Exception:
        return None
    return error


def _send(connection: "Connection[Any, Any]", reply: Reply) -> None:
    try:
        connection.send(reply)
    except ConnectionError:
        return  # the worker is gone, and so is whoever waited
    except Exception as error:  # the result cannot be pickled
        connection.send(Raised(None, error_info(error)))


def _end_with_parent() -> None:
    """A worker that was killed cannot end its children; their pipes would keep them until the call ends."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
