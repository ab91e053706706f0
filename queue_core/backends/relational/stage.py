"""The stage of a task, by which its row is found: waiting for a later time, due, leased, or finished (then it has none)."""

from typing import Final

DUE_LATER: Final = 0
"""Waits for a later time."""
DUE: Final = 1
"""Can be claimed."""
