"""Python tracebacks taken apart, so that a page can show where in the person's own code it happened."""

import re
from typing import Final

from board.contexts import Frame

_FRAME: Final = re.compile(
    r'^  File "(?P<file>[^"\n]{1,1000})", line (?P<line>\d{1,9})(?:, in (?P<function>[^\n]{1,300}))?\n(?P<code>(?:    [^\n]*\n?)*)', re.MULTILINE
)
FOREIGN: Final = ("/site-packages/", "/dist-packages/", "/lib/python", "/queue_core/", "<frozen", "<string>")
"""What is in the path of code that the person did not write."""
MOST: Final = 200


def frames(traceback: str) -> tuple[Frame, ...]:
    """The frames of a traceback, outermost first; empty when it does not look like one. At most the last 200."""
    found = [_frame(match) for match in _FRAME.finditer(traceback)]
    return tuple(found[-MOST:])


def _frame(match: re.Match[str]) -> Frame:
    file = match["file"]
    lines = [line.strip() for line in match["code"].splitlines()]
    return Frame(
        file=file,
        line=int(match["line"]),
        function=match["function"] or "",
        code=next((line for line in lines if line and set(line) - set("^~ ")), ""),
        own=not any(sign in file.replace("\\", "/") for sign in FOREIGN),
    )
