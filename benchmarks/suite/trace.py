"""What a worker process did, readable from outside while it runs and after it was killed: a small file in shared memory."""

import itertools
import mmap
import struct
import threading
import time
from pathlib import Path

HEADER = struct.Struct("dQ")
SAMPLE = struct.Struct("d")
SAMPLES = 4_096


class Trace:
    """When the first handler started, how many started, and for the first 4,096 of them the seconds from push to start."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(HEADER.size + SAMPLE.size * SAMPLES))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    @classmethod
    def of_worker(cls, folder: Path, number: int) -> "Trace":
        """What the worker with this number did, or will do."""
        return cls(folder / f"trace{number}")

    def hit(self, sent: float) -> None:
        """A handler starts now; its task was pushed at ``sent`` on the system's monotonic clock, which all processes share."""
        now = time.monotonic()
        with self._lock:
            number = next(self._numbers)
            if number < SAMPLES:
                SAMPLE.pack_into(self._memory, HEADER.size + number * SAMPLE.size, now - sent)
            first = now if number == 0 else HEADER.unpack_from(self._memory)[0]
            HEADER.pack_into(self._memory, 0, first, number + 1)

    @property
    def first(self) -> float:
        """When the first handler started."""
        return float(HEADER.unpack_from(self._memory)[0])

    @property
    def count(self) -> int:
        """How many handlers started."""
        return int(HEADER.unpack_from(self._memory)[1])

    def samples(self) -> list[float]:
        """Seconds from push to start, in order."""
        number = min(self.count, SAMPLES)
        return [SAMPLE.unpack_from(self._memory, HEADER.size + index * SAMPLE.size)[0] for index in range(number)]
