"""One open page: what is on its way to it. It holds the latest bytes per place, never a backlog."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from board.live.patch import CLOSING, Patch

MOST_PLACES: Final = 500
"""A reader that is behind by more places than this starts anew: its stream ends, and the page connects again."""


class Subscriber:
    """The reading end of a live view."""

    def __init__(self) -> None:
        self._waiting: Patch | None = None
        self._wake = asyncio.Event()
        self._ended = False

    def offer(self, patch: Patch) -> None:
        """Add what changed; a place that still waits keeps only its latest bytes. Never waits itself."""
        self._waiting = patch if self._waiting is None else Patch({**self._waiting.places, **patch.places})
        if len(self._waiting.places) > MOST_PLACES:
            self._ended = True
        self._wake.set()

    def set(self) -> None:
        """End the stream, with a word to the page. (Named for sse-starlette, which sets it when the server shuts down.)"""
        self._ended = True
        self._wake.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """Server-sent events, for as long as the stream lasts."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._ended:
                yield CLOSING
                return
            patch, self._waiting = self._waiting, None
            if patch is not None:
                yield patch.message
