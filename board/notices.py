"""What actions did, kept for the page that the browser is sent back to."""

import secrets
import time
from typing import Final

from board.contexts import Notice
from board.screen import Fragment

KEPT: Final = 60.0
"""Seconds."""
MOST: Final = 1_000


def notice(tone: str, text: str, details: tuple[str, ...] = ()) -> Notice:
    """A notice with an id of its own."""
    return Notice(dom_id=f"notice-{secrets.token_hex(6)}", tone=tone, text=text, details=details)


def fragment(said: Notice) -> Fragment:
    """A notice with its place on the page."""
    return Fragment(id=said.dom_id, template="layouts/_notice.html", context=said)


class Notices:
    """Notices on their way to the next page, by a token that cannot be guessed."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Notice]] = {}

    def keep(self, said: Notice) -> str:
        """Keep a notice for a minute; the token fetches it."""
        self._forget()
        token = secrets.token_urlsafe(12)
        self._kept[token] = (time.monotonic(), said)
        return token

    def fetch(self, token: str) -> tuple[Notice, ...]:
        """The notice of this token, if it is still kept."""
        self._forget()
        found = self._kept.get(token)
        return (found[1],) if found else ()

    def _forget(self) -> None:
        oldest = time.monotonic() - KEPT
        late = [token for token, (at, _) in self._kept.items() if at < oldest]
        for token in [*late, *list(self._kept)[:-MOST]]:
            self._kept.pop(token, None)
