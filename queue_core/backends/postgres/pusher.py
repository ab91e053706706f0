"""Pushes of many callers, carried together."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.courier import Courier
from queue_core.backends.postgres.failures import DRIVER_ERRORS, LOST, REPEATABLE, explained, is_unstorable
from queue_core.backends.postgres.line import Connection, Line
from queue_core.backends.postgres.producing import Stored, fetch, is_ruled, store
from queue_core.backends.relational.tally import QUEUES, Changes
from queue_core.errors import InvalidValue, StoreUnavailable
from queue_core.expose import queue_topic
from queue_core.task import NewTask, Pushed

MOST_ROWS: Final = 1_000
"""How many tasks one statement stores at most, unless one caller brings more."""
PATIENCE: Final = 5.0
"""Seconds for which a push is tried again while the server is away."""
LOCK_LIMIT: Final = 0.05
"""Seconds that a push may wait for the transaction of another, as one that pushed the same key, before it lets the others of its process go first."""
_SHORTEST, _LONGEST = 0.05, 0.5


@dataclass(slots=True)
class _Push:
    """What one caller brings."""

    tasks: Sequence[NewTask]
    future: "asyncio.Future[list[Pushed]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    in_doubt: bool = False
    """A connection broke while it was under way, so it may be stored."""
    ruled: bool = False
    """A key has rules, so its tasks are stored one by one; others do not wait for that."""
    blocked_since: float | None = None
    """When it was first in the way of another transaction; from then on it travels alone."""

    def goes_with(self, other: "_Push") -> bool:
        """Whether one statement may store both."""
        return self.ruled == other.ruled and self.blocked_since is other.blocked_since is None


class Pusher:
    """Stores new tasks. ``clock`` gives the time of a test's clock, or None for the server's. ``told`` hears of what was committed, ``speak`` tells
    other processes of it before the push returns.
    """

    def __init__(
        self,
        line: Line,
        address: Address,
        clock: Callable[[], int | None],
        told: Callable[[Changes, bool], None],
        speak: Callable[[Connection], Awaitable[None]],
    ) -> None:
        self._line, self._address, self._clock, self._told, self._speak = line, address, clock, told, speak
        self._courier: Courier[_Push] = Courier(self._carry)
        self._put_off: set[asyncio.Future[list[Pushed]]] = set()
        """What callers wait for whose pushes are in the way of another transaction."""

    async def push(self, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store ``tasks``, all or none; see ``Backend.push``."""
        if not tasks:
            return []
        push = _Push(tasks, ruled=is_ruled(tasks))
        self._courier.post(push)
        return await push.future

    async def close(self) -> None:
        """Wait until everything is carried."""
        while self._put_off:
            await asyncio.wait(self._put_off)
        await self._courier.close()

    async def _carry(self, waiting: deque[_Push]) -> None:
        batch = _take(waiting)
        if not batch:
            return
        try:
            with explained(self._address):
                await self._store(batch)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                await self._go_round(batch, error)
            else:
                _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
            else:
                await self._store_one_by_one(batch)

    async def _go_round(self, batch: Sequence[_Push], error: StoreUnavailable) -> None:
        """One of ``batch`` waits for another transaction: that without keys is stored first, each of the rest alone and later."""
        keyed = [push for push in batch if any(task.key is not None for task in push.tasks)] or batch
        for push in keyed:
            self._put_it_off(push, error)
        free = deque(push for push in batch if push.blocked_since is None)
        if free:
            await self._carry(free)

    def _put_it_off(self, push: _Push, error: StoreUnavailable) -> None:
        """Try ``push`` again in a moment, unless it was tried for long enough."""
        clock = asyncio.get_running_loop()
        push.blocked_since = push.blocked_since or clock.time()
        if clock.time() - push.blocked_since > PATIENCE:
            _fail([push], error)
            return
        self._put_off.add(push.future)
        push.future.add_done_callback(self._put_off.discard)
        clock.call_later(_LONGEST * random.uniform(0.5, 1.0), self._courier.post, push)  # noqa: S311 - not a secret

    async def _store_one_by_one(self, batch: Sequence[_Push]) -> None:
        """Something in the batch cannot be stored; alone, it harms only itself."""
        for push in batch:
            await self._carry(deque([push]))

    async def _store(self, batch: Sequence[_Push]) -> None:
        """Store a batch, with patience. Raises StoreUnavailable or the driver's errors, and InvalidValue for what no try can store."""
        clock = asyncio.get_running_loop()
        deadline, pause = clock.time() + PATIENCE, _SHORTEST
        while True:
            try:
                return await self._try(batch)
            except DRIVER_ERRORS as error:
                if is_unstorable(error):
                    raise InvalidValue(f"The tasks cannot be stored: {error}.") from error
                never_sent = isinstance(error, StoreUnavailable)  # there was no connection to begin with
                if clock.time() > deadline or not (never_sent or isinstance(error, (*LOST, *REPEATABLE))):
                    raise
                if not never_sent:
                    for push in batch:
                        push.in_doubt = push.in_doubt or isinstance(error, LOST)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
            pause = min(pause * 2, _LONGEST)

    async def _try(self, batch: Sequence[_Push]) -> None:
        tasks = [task for push in batch for task in push.tasks] if len(batch) > 1 else batch[0].tasks
        async with self._line.raw() as connection:
            try:
                stored = await store(connection, self._address.schema, tasks, self._clock())
            except asyncpg.UniqueViolationError as error:
                if len(batch) > 1 or not (found := await self._stored_before(connection, batch[0])):
                    raise _taken(error) from error
                stored = Stored(found, named=False)
            self._told(_changes(tasks, stored.named), not batch[0].ruled and all(task.run_at is None for task in tasks))
            await self._speak(connection)
        _deliver(batch, stored.pushed)

    async def _stored_before(self, connection: Connection, push: _Push) -> list[Pushed]:
        """What an earlier try stored whose answer was lost; empty when it stored nothing."""
        if not push.in_doubt:
            return []
        found = await fetch(connection, self._address.schema, [task.id for task in push.tasks])
        return [Pushed(task=found[task.id]) for task in push.tasks] if len(found) == len(push.tasks) else []


