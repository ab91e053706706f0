"""A bell: rung from the event loop, heard once by the one who waits."""

import asyncio


class Bell:
    """Remembers one ring. Far cheaper than ``asyncio.wait_for(event.wait(), …)``, which makes a task each time."""

    __slots__ = ("_rung", "_waiter")

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[bool] | None = None

    def ring(self) -> None:
        """Wake who waits, or let the next wait return at once."""
        self._rung = True
        _answer(self._waiter, True)

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait for a ring since the last wait, or for ``timeout`` seconds. Whether it rang."""
        if not self._rung and (timeout is None or timeout > 0):
            loop = asyncio.get_running_loop()
            waiter = self._waiter = loop.create_future()
            timer = None if timeout is None else loop.call_later(timeout, _answer, waiter, False)
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        rung, self._rung = self._rung, False
        return rung


def _answer(waiter: "asyncio.Future[bool] | None", rung: bool) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(rung)
