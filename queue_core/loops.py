"""Which event loops use something: each opens and closes it for itself."""

import asyncio
import threading


class Loops:
    """The event loops that entered and have not left. One that was closed counts no more. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: set[asyncio.AbstractEventLoop] = set()

    def __contains__(self, loop: asyncio.AbstractEventLoop) -> bool:
        return loop in self._inside

    def __bool__(self) -> bool:
        return any(not loop.is_closed() for loop in self._inside)

    @property
    def here(self) -> bool:
        """Whether the running event loop is inside; where none runs, as in a thread, whether any is."""
        loop = running()
        return bool(self) if loop is None else loop in self._inside

    @property
    def alone(self) -> bool:
        """Whether the running event loop is inside, and no other one."""
        return {loop for loop in self._inside if not loop.is_closed()} == {running()}

    def enter(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let ``loop`` in."""
        with self._lock:
            self._inside = {other for other in self._inside if not other.is_closed()} | {loop}

    def leave(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Let ``loop`` out, if it is inside."""
        with self._lock:
            self._inside = {other for other in self._inside if other is not loop}


def running() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread; None in the child that a coroutine forked too, for its loop is the parent's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
