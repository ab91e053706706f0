"""Waiting for a lock of another process: short pauses with jitter, because SQLite's own busy handler starves the patient."""

import random
import sqlite3
import time
from collections.abc import Callable
from typing import Final, TypeVar

from queue_core.backends.sqlite.failures import is_busy

T = TypeVar("T")

LOCK_LIMIT: Final = 10.0
"""Seconds after which a lock is taken for stuck."""
_SHORTEST, _LONGEST = 0.0001, 0.002


def patiently(attempt: Callable[[], T], limit: float = LOCK_LIMIT) -> T:
    """The result of ``attempt``, tried again while another connection holds the lock. Raises its error after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    pause = _SHORTEST
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
        pause = min(pause * 1.5, _LONGEST)
