"""The stage of a task, by which its row is found: waiting for a later time, due, leased, held back by the limits of its group, or finished (then
it has none).
"""

from typing import Final

DUE_LATER: Final = 0
"""Waits for a later time."""
DUE: Final = 1
"""Can be claimed."""
HELD: Final = 3
"""Is due, but for the limits of its group: only claims let it in among the due ones. Every due task of a group begins so, each time anew."""


def due_in(group: str | None) -> int:
    """The stage of a task of ``group``, or of none, that has become due."""
    return DUE if group is None else HELD
