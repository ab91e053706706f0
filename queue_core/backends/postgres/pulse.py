"""Heartbeats: a connection of their own in a thread of their own, so that neither a blocked event loop nor busy connections stop them."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any, Final

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.binding import arguments, compiled
from queue_core.backends.postgres.line import Line
from queue_core.errors import StoreUnavailable
from queue_core.worker_info import Beat, BeatReply

BEAT_LIMIT: Final = 4.0
"""Seconds that one heartbeat may take."""
EVERYBODY: Final = '{"t": ["workers"]}'


class Pulse:
    """Stores heartbeats from any thread. ``clock`` gives the time of a test's clock, or None for the server's."""

    def __init__(self, address: Address, clock: Callable[[], int | None]) -> None:
        self._address, self._clock = address, clock
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Begin to connect, so that the connection is there when others are scarce."""
        self._submit(self._connect)

    def beat(self, beat: Beat) -> BeatReply:
        """Renew the leases of a process life; blocks. Raises StoreUnavailable."""
        try:
            return BeatReply(alive=self._submit(lambda: self._store(beat)).result(BEAT_LIMIT + 1.0))
        except TookTooLong:
            raise StoreUnavailable(f"The store {self._address.shown} did not answer within {BEAT_LIMIT:g} s. It will be tried again.") from None

    def close(self) -> None:
        """End the thread; blocks until that is done."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            with contextlib.suppress(TookTooLong):  # a beat that hangs in there ends with the thread
                asyncio.run_coroutine_threadsafe(self._line.close(), loop).result(BEAT_LIMIT)
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()

    def _submit(self, work: Callable[[], Any]) -> "Future[Any]":
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._line = Line(self._address, "heartbeat", limit=BEAT_LIMIT)
                self._thread = threading.Thread(target=_run, args=(self._loop,), name="prinia-pulse", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work(), self._loop)

    async def _connect(self) -> None:
        await self._line.open()

    async def _store(self, beat: Beat) -> bool:
        sql, parameters = compiled("heartbeat", self._address.schema)
        values = {
            "boot": beat.boot,
            "state": beat.state.value,
            "running": beat.running,
            "rss": beat.rss,
            "cpu": beat.cpu,
            "now": self._clock(),
            "channel": self._address.schema,
            "message": EVERYBODY,
        }
        async with self._line.hold() as connection:
            return bool(await connection.fetch(sql, *arguments(parameters, values)))


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
