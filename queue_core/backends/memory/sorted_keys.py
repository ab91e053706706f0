"""A list that keeps its keys in order, so that the first, the due and the next are found without a scan."""

import bisect
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Any)


class SortedKeys(Generic[K]):
    """Distinct keys in ascending order."""

    def __init__(self) -> None:
        self._keys: list[K] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def first(self) -> K | None:
        """The least key; None when there is none."""
        return self._keys[0] if self._keys else None

    def add(self, key: K) -> None:
        """Put ``key`` in its place."""
        bisect.insort(self._keys, key)

    def discard(self, key: K) -> None:
        """Take ``key`` out, if it is in."""
        place = bisect.bisect_left(self._keys, key)
        if place < len(self._keys) and self._keys[place] == key:
            del self._keys[place]

    def between(self, low: Any, high: Any | None) -> Iterator[K]:
        """The keys above ``low`` and not above ``high``; None: all above ``low``."""
        start = bisect.bisect_right(self._keys, low)
        end = len(self._keys) if high is None else bisect.bisect_right(self._keys, high)
        return (self._keys[place] for place in range(start, end))

    def below(self, bound: Any) -> Iterator[K]:
        """The keys less than ``bound``, the greatest first."""
        return (self._keys[place] for place in range(bisect.bisect_left(self._keys, bound) - 1, -1, -1))

    def above(self, bound: Any) -> Iterator[K]:
        """The keys greater than ``bound``, the least first."""
        return self.between(bound, None)
