"""One process of ``prinia worker --processes``: works until its supervisor says stop, or is gone.

Its standard input is a pipe whose other end only the supervisor holds: each byte in it is a request, and its end says that nobody is left to make
one.
"""

import asyncio
import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import Final

import msgspec

from queue_core.app import App
from queue_core.cli import loop
from queue_core.cli.failure import FAILED, OK, guarded
from queue_core.cli.load import load_app
from queue_core.cli.worker import LEFT, Work, log_to_stderr
from queue_core.events import StopReason
from queue_core.worker import Worker
from queue_core.worker.shutdown import SIGNALS

STDIN: Final = 0
STOP: Final = b"s"
"""Says: stop gracefully."""
AT_ONCE: Final = b"!"
"""Says: stop at once."""
REPLACE: Final = 75
"""The exit code that asks for another process in place of this one."""
PATIENCE: Final = 45.0
"""Seconds that a worker may take to stop: its own rules let running tasks 30, and cancelled ones 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the process is started for."""

    work: Work
    patience: float = PATIENCE
    """Seconds that it may take to end once its supervisor is gone."""


def main() -> int:
    """Work as the only argument says; the exit code."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    line = Line(_own(STDIN), patience=order.patience)
    return guarded(lambda: serve(order.work, line), who=f"prinia: {order.work.name}")


def _own(file: int) -> int:
    """Keep the pipe away from handlers, which find nothing to read instead."""
    kept = os.dup(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, file)
    os.close(nothing)
    return kept


def serve(work: Work, line: "Line") -> int:
    """Load the app and run a worker until it ends; the exit code."""
    app = load_app(work.app)
    log_to_stderr(work, "%(asctime)s %(levelname)s %(worker)s: %(message)s")
    return loop.run(_work(app, work, line))


async def _work(app: App, work: Work, line: "Line") -> int:
    async with app:
        worker = app.worker(**work.options)
        working = asyncio.ensure_future(worker.run())
        await asyncio.sleep(0)  # so that it can be stopped
        line.lead_to(worker)
        await working
    is_replaced = line.is_replaced or worker.stop_reason in {StopReason.MAX_TASKS, StopReason.MAX_MEMORY}
    code = REPLACE if is_replaced else OK
    await loop.leave_behind(code, LEFT)
    return code


class Line:
    """The way from the supervisor to the worker."""

    def __init__(self, pipe: int, *, patience: float) -> None:
        self.is_replaced = False
        """Whether a signal stopped it that was meant for this process alone."""
        self._pipe, self._patience = pipe, patience
        self._turn = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: Worker | None = None
        threading.Thread(target=self._listen, name="supervisor", daemon=True).start()

    def lead_to(self, worker: Worker) -> None:
        """Pass on to ``worker`` what is said, in its event loop. SIGTERM and SIGINT stop it gracefully, however many come."""
        with self._turn:
            self._loop, self._worker = asyncio.get_running_loop(), worker
        for number in SIGNALS:
            with contextlib.suppress(NotImplementedError):  # Windows
                self._loop.add_signal_handler(number, self._replace)

    def _listen(self) -> None:
        while said := os.read(self._pipe, 64):
            self._pass_on(at_once=AT_ONCE in said)
        self._pass_on()
        time.sleep(self._patience)  # in a thread, so that a handler which blocks the event loop does not keep an orphan alive
        os._exit(FAILED)

    def _pass_on(self, *, at_once: bool = False) -> None:
        with self._turn:
            if self._loop is None:
                os._exit(OK)  # nothing was begun
            with contextlib.suppress(RuntimeError):  # the loop is closed: it ends already
                self._loop.call_soon_threadsafe(self._stop, at_once)

    def _replace(self) -> None:
        self.is_replaced = True
        self._stop()

    def _stop(self, at_once: bool = False) -> None:
        if self._worker is not None and self._worker.is_working:
            self._worker.stop(at_once=at_once)


if __name__ == "__main__":
    sys.exit(main())
