"""Adding up what transactions changed in the numbers: about once a second, by whichever process comes first."""

import asyncio
import logging
import random
from typing import Any, Final

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.binding import compiled
from queue_core.backends.postgres.line import Line
from queue_core.errors import PriniaError

_log = logging.getLogger("prinia.postgres")

EVERY: Final = 1.0
"""Seconds between a change and its being added up, give or take a half."""
AT_ONCE: Final = 20_000
"""How many rows of the log one transaction adds up at most."""


class Folding:
    """Adds up soon after this process changed something."""

    def __init__(self, line: Line, address: Address) -> None:
        self._line, self._address = line, address
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def soon(self) -> None:
        """Something changed."""
        self._again = True
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Leave what is not added up to others; it counts all the same."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._again:
                await asyncio.sleep(EVERY * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
                self._again = False
                await self.fold()
        except PriniaError as error:
            _log.debug("The numbers of the store %s could not be added up; the next change tries again: %s", self._address.shown, error)
        finally:
            self._task = None

    async def fold(self) -> None:
        """Add up what is there, unless another process is at it. Raises StoreUnavailable."""
        taken: Any = AT_ONCE
        while taken == AT_ONCE:
            async with self._line.hold() as connection:
                taken = await connection.fetchval(compiled("fold", self._address.schema)[0], AT_ONCE)
