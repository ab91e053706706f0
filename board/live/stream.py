"""The event stream as an HTTP response: bytes that were encoded once, and two asyncio tasks a reader."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from board.live.hub import Hub, Key
from board.live.subscriber import Subscriber

logger = logging.getLogger("prinia.board")

SEND_TIMEOUT: Final = 10.0
"""Seconds after which a browser that reads nothing is dropped."""
HEADERS: Final = {"Cache-Control": "no-store", "Connection": "keep-alive", "X-Accel-Buffering": "no"}


class Stream(StreamingResponse):
    """One reader's stream: until the messages end, the reader leaves, or it does not read."""

    def __init__(self, messages: AsyncGenerator[bytes, None], *, send_timeout: float = SEND_TIMEOUT) -> None:
        super().__init__(messages, headers=HEADERS, media_type="text/event-stream")
        self._messages = messages
        self._send_timeout = send_timeout
        self._is_over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, until either side ends it."""
        leaving = self._end_when_left(receive)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                await self._send_messages(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except _Unread:
            logger.info("A live page did not read for %g s and was dropped; it will connect again.", self._send_timeout)
        except asyncio.CancelledError:
            if not leaving.done() or _myself().uncancel():
                raise  # it is not the reader who left
        finally:
            self._is_over = True
            leaving.cancel()
            await self._messages.aclose()

    async def _send_messages(self, send: Send) -> None:
        async for message in self._messages:
            try:
                async with asyncio.timeout(self._send_timeout):
                    await send({"type": "http.response.body", "body": message, "more_body": True})
            except TimeoutError:
                raise _Unread from None

    def _end_when_left(self, receive: Receive) -> asyncio.Task[None]:
        """Wait for the reader to leave, and end this task then, whatever it waits for."""
        sending = _myself()

        def end(_: asyncio.Task[None]) -> None:
            if not self._is_over:
                sending.cancel()

        leaving = asyncio.create_task(_left(receive))
        leaving.add_done_callback(end)
        return leaving


class _Unread(Exception):
    """The reader does not read."""


def _myself() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def live(hub: Hub, key: Key, *, send_timeout: float = SEND_TIMEOUT) -> Stream:
    """The stream of a view."""
    return Stream(hub.messages(key, Subscriber()), send_timeout=send_timeout)
