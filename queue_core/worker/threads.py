"""Runs plain functions in threads that can be asked to stop."""

import asyncio
import contextvars
import ctypes
import logging
import threading
from asyncio import CancelledError
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

_log = logging.getLogger("prinia.worker")


class Unstoppable(Exception):
    """The call did not end within its grace after it was asked to."""


class Job:
    """One call in a thread, in a copy of the context that it was made in."""

    def __init__(self, call: Callable[[], Any], interrupt: Callable[[], None] | None) -> None:
        self._call = call
        self._stop = interrupt or self._raise_in_thread
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._interrupted = False
        self._result: tuple[Any, BaseException | None] | None = None
        self.ended: asyncio.Future[tuple[Any, BaseException | None]] = self._loop.create_future()

    def run(self) -> None:
        """Make the call; in its thread."""
        while self._result is None or self._thread is not None:
            try:
                self._attempt()
            except CancelledError:
                continue  # an interruption that arrived between the end of the call and the end of this round
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            _log.warning("A thread ended after the event loop that waited for it; its result is dropped.")

    def interrupt(self) -> None:
        """Ask the call to end: raises CancelledError in it, at its next step of Python code."""
        with self._lock:
            self._interrupted = True
            if self._thread is not None:
                self._stop()

    def _attempt(self) -> None:
        if self._result is None:
            self._result = self._outcome()
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                _set_async_exc(thread, None)  # takes back an interruption that is not delivered yet

    def _outcome(self) -> tuple[Any, BaseException | None]:
        with self._lock:
            self._thread = threading.get_ident()
            if self._interrupted:
                return None, CancelledError()
        try:
            return self._context.run(self._call), None
        except BaseException as error:
            return None, error

    def _raise_in_thread(self) -> None:
        assert self._thread is not None
        _set_async_exc(self._thread, CancelledError)

    def _deliver(self) -> None:
        if not self.ended.done():
            self.ended.set_result(self._result or (None, None))


class Threads:
    """As many threads as calls run at once, reused. They are daemons: one that cannot be stopped does not keep the process alive."""

    def __init__(self) -> None:
        self._idle: list[_Thread] = []
        self._closed = False

    async def call(self, call: Callable[[], Any], *, grace: float, interrupt: Callable[[], None] | None = None, late: Callable[[], None]) -> Any:
        """Run ``call`` in a thread and return what it returns. When cancelled, interrupt it and wait at most ``grace`` seconds for its end.

        Raises what it raised; Unstoppable when it goes on after its grace, and then calls ``late`` when it ends after all.
        """
        job = Job(call, interrupt)
        self._submit(job)
        try:
            value, error = await asyncio.shield(job.ended)
        except CancelledError:
            job.interrupt()
            value, error = await _linger(job, grace, late)
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Let the threads end as they become idle."""
        self._closed = True
        for thread in self._idle:
            thread.end()
        self._idle.clear()

    def _submit(self, job: Job) -> None:
        thread = self._idle.pop() if self._idle else _Thread()
        job.ended.add_done_callback(lambda _: self._take_back(thread))
        thread.give(job)

    def _take_back(self, thread: "_Thread") -> None:
        if self._closed:
            thread.end()
        else:
            self._idle.append(thread)


class _Thread:
    """One thread that runs the jobs that it is given."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        threading.Thread(target=self._run, name="prinia-handler", daemon=True).start()

    def give(self, job: Job) -> None:
        self._jobs.put(job)

    def end(self) -> None:
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            del job


async def _linger(job: Job, grace: float, late: Callable[[], None]) -> tuple[Any, BaseException | None]:
    """Wait for the end of an interrupted job, whatever cancels us meanwhile."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace
    while not job.ended.done():
        left = deadline - loop.time()
        if left <= 0:
            job.ended.add_done_callback(lambda _: late())
            raise Unstoppable
        try:
            await asyncio.wait([job.ended], timeout=left)
        except CancelledError:
            job.interrupt()
    return job.ended.result()


def _set_async_exc(thread: int, error: type[BaseException] | None) -> None:
    _SET_ASYNC_EXC(ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error))


_SET_ASYNC_EXC: Final = ctypes.pythonapi.PyThreadState_SetAsyncExc
