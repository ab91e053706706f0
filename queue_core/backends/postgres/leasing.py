"""A worker's turns: the acks that wait and the next claim travel in one statement."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from queue_core.backend import Claims
from queue_core.backends import _rows
from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.binding import compiled, storable
from queue_core.backends.postgres.courier import Courier
from queue_core.backends.postgres.failures import DRIVER_ERRORS, LOST, REPEATABLE, explain
from queue_core.backends.postgres.line import Line
from queue_core.backends.relational.leases import LONGEST_DELAY
from queue_core.backends.relational.tally import Changes
from queue_core.errors import PriniaError, StoreUnavailable
from queue_core.expose import queue_topic
from queue_core.ids import BootId, QueueName
from queue_core.outcome import Ack
from queue_core.status import FINAL
from queue_core.task import Lease

MOST_ACKS: Final = 1_000
"""How many acks one turn stores at most, unless one caller brings more."""
TRIES: Final = 3
LOW_FROM: Final = 20
"""From how many tasks on a full claim is a backlog, of which the next claim skips what was taken."""
LOW_FOR: Final = 1.0
"""Seconds after which a claim looks at everything again, because something may have come in behind."""


class Low(NamedTuple):
    """Where a backlog begins: nothing due stands before it, as far as is known."""

    rank: int
    run_at: int
    seq: int


NO_LOW: Final = (None, None, None)


@dataclass(slots=True)
class _Acks:
    acks: Sequence[Ack]
    future: "asyncio.Future[list[bool]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(slots=True)
class _Claim:
    boot: BootId
    queues: Sequence[QueueName]
    names: Collection[str] | None
    limit: int
    start: int
    future: "asyncio.Future[Claims]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """Stores acks and claims tasks. ``clock`` gives the time of a test's clock, or None for the server's. ``told`` hears of what was
    committed; ``expire`` ends tasks whose time has passed.
    """

    def __init__(
        self,
        line: Line,
        address: Address,
        clock: Callable[[], int | None],
        told: Callable[[Changes, bool], None],
        expire: Callable[[], Awaitable[int]],
    ) -> None:
        self._line, self._address, self._clock, self._told, self._expire = line, address, clock, told, expire
        self._courier: Courier[_Acks | _Claim] = Courier(self._carry)
        self._low: dict[BootId, tuple[Low, float]] = {}
        self._in_doubt: set[Lease] = set()
        self.close = self._courier.close

    async def ack(self, acks: Sequence[Ack]) -> list[bool]:
        """Store how attempts ended; see ``Backend.ack``."""
        if not acks:
            return []
        asked = _Acks(acks)
        self._courier.post(asked)
        return await asked.future

    async def claim(self, boot: BootId, queues: Sequence[QueueName], names: Collection[str] | None, limit: int, start: int) -> Claims:
        """Lease due tasks; see ``Backend.claim``."""
        asked = _Claim(boot, queues, names, limit, start)
        self._courier.post(asked)
        return await asked.future

    def look_at_all(self) -> None:
        """Something may wait before the place where the backlog began."""
        self._low.clear()

    # --- one turn --------------------------------------------------------------------------------------

    async def _carry(self, waiting: deque[_Acks | _Claim]) -> None:
        await asyncio.sleep(0)  # what ends an attempt also frees a slot: let the claim for it come along
        acks, claim = _take(waiting)
        if not acks and claim is None:
            return
        try:
            await self._turn(acks, claim)
        except StoreUnavailable as error:
            _fail([*acks, claim], error)
        except Exception as error:
            if len(acks) + (claim is not None) == 1:
                _fail([*acks, claim], error)
            else:
                for alone in (*acks, claim):  # what cannot be stored harms only itself
                    if alone is not None:
                        await self._carry(deque([alone]))

    async def _turn(self, acks: Sequence[_Acks], claim: _Claim | None) -> None:
        asked = _in_order(acks)
        low = self._low_of(claim)
        rows = await self._ask(asked, claim, low)
        *leased, end = rows
        self._settle(acks, asked, end)
        if claim is not None:
            await self._hand_out(claim, leased, end, low)
        self._tell(asked, leased, end)

    async def _ask(self, asked: Sequence[Ack], claim: _Claim | None, low: Low | None) -> list[Any]:
        sql, _ = compiled("turn", self._address.schema)
        for remaining in reversed(range(TRIES)):
            try:
                async with self._line.raw() as connection:
                    doubted = [ack.lease in self._in_doubt for ack in asked]
                    rows: list[Any] = await connection.fetch(sql, self._clock(), *_columns(asked), doubted, *_wanted(claim), *(low or NO_LOW))
                    self._in_doubt.difference_update(ack.lease for ack in asked)
                    return rows
            except REPEATABLE as error:
                if not remaining:
                    raise explain(error, self._address) from error
            except StoreUnavailable:
                raise  # there was no connection to begin with
            except DRIVER_ERRORS as error:
                if isinstance(error, LOST):
                    self._in_doubt.update(ack.lease for ack in asked)
                raise explain(error, self._address) from error
        raise AssertionError

    def _settle(self, acks: Sequence[_Acks], asked: Sequence[Ack], end: Any) -> None:
        held = {asked[place - 1].lease for place in end["held"] or ()}
        for each in acks:
            if not each.future.done():
                each.future.set_result([_take_once(held, ack.lease) for ack in each.acks])

    async def _hand_out(self, claim: _Claim, leased: Sequence[Any], end: Any, low: Low | None) -> None:
        if end["overdue"]:
            with contextlib.suppress(PriniaError):  # the housekeeping does it too
                await self._expire()
        self._remember(claim, leased)
        tasks = [_rows.claim(row) for row in leased]
        due = None if end["next_due"] is None else max(0.0, end["next_due"] / 1_000_000)
        if low is not None and len(tasks) < claim.limit:
            due = 0.0  # look at once, at all of it
        if claim.future.done():
            return  # nobody waits for the answer any more; the worker gives back what it does not know of
        claim.future.set_result(Claims(tasks, due))

    def _tell(self, asked: Sequence[Ack], leased: Sequence[Any], end: Any) -> None:
        queues = {row["queue"] for row in leased}.union(end["touched"] or ())
        ended = {ack.lease.id for ack in asked if ack.status in FINAL}.union(end["ended"] or ())
        work = frozenset(end["worked"] or ())
        self._told(Changes({queue_topic(queue): 0 for queue in queues}, work=work, ended=frozenset(ended)), not work)

    # --- where the backlog begins ------------------------------------------------------------------------

    def _low_of(self, claim: _Claim | None) -> Low | None:
        if claim is None or claim.boot not in self._low:
            return None
        low, until = self._low[claim.boot]
        if asyncio.get_running_loop().time() < until:
            return low
        del self._low[claim.boot]
        return None

    def _remember(self, claim: _Claim, leased: Sequence[Any]) -> None:
        """After a full claim of a backlog, where it began; after any other, nothing."""
        if len(leased) < max(claim.limit, LOW_FROM):
            self._low.pop(claim.boot, None)
            return
        first = leased[0]
        _, until = self._low.get(claim.boot, (None, asyncio.get_running_loop().time() + LOW_FOR))
        self._low[claim.boot] = Low(-first["priority"], first["run_at"], first["seq"]), until


def _take(waiting: deque[_Acks | _Claim]) -> tuple[list[_Acks], _Claim | None]:
    """The next turn: the acks that fit into it, and the first claim. What nobody awaits any more is left out, but for acks."""
    acks: list[_Acks] = []
    claim: _Claim | None = None
    rest: list[_Acks | _Claim] = []
    n = 0
    while waiting:
        item = waiting.popleft()
        if isinstance(item, _Acks) and (not acks or n + len(item.acks) <= MOST_ACKS):
            acks.append(item)
            n += len(item.acks)
        elif isinstance(item, _Claim) and claim is None:
            claim = None if item.future.cancelled() else item
        else:
            rest.append(item)
    waiting.extend(rest)
    return acks, claim


def _in_order(acks: Sequence[_Acks]) -> list[Ack]:
    """All acks, each lease once, by task: in this order their rows are locked, so that no two turns wait for each other."""
    first = {ack.lease: ack for each in reversed(acks) for ack in reversed(each.acks)}
    return sorted(first.values(), key=_task_of)


def _task_of(ack: Ack) -> str:
    return ack.lease.id


def _take_once(held: set[Lease], lease: Lease) -> bool:
    """Whether ``lease`` held; of the same lease given twice, only the first does."""
    if lease not in held:
        return False
    held.remove(lease)
    return True


def _columns(acks: Sequence[Ack]) -> list[list[Any]]:
    """``acks`` as ``prinia_turn`` takes them."""
    errors = [ack.error for ack in acks]
    return [
        [ack.lease.id for ack in acks],
        [ack.lease.boot for ack in acks],
        [ack.lease.token for ack in acks],
        [ack.status for ack in acks],
        [ack.reason for ack in acks],
        [ack.outcome for ack in acks],
        [_us(min(ack.delay, LONGEST_DELAY)) for ack in acks],
        [ack.uses_attempt for ack in acks],
        [_us(ack.ran_for) for ack in acks],
        [ack.result for ack in acks],
        [storable(error.line) if error else None for error in errors],
        [storable(error.type) if error else None for error in errors],
        [storable(error.message) if error else None for error in errors],
        [storable(error.traceback) if error else None for error in errors],
    ]


def _wanted(claim: _Claim | None) -> tuple[Any, ...]:
    """``claim`` as ``prinia_turn`` takes it."""
    if claim is None:
        return None, [], None, 0, 0
    names = None if claim.names is None else sorted(claim.names)
    return claim.boot, [storable(queue) for queue in claim.queues], names, claim.limit, claim.start


def _fail(items: Sequence[_Acks | _Claim | None], error: Exception) -> None:
    for item in items:
        if item is not None and not item.future.done():
            item.future.set_exception(error)


def _us(seconds: float) -> int:
    """Microseconds."""
    return round(seconds * 1_000_000)
