"""Acks of all workers of a process, carried together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from queue_core.backends.postgres.binding import column, compiled, storable
from queue_core.backends.postgres.courier import Courier
from queue_core.backends.postgres.failures import LOST
from queue_core.backends.postgres.line import Line
from queue_core.backends.relational.leases import LONGEST_DELAY
from queue_core.backends.relational.tally import Changes
from queue_core.errors import StoreUnavailable
from queue_core.expose import queue_topic
from queue_core.outcome import Ack
from queue_core.status import FINAL
from queue_core.task import Lease

MOST_ACKS: Final = 1_000
"""How many acks one statement stores at most, unless one caller brings more."""


@dataclass(slots=True)
class _Acks:
    """What one caller brings."""

    acks: Sequence[Ack]
    future: "asyncio.Future[list[bool]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Acker:
    """Stores how attempts ended. ``clock`` gives the time of a test's clock, or None for the server's. ``told`` hears of what was committed.

    ``limited``: queues in which an end lets another task in.
    """

    def __init__(self, line: Line, clock: Callable[[], int | None], told: Callable[[Changes, bool], None], limited: set[str]) -> None:
        self._line, self._clock, self._told, self._limited = line, clock, told, limited
        self._courier: Courier[_Acks] = Courier(self._carry)
        self._in_doubt: set[Lease] = set()
        self.close = self._courier.close

    async def ack(self, acks: Sequence[Ack]) -> list[bool]:
        """Store how attempts ended; see ``Backend.ack``."""
        if not acks:
            return []
        asked = _Acks(acks)
        self._courier.post(asked)
        return await asked.future

    async def _carry(self, waiting: deque[_Acks]) -> None:
        batch = _take(waiting)
        try:
            await self._store(batch)
        except StoreUnavailable as error:
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
            else:
                for each in batch:  # what cannot be stored harms only itself
                    await self._carry(deque([each]))

    async def _store(self, batch: Sequence[_Acks]) -> None:
        asked = _in_order(batch)
        sql, _ = compiled("ack", self._line.schema)
        try:
            [answer] = await self._line.fetch(sql, self._clock(), *_columns(asked, self._in_doubt))
        except StoreUnavailable as error:
            if isinstance(error.__cause__, LOST):
                self._in_doubt.update(ack.lease for ack in asked)
            raise
        self._in_doubt.difference_update(ack.lease for ack in asked)
        held = {asked[place - 1].lease for place in answer["held"] or ()}
        for each in batch:
            if not each.future.done():
                each.future.set_result([_take_once(held, ack.lease) for ack in each.acks])
        self._tell(asked, answer)

    def _tell(self, asked: Sequence[Ack], answer: Any) -> None:
        ended = {ack.lease.id for ack in asked if ack.status in FINAL}.union(answer["ended"] or ())
        work = frozenset(answer["worked"] or ()).union(self._limited.intersection(answer["touched"] or ()))
        topics = {queue_topic(queue): 0 for queue in answer["touched"] or ()}
        self._told(Changes(topics, work=work, ended=frozenset(ended)), not work)


def _take(waiting: deque[_Acks]) -> list[_Acks]:
    """The next batch: what fits into one statement."""
    batch = [waiting.popleft()]
    n = len(batch[0].acks)
    while waiting and n + len(waiting[0].acks) <= MOST_ACKS:
        batch.append(waiting.popleft())
        n += len(batch[-1].acks)
    return batch


def _in_order(batch: Sequence[_Acks]) -> list[Ack]:
    """All acks, each lease once, by task: in this order their rows are locked, so that no two statements wait for each other."""
    first = {ack.lease: ack for each in reversed(batch) for ack in reversed(each.acks)}
    return sorted(first.values(), key=_task_of)


def _task_of(ack: Ack) -> str:
    return ack.lease.id


def _take_once(held: set[Lease], lease: Lease) -> bool:
    """Whether ``lease`` held; of the same lease given twice, only the first does."""
    if lease not in held:
        return False
    held.remove(lease)
    return True


def _columns(acks: Sequence[Ack], doubted: set[Lease]) -> list[list[Any] | None]:
    """``acks`` as ``ack.sql`` takes them. What is rare is NULL where it is not so."""
    errors = [ack.error for ack in acks]
    columns: list[list[Any]] = [
        [ack.lease.id for ack in acks],
        [ack.lease.boot for ack in acks],
        [ack.lease.token for ack in acks],
        [ack.status for ack in acks],
        [ack.reason for ack in acks],
        [ack.outcome for ack in acks],
        [_us(min(ack.delay, LONGEST_DELAY)) or None for ack in acks],
        [not ack.uses_attempt or None for ack in acks],
        [_us(ack.ran_for) for ack in acks],
        [ack.result for ack in acks],
        [storable(error.line) if error else None for error in errors],
        [storable(error.type) if error else None for error in errors],
        [storable(error.message) if error else None for error in errors],
        [storable(error.traceback) if error else None for error in errors],
        [ack.lease in doubted or None for ack in acks],
    ]
    return [column(values) for values in columns]


def _fail(batch: Sequence[_Acks], error: Exception) -> None:
    for each in batch:
        if not each.future.done():
            each.future.set_exception(error)


def _us(seconds: float) -> int:
    """Microseconds."""
    return round(seconds * 1_000_000)