def _take(waiting: deque[_Push]) -> list[_Push]:
    """The next batch: what fits into one statement, and is still awaited."""
    batch: list[_Push] = []
    rows = 0
    while waiting and (not batch or (rows + len(waiting[0].tasks) <= MOST_ROWS and waiting[0].goes_with(batch[0]))):
        push = waiting.popleft()
        if not push.future.cancelled():
            batch.append(push)
            rows += len(push.tasks)
    return batch


def _deliver(batch: Sequence[_Push], stored: Sequence[Pushed]) -> None:
    place = 0
    for push in batch:
        own = stored[place : place + len(push.tasks)]
        place += len(push.tasks)
        if not push.future.done():
            push.future.set_result([_own(new, each) for new, each in zip(push.tasks, own, strict=True)] if push.in_doubt else list(own))


def _own(new: NewTask, stored: Pushed) -> Pushed:
    """A task that has the key of ``new`` because an earlier try stored it is no other."""
    return Pushed(task=stored.task) if not stored.created and stored.task.id == new.id else stored


def _fail(batch: Sequence[_Push], error: Exception) -> None:
    for push in batch:
        if not push.future.done():
            push.future.set_exception(error)


def _changes(tasks: Sequence[NewTask], named: bool) -> Changes:
    queues = frozenset(task.queue for task in tasks)
    topics = {queue_topic(queue) for queue in queues} | ({QUEUES} if named else set())
    return Changes(dict.fromkeys(topics, 0), work=queues)


def _taken(error: asyncpg.UniqueViolationError) -> InvalidValue:
    id = str(getattr(error, "detail", "")).partition("=(")[2].partition(")")[0] or "of another"
    return InvalidValue(f"id must be new, but a task has the id {id} already. Leave the id out, or use key= to push a task only once.")
