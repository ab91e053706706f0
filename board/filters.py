"""How values are written for people: pure functions, used as Jinja filters and in sentences."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

NONE: Final = "–"

_SYMBOLS: Final = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
_HIDDEN: Final = [*range(0x80, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
_VISIBLE: Final[Mapping[int, int | str]] = {**_SYMBOLS, **{code: f"⟨U+{code:04X}⟩" for code in _HIDDEN}}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def visible(text: str) -> str:
    """``text`` with control characters as symbols and invisible direction marks named; line ends and tabs stay.

    >>> visible("a" + chr(0) + "b")
    'a␀b'
    """
    shown = text.replace("\r\n", "\n").translate(_VISIBLE)
    return _SURROGATE.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", shown)


def iso(moment: datetime) -> str:
    """A moment for ``<time datetime>`` and JSON: ``2026-11-22T12:00:00.123Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def utc(moment: datetime) -> str:
    """A moment to the second: ``2026-11-22 12:00:00``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def utc_full(moment: datetime) -> str:
    """A moment to the millisecond: ``2026-11-22 12:00:00.123 UTC``."""
    return f"{utc(moment)}.{moment.microsecond // 1000:03} UTC"


def clock(moment: datetime) -> str:
    """The time of day: ``12:00:00``."""
    return moment.astimezone(UTC).strftime("%H:%M:%S")


def duration(seconds: float | None) -> str:
    """Seconds in the largest two units that say enough.

    >>> duration(0.0123), duration(1.25), duration(184), duration(90_000)
    ('12 ms', '1.25 s', '3 m 4 s', '1 d 1 h')
    """
    if seconds is None:
        return NONE
    if seconds < 0.001:
        return "< 1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    return _two_units(round(seconds))


def _two_units(seconds: int) -> str:
    for width, name, small, small_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= width:
            rest = seconds % width // small
            return f"{seconds // width} {name} {rest} {small_name}" if rest else f"{seconds // width} {name}"
    return f"{seconds} s"


def breakable(text: str) -> Markup:
    """A path or an address that may go on in the next line before each of its parts."""
    return Markup("<wbr>").join(re.split(r"(?=[/?])", text))


def count(number: int) -> str:
    """A whole number with separators: ``12,345``."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """A whole number where room is scarce.

    >>> short_count(999), short_count(12_345), short_count(1_000_000)
    ('999', '12.3k', '1M')
    """
    for width, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= max(width, 10_000):
            return f"{number * 10 // width / 10:g}{unit}"
    return f"{number:,}"


def percent(share: float | None) -> str:
    """A share of one: ``12 %``."""
    return NONE if share is None else f"{share * 100:.0f} %"


def number(value: float | None) -> str:
    """A number to three figures: ``1.25``."""
    return NONE if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def byte_size(size: int | None) -> str:
    """Bytes: ``1.2 MB``."""
    if size is None:
        return NONE
    for width, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= width:
            return f"{size / width:.1f} {unit}"
    return plural(size, "byte")


def plural(number: int, noun: str, many: str | None = None) -> str:
    """A number and its noun: ``1 task``, ``3 tasks``."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def dom_id(prefix: str, name: str) -> str:
    """An id for an element that belongs to ``name``: the name itself where it can be one, else a digest of it."""
    return f"{prefix}-{name}" if _PLAIN_ID.fullmatch(name) else f"{prefix}-x{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:24]}"


def short_id(id: str) -> str:
    """The end of a UUIDv7, which differs between neighbours; of other ids the beginning.

    >>> short_id("0197c3a0-7b1e-7cc3-98c4-dc0c0c07398f")
    '0c07398f'
    """
    return id[-8:] if len(id) == 36 and id.count("-") == 4 else visible(id if len(id) <= 24 else f"{id[:23]}…")


_JSON: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<string>"(?:[^"\\]|\\.)*"?)|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)|(?P<mark>[^"\w-]+|.)',
    re.DOTALL,
)


def json_tokens(text: str) -> list[tuple[str, str]]:
    """JSON text in coloured pieces: ``key``, ``string``, ``number``, ``word`` and ``mark``. Together they are the text, also when it was cut.

    >>> json_tokens('{"a": 1}')
    [('mark', '{'), ('key', '"a"'), ('mark', ': '), ('number', '1'), ('mark', '}')]
    """
    return [(match.lastgroup or "mark", match[0]) for match in _JSON.finditer(text)]


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "iso": iso,
    "utc": utc,
    "utc_full": utc_full,
    "clock": clock,
    "duration": duration,
    "breakable": breakable,
    "count": count,
    "short_count": short_count,
    "percent": percent,
    "number": number,
    "bytes": byte_size,
    "plural": plural,
    "visible": visible,
    "json_tokens": json_tokens,
}
"""By the names that templates use."""
