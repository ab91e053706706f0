"""A task's arguments in one line, from their beginning alone: ``user_id=42 name="Ann" …``."""

import codecs as encodings
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from board.filters import visible
from board.payloads import plain_json
from board.screen import Redact
from queue_core.expose import ARGS_HEAD, Codec, DecodeError

SHOWN: Final = 120
"""Characters of a preview at most, the mark of a cut included."""
CUT: Final = "…"
_JSON: Final = json.JSONDecoder(strict=False)
_LINE_MARKS: Final = str.maketrans({"\n": "␊", "\t": "␉", "\u2028": "␊", "\u2029": "␊"})
_OPEN: Final = re.compile(r"\s*\{\s*")
_KEY: Final = re.compile(r'("(?:[^"\\]|\\.)*")\s*:\s*', re.DOTALL)
_KEY_CUT: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*\\?(?:"\s*)?)?', re.DOTALL)
_UNENDED: Final = re.compile(r"[-+.\w]*")
"""A number or word that nothing follows: it may go on."""
_COMMA: Final = re.compile(r"\s*,\s*")
_CLOSE: Final = re.compile(r"\s*\}\s*")


def preview(head: bytes, codec: str, *, name: str, codecs: Mapping[str, Codec], redact: Redact | None) -> str | None:
    """The arguments of a task called ``name`` in one line; None when there are none, or none that can or may be shown.

    ``head`` is their beginning, ``ARGS_HEAD`` bytes at most. A redact hook must see a value whole, and only JSON can be read in part: else nothing
    is shown of a head that may have been cut.
    """
    cut = len(head) >= ARGS_HEAD
    if codec == "json" and redact is None:
        return _one_line(head, cut=cut)
    if cut:
        return None
    try:
        return _one_line(plain_json(head, codec, name=name, codecs=codecs, redact=redact), cut=False)
    except (DecodeError, RecursionError):
        return None


@lru_cache(maxsize=2_000)
def _one_line(data: bytes, *, cut: bool) -> str | None:
    """JSON as pairs if it is, or begins, an object; as it is otherwise. Remembered, because a live list asks for the same rows again and again."""
    text = encodings.getincrementaldecoder("utf-8")("backslashreplace").decode(data, not cut)  # leaves out a character that the cut went through
    try:
        line = " ".join(_pairs(text, cut=cut))
    except (ValueError, RecursionError):
        line = text.strip() + CUT * cut
    shown = visible(line).translate(_LINE_MARKS)
    return (shown if len(shown) <= SHOWN else shown[: SHOWN - len(CUT)] + CUT) or None


def _pairs(text: str, *, cut: bool) -> Iterator[str]:
    """``key=value`` of each entry of the object that ``text`` is, or with ``cut`` begins. Raises ValueError for anything else."""
    place = _expect(_OPEN, text, 0)
    while entry := _KEY.match(text, place):
        value, end, is_whole = _value(text, entry.end(), cut=cut)
        yield f"{_key(entry[1])}={value}"
        if not is_whole:
            return
        comma = _COMMA.match(text, end)
        place = comma.end() if comma else end
        if not comma:
            break
    if cut and _KEY_CUT.fullmatch(text, place):
        yield CUT
    elif _expect(_CLOSE, text, place) != len(text):
        raise ValueError("there is more behind the object")


def _value(text: str, place: int, *, cut: bool) -> tuple[str, int, bool]:
    """A value, where it ends, and whether it is all there. Raises ValueError for what is none."""
    if cut and _UNENDED.fullmatch(text, place):
        return text[place:] + CUT, len(text), False
    try:
        value, end = _JSON.raw_decode(text, place)
    except ValueError:
        if not cut:
            raise
        return text[place:] + CUT, len(text), False
    return (_quoted(value) if isinstance(value, str) else text[place:end]), end, True


def _key(raw: str) -> str:
    key = str(_JSON.decode(raw))
    return key if key.isidentifier() else _quoted(key)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _expect(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Where what must come next ends. Raises ValueError when something else comes."""
    found = pattern.match(text, place)
    if not found:
        raise ValueError("this is no JSON object")
    return found.end()
