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
        self._pending: dict[str, bytes] = {}
        self._whole: Patch | None = None
        self._wake = asyncio.Event()
        self._ended = False

    def offer(self, patch: Patch) -> None:
        """Add what changed; a place that still waits keeps only its latest bytes. Never waits itself."""
        self._whole = None if self._pending else patch
        self._pending.update(patch.places)
        if len(self._pending) > MOST_PLACES:
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
            if self._pending:
                yield self._take()

    def _take(self) -> bytes:
        patch = self._whole or Patch(dict(self._pending))
        self._whole = None
        self._pending.clear()
        return patch.message
