"""Stored bytes made safe to look at: decoded, redacted, indented, cut, and with nothing invisible in them."""

import logging
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from board.contexts import Payload
from board.filters import byte_size, visible
from board.screen import Redact
from queue_core.expose import Codec, DecodeError

logger = logging.getLogger("prinia.board")

SHOWN: Final = 20_000
"""Characters of a payload that a page shows."""
UNPARSED: Final = 1_000_000
"""Bytes beyond which a JSON payload is shown as it is stored, because only its beginning is shown anyway."""
HIDDEN: Final = "‹hidden›"
_FAILED: Final[deque[Redact]] = deque(maxlen=16)
"""Hooks that failed before: every value of every page would fail alike, and the log says it once."""
_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True)
class Text:
    """A payload as text, whole."""

    text: str
    problem: str | None = None
    """Why it could not be decoded."""


def payload(data: bytes, codec: str, *, name: str, codecs: Mapping[str, Codec], redact: Redact | None, raw_href: str) -> Payload:
    """What a page shows of stored bytes."""
    whole = as_text(data, codec, name=name, codecs=codecs, redact=redact)
    return Payload(
        text=whole.text[:SHOWN],
        kind="bytes" if whole.problem else "json",
        codec=codec,
        size=len(data),
        cut=len(whole.text) > SHOWN,
        raw_href=raw_href,
        problem=whole.problem,
    )


def as_text(data: bytes, codec: str, *, name: str, codecs: Mapping[str, Codec], redact: Redact | None) -> Text:
    """Stored bytes as text for people. Never raises."""
    if codec == "json" and redact is None and len(data) > UNPARSED:
        return Text(visible(data.decode("utf-8", "backslashreplace")))
    try:
        return Text(_readable(plain_json(data, codec, name=name, codecs=codecs, redact=redact)))
    except (DecodeError, RecursionError) as error:
        shown = HIDDEN if redact else data.decode("utf-8", "backslashreplace")
        return Text(visible(shown), visible(str(error)))


def plain_json(data: bytes, codec: str, *, name: str, codecs: Mapping[str, Codec], redact: Redact | None) -> bytes:
    """Stored bytes as JSON; numbers keep their digits where nothing has to be redacted. Raises DecodeError."""
    if codec == "json" and redact is None:
        return _checked(data)
    known = codecs.get(codec)
    if known is None:
        raise DecodeError(f"No codec is called {codec!r} here, so its {byte_size(len(data))} cannot be read.")
    return _json_of(redacted(name, known.decode(data), redact))


def _checked(data: bytes) -> bytes:
    """``data`` if it is JSON. Raises DecodeError."""
    try:
        msgspec.json.decode(data)
        data.decode()
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DecodeError(f"The stored {byte_size(len(data))} are not valid JSON: {error}.") from None
    return data


def _json_of(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=repr)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise DecodeError(f"The value cannot be shown as JSON: {error}.") from None


def _readable(data: bytes) -> str:
    text = msgspec.json.format(data, indent=2).decode("utf-8", "backslashreplace")
    return visible(_NUL.sub("\\1␀", text))


def redacted(name: str, value: Any, redact: Redact | None) -> Any:
    """``value`` as the host's hook lets it be seen; hidden altogether if the hook fails."""
    if redact is None:
        return value
    try:
        return redact(name, value)
    except Exception:
        if redact not in _FAILED:
            logger.exception("The redact hook failed on a value of task %r; the value is hidden. Further failures of it are not logged.", name)
            _FAILED.append(redact)
        return HIDDEN


def redacted_text(name: str, text: str | None, redact: Redact | None) -> str | None:
    """A text as the hook lets it be seen, with nothing invisible in it."""
    return None if text is None else visible(str(redacted(name, text, redact)))
