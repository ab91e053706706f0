"""Follows the polling strategies of a worker for one of its lives."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final

from queue_core.errors import words
from queue_core.polling import DEFAULT_POLL, Interval, Strategy
from queue_core.streams import each
from queue_core.worker.bell import Bell

FALLBACK: Final = Interval(DEFAULT_POLL)
"""What is done in place of a strategy that failed or ended."""
HASTE: Final = 0.001
"""Seconds after a look within which a strategy asks for the next one without a pause."""
PATIENCE: Final = 100
"""How many looks that brought nothing a strategy may ask for in a row without a pause."""
REST: Final = 0.005
"""Seconds between such looks from then on."""
_log = logging.getLogger("prinia.worker")


class Looks:
    """The looks of a worker as one of its strategies sees them: ``polling.PollContext``."""

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self.claimed = 0
        self._loop = asyncio.get_running_loop()
        self._at = self._answered = self._loop.time()
        self._hasty = 0
        self.slowed_down = False
        """Whether it was said that its strategy is too hasty."""
        self._looked, self._found = Bell(), Bell()

    @property
    def quiet_for(self) -> float:
        """Seconds since the last look."""
        return self._loop.time() - self._at

    async def work(self, timeout: float) -> bool:
        """Wait until a look brings work after one that brought none."""
        return await self._found.wait(timeout)

    async def next(self, ask: Callable[[], None]) -> None:
        """Ask for a look, and wait until there was one."""
        await self._looked.wait(0.0)  # forget those before
        ask()
        await self._looked.wait()
        self._answered = self._loop.time()

    def is_too_hasty(self) -> bool:
        """Whether one look after the other is asked for, although they bring nothing; to be asked at each moment."""
        at_once = self._loop.time() - self._answered < HASTE
        self._hasty = self._hasty + 1 if at_once and not self.claimed else 0
        return self._hasty > PATIENCE

    def looked(self, claimed: int, again: bool) -> None:
        """The worker looked, and claimed so many tasks. ``again``: it was asked to look while it did, so that this look is not the one asked for."""
        if claimed and not self.claimed:
            self._found.ring()
        self.claimed = claimed
        self._at = self._loop.time()
        if not again:
            self._looked.ring()


class Poller:
    """Calls ``look`` whenever one of ``strategies`` says so."""

    def __init__(self, strategies: Sequence[Strategy], *, worker: str, look: Callable[[], None]) -> None:
        self._strategies = [(strategy, Looks(worker)) for strategy in strategies]
        self._worker = worker
        self._look = look
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin every strategy anew."""
        self._tasks = [asyncio.create_task(self._follow(*one), name="prinia-poller") for one in self._strategies]

    def looked(self, claimed: int, again: bool) -> None:
        """The worker looked, and claimed so many tasks; ``again``: it was asked for another look meanwhile."""
        for _, looks in self._strategies:
            looks.looked(claimed, again)

    async def stop(self, *, grace: float) -> None:
        """End; a strategy may take ``grace`` seconds for its clean-up."""
        for task in self._tasks:
            task.cancel()
        if self._tasks and (await asyncio.wait(self._tasks, timeout=grace))[1]:
            _log.warning("A polling strategy of worker %s did not end within %g s; it is left behind.", self._worker, grace)

    async def _follow(self, strategy: Strategy, looks: Looks) -> None:
        told = "ended"
        try:
            async with aclosing(each(strategy.moments(looks))) as moments:
                async for _ in moments:
                    if looks.is_too_hasty():
                        await self._slow_down(strategy, looks)
                    await looks.next(self._look)
        except BaseException as error:  # whatever it raises, the worker must go on to look
            task = asyncio.current_task()
            if isinstance(error, KeyboardInterrupt) or (task is not None and task.cancelling()):
                raise
            told = f"failed ({type(error).__name__}: {words(error)})"
        _log.error("The polling strategy %r of worker %s %s; it is replaced by %r.", strategy, self._worker, told, FALLBACK)
        await self._follow(FALLBACK, looks)

    async def _slow_down(self, strategy: Strategy, looks: Looks) -> None:
        if not looks.slowed_down:
            told = "The polling strategy %r of worker %s asks for one look after the other, which bring nothing; it is slowed down."
            _log.warning(told, strategy, self._worker)
        looks.slowed_down = True
        await asyncio.sleep(REST)
