"""Open pages, without the browsers: connections that read a live view and note when something came."""

import asyncio
import time
from urllib.parse import quote

PATCH = b"event: patch"
AT_ONCE = 50
"""Connections opened at the same time."""


class Viewer(asyncio.Protocol):
    """One reader. After ``expect`` it notes the time of the next patch."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._tail = b""
        self.first = asyncio.get_running_loop().create_future()
        self.lost = False
        self.came: float | None = None
        self.bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note the first patch since ``expect``."""
        self.bytes += len(data)
        if PATCH in self._tail + data and self.came is None:
            self.came = time.monotonic()
            if not self.first.done():
                self.first.set_result(None)
        self._tail = data[-len(PATCH) :]

    def connection_lost(self, exc: Exception | None) -> None:
        """The stream ended."""
        self.lost = True
        if not self.first.done():
            self.first.set_exception(ConnectionError(f"The stream ended before it began: {self._tail!r}"))

    def expect(self) -> None:
        """Forget what came."""
        self.came = None


async def connect(port: int, view: str, number: int) -> list[Viewer]:
    """``number`` readers of ``view``, each of which has got the whole view."""
    request = f"GET /live?view={quote(view, safe='')} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
    viewers: list[Viewer] = []
    loop = asyncio.get_running_loop()
    while len(viewers) < number:
        some = [loop.create_connection(lambda: Viewer(request), "127.0.0.1", port) for _ in range(min(AT_ONCE, number - len(viewers)))]
        viewers += [protocol for _, protocol in await asyncio.gather(*some)]
        await asyncio.wait_for(asyncio.gather(*(viewer.first for viewer in viewers)), 30)
    return viewers


async def delays(viewers: list[Viewer], since: float, patience: float = 5.0) -> list[float]:
    """Seconds from ``since`` until each reader got a patch. Raises TimeoutError for readers that got none."""
    deadline = time.monotonic() + patience
    while any(viewer.came is None for viewer in viewers):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{sum(viewer.came is None for viewer in viewers)} of {len(viewers)} viewers got no news in {patience:.0f} s.")
        await asyncio.sleep(0.02)
    return [viewer.came - since for viewer in viewers if viewer.came is not None]
