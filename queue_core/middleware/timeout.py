"""A time limit for each try."""

import asyncio
from dataclasses import dataclass
from typing import Any

from queue_core.errors import TaskTimeout
from queue_core.middleware import Call, Next
from queue_core.task import check_period


@dataclass(frozen=True, slots=True)
class Timeout:
    """Stops what follows after ``seconds``, and raises TaskTimeout, which is a failure like others: ``[Retries(3), Timeout(5)]`` tries again.

    The time limit of the task itself, ``@app.task(timeout=30)``, is another one: it counts the whole attempt, and nothing is tried after it.
    Plain functions are stopped in their threads and processes as by that. What a handler returns after it was stopped does not count.

    Raises InvalidValue unless ``seconds`` is a number above zero.

    >>> Timeout(5).seconds
    5
    """

    seconds: float

    def __post_init__(self) -> None:
        check_period("seconds", self.seconds)

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, within the limit."""
        limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                result = await next(call)
        except Exception as error:
            if limit.expired():
                raise TaskTimeout(self.seconds) from error
            raise
        if limit.expired():
            raise TaskTimeout(self.seconds)
        return result
