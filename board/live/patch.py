"""Changed fragments as one server-sent event, encoded once for all readers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

CLOSING: Final = b"event: closing\ndata: closing\n\n"
SEPARATOR: Final = "<!--next-->"
"""Between fragments: a row and a section cannot be parsed as neighbours."""
_LINE_END: Final = re.compile("\r\n|\r|\n")


def data_lines(html: str) -> bytes:
    """A fragment as ``data:`` lines. Every kind of line end that a browser knows starts a new one, so that none can break out."""
    return b"".join(b"data: %b\n" % line.encode() for line in _LINE_END.split(html))


@dataclass(frozen=True)
class Patch:
    """What changed on a page."""

    places: Mapping[str, bytes]
    """Element id to its ``data:`` lines."""

    @cached_property
    def message(self) -> bytes:
        """The whole event; made once, however many read it."""
        return b"event: patch\n" + (b"data: %b\n" % SEPARATOR.encode()).join(self.places.values()) + b"\n"
