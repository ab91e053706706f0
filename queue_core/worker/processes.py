"""Runs CPU-bound functions in child processes, one task per child at a time. A child that dies takes nobody with it."""

import itertools
import multiprocessing
import threading
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pickle import PicklingError
from typing import Any, Final, Protocol

from queue_core.errors import GUARD, ChildDied, InvalidValue, PriniaError, WorkerStateError
from queue_core.handler import Handler
from queue_core.inject import Verb
from queue_core.task import ErrorInfo
from queue_core.worker import child
from queue_core.worker.capture import Said
from queue_core.worker.threads import Threads
from queue_core.worker.tracebacks import remember

TERM_GRACE: Final = 2.0
"""Seconds between asking a child to end and ending it."""
_numbers = itertools.count(1)


class Listener(Protocol):
    """Whom the functions in children can talk to."""

    def progress(self, fraction: float, note: str | None) -> Awaitable[bool]:
        """As ``WorkerContext.progress``; called in a thread."""
        ...

    @property
    def capture(self) -> int | None:
        """The level from which on to send what a function logs; None: not at all."""
        ...

    def log(self, what: Said) -> None:
        """A function logged something; called in a thread."""
        ...

    def checkpoint(self, value: Any) -> Awaitable[bool]:
        """As ``WorkerContext.checkpoint``; called in a thread, where it is done once it returns."""
        ...

    def steer(self, verb: Verb) -> None:
        """As ``Hooks.steer``."""
        ...

    def emit(self, name: str, payload: Any) -> None:
        """As ``WorkerContext.emit``."""
        ...


class Processes:
    """Children of this worker: made when needed, kept while it lives, replaced when they die or have made ``calls`` calls."""

    def __init__(self, threads: Threads, *, calls: int | None = None) -> None:
        self._threads = threads
        self._calls = calls
        self._idle: list[Child] = []
        self._all: set[Child] = set()

    async def call(self, handler: Handler, arguments: Mapping[str, Any], listener: Listener, *, grace: float) -> Any:
        """Run the handler's function in a child and return what it returns; when cancelled, end that child.

        Raises what it raised; ChildDied when the child ended first.
        """
        conversation = _Conversation(self, handler, arguments, listener)
        return await self._threads.call(conversation.hold, grace=max(grace, 2 * TERM_GRACE), interrupt=conversation.break_off, late=lambda: None)

    def close(self) -> None:
        """End all children."""
        for process in list(self._all):
            process.end()
        self._all.clear()
        self._idle.clear()

    def take(self) -> "Child":
        """An idle child, or a new one."""
        while self._idle:
            process = self._idle.pop()
            if process.is_alive:
                return process
            self.discard(process)
        process = Child()
        self._all.add(process)
        return process

    def give_back(self, process: "Child") -> None:
        """Keep ``process`` for the next call, unless it has made as many as it may."""
        process.calls += 1
        if process.calls == self._calls:
            self.discard(process)
        else:
            self._idle.append(process)

    def discard(self, process: "Child") -> None:
        """End ``process``."""
        self._all.discard(process)
        process.end()


class Child:
    """One child process and the pipe to it. ``spawn``: nothing of this process, its threads and locks, is inherited."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=child.serve, args=(theirs,), name="prinia-child", daemon=True)
        self.began = False
        """Whether it said that it is up."""
        self.calls = 0
        """How many calls it has made."""
        try:
            self._process.start()
        except RuntimeError as error:
            raise _unguarded(error) from error
        finally:
            theirs.close()

    @property
    def is_alive(self) -> bool:
        """Whether it can take a call."""
        return self._process.is_alive()

    def terminate(self) -> None:
        """Ask it to end; insist if it does not. Returns at once."""
        self._process.terminate()
        insist = threading.Timer(TERM_GRACE, self._kill)
        insist.daemon = True
        insist.start()

    def end(self) -> int | None:
        """End it and wait for that. Its exit code."""
        self._process.terminate()
        self._process.join(TERM_GRACE)
        self._kill()
        return self.exit_code()

    def exit_code(self) -> int | None:
        """Wait for its end; how it ended."""
        self._process.join(TERM_GRACE)
        return self._process.exitcode

    def _kill(self) -> None:
        if self._process.is_alive():
            self._process.kill()


def _unguarded(error: RuntimeError) -> RuntimeError:
    """``error`` as a sentence, when it is multiprocessing's about a child that starts children while it is being started."""
    return WorkerStateError(f"This process is itself being started as a child. {GUARD}") if "bootstrapping" in str(error) else error


@dataclass(eq=False)
class _Conversation:
    """One call of a function in a child."""

    children: Processes
    handler: Handler
    arguments: Mapping[str, Any]
    listener: Listener
    process: Child | None = None

    def hold(self) -> Any:
        """Send the call, listen until the child returns, dies or is ended; in a thread."""
        process = self.process = self.children.take()
        try:
            self._ask(process.connection)
            reply = self._listen(process)
        except (EOFError, ConnectionError):
            error = ChildDied(self.handler.name, process.exit_code(), began=process.began)
            self.children.discard(process)
            raise error from None
        except BaseException:
            self.children.discard(process)
            raise
        self.children.give_back(process)
        return _result(reply)

    def break_off(self) -> None:
        """End the child, and with it the call."""
        if self.process is not None:
            self.process.terminate()

    def _ask(self, connection: "Connection[Any, Any]") -> None:
        function = self.handler.function
        call = next(_numbers)
        arguments = {name: child.portable(value, call) for name, value in self.arguments.items()}
        try:
            connection.send(child.Request(function.__module__, function.__qualname__, arguments, call, self.listener.capture))
        except (TypeError, AttributeError, ValueError, PicklingError) as error:
            raise InvalidValue(f"{self.handler.name} runs in another process, so its arguments must be picklable: {error}.") from error

    def _listen(self, process: Child) -> "child.Reply":
        while True:
            match process.connection.recv():
                case child.Began():
                    process.began = True
                case child.Progress(fraction, note):
                    self.listener.progress(fraction, note)
                case child.Logged(what):
                    self.listener.log(what)
                case child.Checkpoint(value):
                    process.connection.send(self._keep(value))
                case child.Steer(verb):
                    self.listener.steer(verb)
                case child.Emit(name, payload):
                    self.listener.emit(name, payload)
                case child.Returned() | child.Raised() as reply:
                    return reply

    def _keep(self, value: Any) -> "child.Kept":
        try:
            return child.Kept(_known(self.listener.checkpoint(value)))
        except PriniaError as error:
            return child.Kept(False, error)


def _known(awaitable: Awaitable[bool]) -> bool:
    """What ``awaitable`` gives without waiting, as all do that a listener gives outside of its event loop."""
    try:
        next(awaitable.__await__())
    except StopIteration as end:
        found: bool = end.value
        return found
    raise RuntimeError("A listener was called in its event loop; children talk to it in threads only.")


def _result(reply: "child.Reply") -> Any:
    match reply:
        case child.Returned(value):
            return value
        case child.Raised(error, info):
            raise remember(error or RemoteError(info), info)


class RemoteError(Exception):
    """Stands for an exception that could not be sent from one process to another."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(f"{info.type}: {info.message}")
