"""Task ids: UUIDv7 text, so that ids sort by the time they were made."""

import os
import threading
import time
from typing import Final, NewType

TaskId = NewType("TaskId", str)
"""The id of a task: a UUIDv7 in its 36-character form, unless the producer chose its own."""
QueueName = NewType("QueueName", str)
"""The name of a queue: any text of 1 to 200 characters without control characters."""
BootId = NewType("BootId", str)
"""The id of one process life of a worker. A restarted worker has the same name and another boot id."""


class _Uuid7:
    """UUIDv7 after RFC 9562: 48 bits of milliseconds, then a counter that keeps ids of one process in order."""

    def __init__(self) -> None:
        self._last = 0
        self._pool = b""
        self._used = 0
        self._start_afresh()
        os.register_at_fork(after_in_child=self._start_afresh)

    def __call__(self) -> str:
        with self._lock:
            noise = int.from_bytes(self._random_bytes())
            # 42 bits of counter under the milliseconds: seeded at random each millisecond, then stepped at random
            floor = (time.time_ns() // 1_000_000) << 42
            self._last = last = max(self._last + 1 + (noise & 0xFFFF), floor | ((noise >> 16) & 0xFFFF_FFFF))
        tail = noise >> 48
        high, low = last >> 30, ((last & 0x3FFF_FFFF) << 32) | tail  # 48 + 12 bits above, 30 + 32 below
        value = ((high >> 12) << 80) | (0x7 << 76) | ((high & 0xFFF) << 64) | (0b10 << 62) | low
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _random_bytes(self) -> bytes:
        """Ten random bytes; the system is asked for many at a time, because each question costs as much as an id."""
        if self._used >= len(self._pool):
            self._pool = os.urandom(10 * 256)
            self._used = 0
        self._used += 10
        return self._pool[self._used - 10 : self._used]

    def _start_afresh(self) -> None:
        """A forked child shares no random bytes with its parent, nor a lock that another thread held."""
        self._lock = threading.Lock()
        self._pool = b""


_uuid7: Final = _Uuid7()


def new_task_id() -> TaskId:
    """A fresh task id, later than every id made in this process before."""
    return TaskId(_uuid7())


def new_boot_id() -> BootId:
    """A fresh id for one process life of a worker."""
    return BootId(_uuid7())
