"""Tables that a person can read: aligned, cut to the terminal, safe to print."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from queue_core.cli.words import cut, harmless, width

GAP: Final = "  "
NARROWEST: Final = 8


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``right``: numbers. ``gives``: is cut when the terminal is too narrow; the last such column gives first."""

    title: str
    right: bool = False
    gives: bool = False


def render(columns: Sequence[Column], rows: Sequence[Sequence[str]], limit: int | None) -> list[str]:
    """The lines of the table, at most ``limit`` columns wide where columns that give allow it; None: as wide as it is."""
    safe = [[harmless(cell) for cell in row] for row in rows]
    widths = [max(width(cell) for cell in (column.title, *cells)) for column, cells in zip(columns, _columns(safe, len(columns)), strict=True)]
    if limit is not None:
        _shrink(columns, widths, limit)
    return [_line(columns, widths, cells) for cells in ([column.title for column in columns], *safe)]


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print the table, cut to the terminal if that is where it goes."""
    print("\n".join(render(columns, rows, terminal_width())))


def terminal_width() -> int | None:
    """Columns of the terminal; None when the output goes elsewhere, where nothing should be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _columns(rows: Sequence[Sequence[str]], count: int) -> list[list[str]]:
    return [[row[index] for row in rows] for index in range(count)]


def _shrink(columns: Sequence[Column], widths: list[int], limit: int) -> None:
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - limit
    for index in reversed(range(len(columns))):
        if columns[index].gives and excess > 0:
            taken = min(excess, max(0, widths[index] - max(NARROWEST, width(columns[index].title))))
            widths[index] -= taken
            excess -= taken


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str]) -> str:
    return GAP.join(_cell(cell, space, column.right) for column, space, cell in zip(columns, widths, cells, strict=True)).rstrip()


def _cell(text: str, space: int, right: bool) -> str:
    text = cut(text, space)
    padding = " " * (space - width(text))
    return padding + text if right else text + padding
