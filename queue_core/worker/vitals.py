"""How much memory and processor this process uses."""

import os
import sys
import time
from pathlib import Path


class Vitals:
    """Measures this process; processor use is that since the last question."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._busy = time.process_time()

    def cpu(self) -> float | None:
        """Share of one core used since the last call; None when too little time passed to tell."""
        wall, busy = time.monotonic(), time.process_time()
        passed, used = wall - self._wall, busy - self._busy
        if passed < 0.01:
            return None
        self._wall, self._busy = wall, busy
        return used / passed

    @staticmethod
    def rss() -> int | None:
        """Resident memory in bytes; None where the system does not tell."""
        try:
            pages = int(Path("/proc/self/statm").read_bytes().split()[1])
        except (OSError, IndexError, ValueError):
            return _peak()
        return pages * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int | None:
    """The highest resident memory so far: the nearest that systems without /proc tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
