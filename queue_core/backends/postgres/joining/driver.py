"""What differs between the drivers whose transactions can be joined."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from queue_core.backends.postgres.joining.refusals import Complaint
from queue_core.backends.postgres.joining.talk import Talk
from queue_core.task import Pushed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Driver:
    """One kind of connection."""

    join: Callable[[Any, Talk], Awaitable[list[Pushed]]]
    """Has the talk on a connection. Raises ``errors``, and InvalidValue for a connection that cannot be joined."""
    errors: tuple[type[Exception], ...]
    """What the driver raises."""
    complaint: Callable[[Exception], Complaint]
    """What one of ``errors`` says."""


async def in_a_thread(call: Callable[[], T]) -> T:
    """The result of ``call``, which blocks. Even when cancelled this waits for its end, because the caller goes on with the connection."""
    calling = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        await asyncio.wait([calling])
        raise
