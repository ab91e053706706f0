"""Notices that a handler blocks the event loop, and says which."""

import asyncio
import logging
import sys
import threading
import time
from types import FrameType

from queue_core.worker.running import Running
from queue_core.worker.tracebacks import is_ours

_log = logging.getLogger("prinia.worker")


class Watchdog:
    """Asked from the heartbeat's thread. Warns once per blockage that lasts longer than ``patience`` seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, running: Running, *, worker: str, patience: float) -> None:
        self._loop, self._running = loop, running
        self._worker = worker
        self._patience = patience
        self._thread = threading.get_ident()
        self._asked: float | None = None
        self._warned = False

    def watch(self) -> None:
        """Ask the loop for a sign of life, and warn when the last question is still open."""
        if self._asked is None:
            self._asked = time.monotonic()
            self._warned = False
            self._loop.call_soon_threadsafe(self._answer)
        elif not self._warned and time.monotonic() - self._asked >= self._patience:
            self._warned = True
            _log.warning("%s", self._sentence(time.monotonic() - self._asked))

    def _answer(self) -> None:
        self._asked = None

    def _sentence(self, seconds: float) -> str:
        return (
            f"The event loop of worker {self._worker} has been blocked for {seconds:.1f} s by {self._culprit()}{self._place()}. "
            "Nothing else runs meanwhile. Write the task as a plain function, which runs in a thread, or pass executor='process'."
        )

    def _culprit(self) -> str:
        current = asyncio.current_task(self._loop)
        for run in self._running:
            if run.task is current:
                return f"task {run.claim.id} ({run.claim.name})"
        return "code outside of tasks"

    def _place(self) -> str:
        frame: FrameType | None = sys._current_frames().get(self._thread)
        while frame is not None and is_ours(frame.f_code.co_filename):
            frame = frame.f_back
        return "" if frame is None else f" in {frame.f_code.co_name}, {frame.f_code.co_filename}:{frame.f_lineno}"
