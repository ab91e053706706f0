"""How many tasks a worker may still run before it is replaced."""

from collections.abc import Callable


class Quota:
    """Counts down from ``most``; None for no end. Calls ``used_up`` when the last one starts."""

    def __init__(self, most: int | None, used_up: Callable[[], None]) -> None:
        self._left = most
        self._used_up = used_up

    def room(self, free: int) -> int:
        """How many of ``free`` slots may still be filled."""
        return free if self._left is None else min(free, self._left)

    def launched(self) -> None:
        """One more runs."""
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._used_up()
