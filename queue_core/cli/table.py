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
    """One column. ``right``: numbers. ``gives``: is cut when the terminal is too narrow; the last such column gives first. ``spare``: is left out
    when that was not enough, the last such column first.
    """

    title: str
    right: bool = False
    gives: bool = False
    spare: bool = False


def render(columns: Sequence[Column], rows: Sequence[Sequence[str]], limit: int | None) -> list[str]:
    """The lines of the table, at most ``limit`` columns wide where columns that give allow it; None: as wide as it is."""
    safe = [[harmless(cell) for cell in row] for row in rows]
    widths = [max(width(cell) for cell in (column.title, *cells)) for column, cells in zip(columns, _columns(safe, len(columns)), strict=True)]
    shown = list(range(len(columns)))
    if limit is not None:
        shown = _fitting(columns, widths, limit)
        _shrink(columns, widths, shown, limit)
    return [_line(columns, widths, shown, cells) for cells in ([column.title for column in columns], *safe)]


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print the table, cut to the terminal if that is where it goes."""
    print("\n".join(render(columns, rows, terminal_width())))


def terminal_width() -> int | None:
    """Columns of the terminal; None when the output goes elsewhere, where nothing should be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _columns(rows: Sequence[Sequence[str]], count: int) -> list[list[str]]:
    return [[row[index] for row in rows] for index in range(count)]


def _fitting(columns: Sequence[Column], widths: Sequence[int], limit: int) -> list[int]:
    """The columns that are shown: all, if those that give can give enough."""
    shown = list(range(len(columns)))
    for index in reversed(range(len(columns))):
        narrowest = sum(_narrowest(columns[place], widths[place]) for place in shown)
        if narrowest + len(GAP) * (len(shown) - 1) <= limit:
            break
        if columns[index].spare:
            shown.remove(index)
    return shown


def _narrowest(column: Column, space: int) -> int:
    return min(space, max(NARROWEST, width(column.title))) if column.gives else space


def _shrink(columns: Sequence[Column], widths: list[int], shown: Sequence[int], limit: int) -> None:
    excess = sum(widths[index] for index in shown) + len(GAP) * (len(shown) - 1) - limit
    for index in reversed(shown):
        if columns[index].gives and excess > 0:
            taken = min(excess, widths[index] - _narrowest(columns[index], widths[index]))
            widths[index] -= taken
            excess -= taken


def _line(columns: Sequence[Column], widths: Sequence[int], shown: Sequence[int], cells: Sequence[str]) -> str:
    return GAP.join(_cell(cells[index], widths[index], columns[index].right) for index in shown).rstrip()


def _cell(text: str, space: int, right: bool) -> str:
    text = cut(text, space)
    padding = " " * (space - width(text))
    return padding + text if right else text + padding
