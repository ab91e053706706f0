"""One connection to a memory store, shared by its two contracts."""

import asyncio
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

from queue_core.backends.memory.bells import Bell
from queue_core.backends.memory.state import State
from queue_core.errors import NotConnected
from queue_core.loops import Loops, running


class Session:
    """Access to the store, for the event loops that opened it."""

    def __init__(self, state: State, location: str) -> None:
        self.location = location
        self._state = state
        self._loops = Loops()
        self._bells: dict[Bell, asyncio.AbstractEventLoop] = {}

    def open(self) -> None:
        """Allow access to the running event loop."""
        self._loops.enter(asyncio.get_running_loop())

    def close(self) -> None:
        """End the access of the running event loop; whoever listens there is told."""
        loop = running()
        self._loops.leave(loop)
        for bell, home in tuple(self._bells.items()):
            if home is loop:
                bell.close()

    def is_last(self) -> bool:
        """Whether the running event loop has access, and no other one."""
        return self._loops.alone

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """The store, for one atomic piece of work. Raises NotConnected."""
        if not self._loops.here:
            raise NotConnected(f"The store {self.location} is not open in this event loop. Open it first: async with app, or await store.open().")
        with self._state.transaction():
            yield self._state

    @contextmanager
    def listening(self, bell: Bell, keys: Sequence[Hashable] | None) -> Iterator[Bell]:
        """Let ``bell`` ring for ``keys`` (None: for every topic) meanwhile."""
        with self.transaction() as state:
            state.bells.connect(bell, keys)
            self._bells[bell] = asyncio.get_running_loop()
        try:
            yield bell
        finally:
            self._bells.pop(bell, None)
            self._state.bells.disconnect(bell, keys)
