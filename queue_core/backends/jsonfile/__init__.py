"""The store in one file of JSON lines: durable and readable, for one process, with nothing to install."""

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from queue_core.backends.jsonfile.journal import Journal
from queue_core.backends.jsonfile.location import path_of
from queue_core.backends.jsonfile.session import FileSession
from queue_core.backends.jsonfile.state import FileState
from queue_core.backends.memory.backend import CAPABILITIES as IN_MEMORY
from queue_core.backends.memory.backend import MemoryBackend
from queue_core.backends.memory.expose import MemoryExpose
from queue_core.clock import Clock, SystemClock
from queue_core.codec import CODECS, Codec
from queue_core.errors import InvalidValue
from queue_core.expose import Connected

CAPABILITIES: Final = replace(IN_MEMORY, persistent=True)


def connect(url: str, *, create: bool = True, codecs: Mapping[str, Codec] = CODECS, clock: Clock | None = None, **unknown: Any) -> Connected:
    """The store in the file that ``url`` names, not yet opened: ``jsonfile:///tasks.jsonl``.

    Everything is in memory while it is open, and each change is a line of the file before it counts as stored; so it suits thousands of tasks, not
    millions. One process at a time has it open: another one that opens it gets StoreUnavailable, and so does whoever uses it after something else
    has written to the file or replaced it. Within a process all who name the file share it, in
    the time of the ``clock`` that the first of them gave. ``create``: opening it makes the file where there is none; without that it raises
    StoreMissing. Raises InvalidValue for a URL that names no usable file, and for options that it does not know.
    """
    if unknown:
        raise InvalidValue(f"A JSON file has only the option clock, got {', '.join(sorted(unknown))}.")
    path = path_of(url)
    session = FileSession(_state(path, clock or SystemClock()), str(path), url=url, create=create)
    return Connected(backend=MemoryBackend(session, CAPABILITIES), expose=MemoryExpose(session, codecs, CAPABILITIES, kind="JSON file"))


_open: Final[WeakValueDictionary[Path, FileState]] = WeakValueDictionary()
_lock: Final = threading.Lock()


def _state(path: Path, clock: Clock) -> FileState:
    place = Path(os.path.realpath(path))  # one file has one lock and one journal, by whatever name and from whatever folder it is reached
    with _lock:
        state = _open.get(place)
        if state is None:
            state = _open[place] = FileState(Journal(place), clock)
        return state


__all__ = ["connect"]
