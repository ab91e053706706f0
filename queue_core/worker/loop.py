"""The one loop object that every moving part of a worker uses."""

import asyncio
from collections.abc import Awaitable, Callable

from queue_core.backoff import Retry
from queue_core.worker.bell import Bell

Step = Callable[[], Awaitable[float | None]]
"""Does one round; gives the seconds to the next, or None to wait until woken."""
Report = Callable[[str, BaseException], None]

TROUBLE = Retry(backoff="exponential", min=0.05, max=5.0, jitter=0.5)
"""The pause after failed rounds in a row."""


class Loop:
    """Repeats ``step`` until stopped. An error of a round is reported, and followed by a growing, jittered pause; it ends nothing."""

    def __init__(self, name: str, step: Step, *, report: Report) -> None:
        self.name = name
        self._step = step
        self._report = report
        self._bell = Bell()
        self._failures = 0
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def is_troubled(self) -> bool:
        """Whether its last round failed."""
        return self._failures > 0

    def start(self) -> None:
        """Begin, with a first round at once."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"prinia-{self.name}")

    def wake(self) -> None:
        """Do the next round now; does not shorten the pause after an error."""
        self._bell.ring()

    async def stop(self, *, grace: float = 0.0) -> None:
        """End. A round that is under way may take ``grace`` seconds more, then it is cancelled."""
        self._stopping = True
        self._bell.ring()
        if self._task is None:
            return
        if grace > 0:
            await asyncio.wait([self._task], timeout=grace)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not self._stopping:
            try:
                pause = await self._step()
            except BaseException as error:  # whatever a round raises, the next one may succeed
                if isinstance(error, KeyboardInterrupt) or _is_cancelled():
                    raise
                await self._after(error)
            else:
                self._failures = 0
                if pause is None or pause > 0:
                    await self._bell.wait(pause)

    async def _after(self, error: BaseException) -> None:
        self._failures += 1
        self._report(self.name, error)
        await asyncio.sleep(TROUBLE.delay(self._failures))


def _is_cancelled() -> bool:
    """Whether somebody cancels this task, and not only something in it says so."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
