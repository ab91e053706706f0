"""Whether a worker's process is known to be gone."""

import os

from queue_core.worker_info import Registration


def is_gone(earlier: Registration, here: Registration) -> bool:
    """Whether the process of ``earlier`` is certainly gone, seen from the process of ``here``. Says False where it cannot know."""
    if earlier.host != here.host:
        return False
    if earlier.pid == here.pid:
        return earlier.process != here.process
    return not _exists(earlier.pid)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # sends nothing; only asks
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
