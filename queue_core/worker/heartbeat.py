"""Keeps the worker's leases alive, from a thread of its own, so that a blocked event loop is not taken for a dead worker."""

import logging
import random
import threading
from collections.abc import Callable

from queue_core.backend import Backend
from queue_core.errors import StoreUnavailable
from queue_core.worker.vitals import Vitals
from queue_core.worker_info import Beat, BeatReply

_log = logging.getLogger("prinia.worker")


class Heartbeat:
    """Beats every ``every`` seconds until stopped. ``answered`` and ``watch`` are called in its thread."""

    def __init__(
        self,
        backend: Backend,
        *,
        every: float,
        describe: Callable[[Vitals], Beat],
        answered: Callable[[BeatReply], None],
        watch: Callable[[], None],
    ) -> None:
        self._backend = backend
        self._every = every
        self._describe, self._answered, self._watch = describe, answered, watch
        self._vitals = Vitals()
        self._now = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="prinia-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def beat_now(self) -> None:
        """Tell the store at once, because something changed."""
        self._now.set()

    def end(self) -> None:
        """Beat no more."""
        self._ended = True
        self._now.set()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        pause = self._every
        while not self._ended:
            self._now.wait(pause * random.uniform(0.9, 1.0))  # noqa: S311 - not a secret
            self._now.clear()
            if not self._ended:
                pause = self._beat()

    def _beat(self) -> float:
        try:
            self._watch()
            self._answered(self._backend.heartbeat(self._describe(self._vitals)))
        except StoreUnavailable:
            return self._every / 4  # sooner, because the lease is running out meanwhile
        except Exception:
            if not self._ended:
                _log.exception("A heartbeat failed; the next one follows.")
        return self._every
