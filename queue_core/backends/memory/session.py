"""One connection to a memory store, shared by its two contracts."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

from queue_core.backends.memory.bells import Bell
from queue_core.backends.memory.state import State
from queue_core.errors import NotConnected


class Session:
    """Access to the store while it is open."""

    def __init__(self, state: State, location: str) -> None:
        self.location = location
        self.is_open = False
        self._state = state
        self._bells: set[Bell] = set()

    def open(self) -> None:
        """Allow access."""
        self.is_open = True

    def close(self) -> None:
        """End access; whoever listens is told."""
        self.is_open = False
        for bell in tuple(self._bells):
            bell.close()

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """The store, for one atomic piece of work. Raises NotConnected."""
        if not self.is_open:
            raise NotConnected(f"The store {self.location} is not open. Call open() first, or use it inside `async with`.")
        with self._state.transaction():
            yield self._state

    @contextmanager
    def listening(self, bell: Bell, keys: Sequence[Hashable] | None) -> Iterator[Bell]:
        """Let ``bell`` ring for ``keys`` (None: for every topic) meanwhile."""
        with self.transaction() as state:
            state.bells.connect(bell, keys)
            self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)
            self._state.bells.disconnect(bell, keys)
