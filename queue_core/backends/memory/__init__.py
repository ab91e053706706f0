"""The store in memory: for tests, for trying things out, and as the readable reference of both contracts."""

import threading
from collections.abc import Mapping
from typing import Any, Final

from queue_core.backends.memory.backend import MemoryBackend
from queue_core.backends.memory.expose import MemoryExpose
from queue_core.backends.memory.session import Session
from queue_core.backends.memory.state import State
from queue_core.clock import Clock, SystemClock
from queue_core.codec import CODECS, Codec
from queue_core.errors import InvalidValue
from queue_core.expose import Connected


def connect(
    url: str = "memory://", *, create: bool = True, codecs: Mapping[str, Codec] = CODECS, clock: Clock | None = None, **unknown: Any
) -> Connected:
    """The memory store at ``url``, not yet opened. It is shared within this process and ends with it.

    ``memory://`` is a fresh store each time; ``memory://name`` is one store for all who say that name, in the time of the ``clock`` that the
    first of them gave. There is always one, so ``create`` says nothing here. Raises InvalidValue for options that it does not know.
    """
    if unknown:
        raise InvalidValue(f"A memory store has only the option clock, got {', '.join(sorted(unknown))}.")
    session = Session(_state(url.partition("://")[2], clock or SystemClock()), url)
    return Connected(backend=MemoryBackend(session), expose=MemoryExpose(session, codecs))


_named: Final[dict[str, State]] = {}
_lock: Final = threading.Lock()


def _state(name: str, clock: Clock) -> State:
    if not name:
        return State(clock)
    with _lock:
        if name not in _named:
            _named[name] = State(clock)
        return _named[name]


__all__ = ["MemoryBackend", "MemoryExpose", "connect"]
