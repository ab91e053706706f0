"""Signals that stop a worker: the first one gracefully, the second at once."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from typing import Final, Protocol

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_log = logging.getLogger("prinia.worker")


class Stoppable(Protocol):
    """What signals can stop."""

    def stop(self, *, at_once: bool = False) -> None:
        """End gracefully, or at once."""
        ...


@contextlib.contextmanager
def stopped_by_signals(worker: Stoppable) -> Iterator[None]:
    """Within it, SIGTERM and SIGINT stop ``worker``. Only in the main thread, where signals arrive."""
    loop = asyncio.get_running_loop()
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        _log.warning("Stopping: %s.", "finishing what runs; once more to cancel it" if asked == 1 else "cancelling what runs")
        worker.stop(at_once=asked > 1)

    caught = [number for number in SIGNALS if _catch(loop, number, ask)]
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


def _catch(loop: asyncio.AbstractEventLoop, number: signal.Signals, ask: Callable[[], None]) -> bool:
    try:
        loop.add_signal_handler(number, ask)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        return False
    return True
