"""Numbers, times and hostile text as words for a terminal."""

import logging
import re
import unicodedata
from datetime import datetime
from typing import Final

from queue_core.errors import InvalidValue

UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
SIZES: Final = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
SCALE: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "m"), (1.0, "s"))


def duration(seconds: float) -> str:
    """A span in its largest fitting unit: ``340 ms``, ``12 s``, ``3 m``, ``2 h``, ``5 d``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    size, unit = next(step for step in SCALE if seconds >= step[0])
    return f"{seconds / size:.1f} {unit}" if unit == "s" and seconds < 10 else f"{int(seconds / size)} {unit}"


def relative(moment: datetime | None, now: datetime) -> str:
    """``3 s ago``, ``in 2 m``, ``now``; a dash for None."""
    if moment is None:
        return "–"
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {_whole(seconds)}" if seconds > 0 else f"{_whole(-seconds)} ago"


def _whole(seconds: float) -> str:
    return duration(float(int(seconds)) if seconds < 10 else seconds).replace(".0 ", " ")


def stamp(moment: datetime | None) -> str:
    """A moment to the millisecond, in UTC; a dash for None."""
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"


def size(amount: float | None) -> str:
    """Bytes as ``12 MB``; a dash for None."""
    if amount is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def many(number: int, noun: str) -> str:
    """``1 task``, ``2 tasks``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def octets(text: str) -> int:
    """The bytes that ``500MB``, ``1.5GB`` or ``1000000`` mean; of the units, any spelling. Raises InvalidValue."""
    units = {unit.lower(): factor for unit, factor in SIZES.items()} | {unit[0].lower(): factor for unit, factor in SIZES.items()}
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if found is None or (found[2] or "b") not in units:
        raise InvalidValue(f"a size of memory is a number with {', '.join(SIZES)} after it, as 500MB or 1.5GB, got {text!r}.")
    return int(float(found[1]) * units[found[2] or "b"])


def level(text: str) -> int | None:
    """The number of the level that ``logging`` knows by this name, in any case; None when it knows none."""
    number = logging.getLevelName(text.upper())
    return number if isinstance(number, int) else None


def seconds(text: str) -> float:
    """The seconds that ``90``, ``90s``, ``5m``, ``1.5h``, ``7d`` or ``2w`` mean. Raises InvalidValue."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?\s*", text)
    if found is None:
        raise InvalidValue(f"A span of time is a number and a unit (ms, s, m, h, d, w), as 90s or 1.5h, and never negative, got {text!r}.")
    return float(found[1]) * UNITS[found[2] or "s"]


def moment(text: str) -> datetime:
    """The moment that an ISO 8601 text with a time zone means. Raises InvalidValue."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"A time is written as 2026-12-24T18:00:00+01:00 or with Z for UTC, got {text!r}.") from None
    if parsed.tzinfo is None:
        raise InvalidValue(f"A time needs its time zone: write {text}Z for UTC or {text}+01:00, got {text!r}.")
    return parsed


def harmless(text: str, *, lines: bool = False) -> str:
    """Text that a stranger wrote, fit for a terminal: control characters are shown and not obeyed. ``lines``: keep line breaks and tabs."""
    return "".join(letter if _is_plain(letter) or (lines and letter in "\n\t") else _picture(letter) for letter in text)


def _is_plain(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} or letter == "\u200d"  # a joiner of emoji is safe


def _picture(letter: str) -> str:
    code = ord(letter)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"\\u{code:04x}"


def width(text: str) -> int:
    """How many columns ``text`` takes in a terminal."""
    return sum(0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def cut(text: str, columns: int) -> str:
    """``text`` in at most ``columns`` columns, with … where something is missing."""
    if width(text) <= columns:
        return text
    kept = ""
    for letter in text:
        if width(kept + letter) > columns - 1:
            break
        kept += letter
    return kept + "…"
