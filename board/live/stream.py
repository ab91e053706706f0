"""The event stream as an HTTP response: sse-starlette, fed with bytes that were encoded once."""

import logging
from typing import Final, cast

import anyio
from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.types import Receive, Scope, Send

from board.live.hub import Hub, Key
from board.live.subscriber import Subscriber

logger = logging.getLogger("prinia.board")

PING: Final = 15
"""Seconds between signs of life, so that no proxy takes the stream for dead."""
SEND_TIMEOUT: Final = 10.0
"""Seconds after which a browser that reads nothing is dropped."""
FAREWELL: Final = 1.0
"""Seconds that a stream has to end by itself when the server shuts down."""


class Stream(EventSourceResponse):
    """One reader's stream. A reader that does not read is dropped without fuss."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, until either side ends it."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            logger.info("A live page did not read for %g s and was dropped; it will connect again.", self.send_timeout)


def live(hub: Hub, key: Key, *, send_timeout: float = SEND_TIMEOUT) -> Stream:
    """The stream of a view."""
    subscriber = Subscriber()
    return Stream(
        hub.messages(key, subscriber),
        ping=PING,
        sep="\n",
        send_timeout=send_timeout,
        shutdown_event=cast("anyio.Event", subscriber),  # only ``set`` is called
        shutdown_grace_period=FAREWELL,
    )
