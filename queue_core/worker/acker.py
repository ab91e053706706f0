"""Tells the store how attempts ended."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from queue_core.backend import Backend
from queue_core.errors import StoreUnavailable
from queue_core.outcome import Ack, Errored, settle
from queue_core.task import Claim, Lease
from queue_core.worker.bell import Bell
from queue_core.worker.loop import Loop, Report
from queue_core.worker.scribe import Scribe
from queue_core.worker.tracebacks import error_info

MAX_BATCH: Final = 1_000
HURRY: Final = 1.0
"""Seconds that storing the last ends may take when the worker is told to stop at once."""
_log = logging.getLogger("prinia.worker")


class Acker:
    """Stores acks in batches: what gathers while one batch is being written is the next. While the store is away it keeps them."""

    def __init__(
        self, backend: Backend, *, scribe: Scribe | None, lost: Callable[[Claim], None], emptied: Callable[[], None], report: Report
    ) -> None:
        self._backend = backend
        self._scribe = scribe
        self._lost, self._emptied = lost, emptied
        self._waiting: list[tuple[Claim, Ack]] = []
        self._writing: list[tuple[Claim, Ack]] = []
        self._stored = Bell()
        self._deadline = float("inf")
        self._hurried = False
        self._dropped = False
        self._loop = Loop("acker", self._flush, report=report)
        self.wake = self._loop.wake

    def __len__(self) -> int:
        return len(self._waiting) + len(self._writing)

    @property
    def leases(self) -> set[Lease]:
        """The leases whose end is not stored yet."""
        return {claim.lease for claim, _ in (*self._waiting, *self._writing)}

    def start(self) -> None:
        """Begin to store."""
        self._loop.start()

    def put(self, claim: Claim, ack: Ack) -> None:
        """Store ``ack`` soon."""
        if not self._waiting:
            self.wake()
        self._waiting.append((claim, ack))

    def drop(self) -> None:
        """Forget what is not stored, because its leases are lost."""
        self._dropped = True
        for claim, _ in self._waiting:
            self._lost(claim)
        self._waiting.clear()

    async def drain(self, timeout: float) -> None:
        """Wait until everything is stored, at most ``timeout`` seconds; what is left then is for the rescuers."""
        clock = asyncio.get_running_loop()
        self._deadline = clock.time() + (min(timeout, HURRY) if self._hurried else timeout)
        while len(self) and clock.time() < self._deadline:
            await self._stored.wait(self._deadline - clock.time())
        await self._loop.stop(grace=max(0.0, self._deadline - clock.time()))
        if len(self) and not self._dropped:
            _log.error("The ends of %d attempts could not be stored before the worker ended; their tasks will be rescued and run again.", len(self))

    def hurry(self) -> None:
        """Let a ``drain`` take a second at most: from now if it is under way, else from its beginning."""
        self._hurried = True
        self._deadline = min(self._deadline, asyncio.get_running_loop().time() + HURRY)
        self._stored.ring()

    async def _flush(self) -> float | None:
        self._writing, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        try:
            await self._write(self._writing)
        except BaseException:
            self._waiting = self._writing + self._waiting
            raise
        finally:
            self._writing = []
        if self._waiting:
            return 0.0
        self._stored.ring()
        self._emptied()
        return None

    async def _write(self, batch: list[tuple[Claim, Ack]]) -> None:
        if not batch:
            return
        if self._scribe is not None and self._scribe.is_busy:
            await self._scribe.flush()  # whoever sees that a task has ended can read all that it logged
        try:
            held = await self._backend.ack([ack for _, ack in batch])
        except StoreUnavailable:
            raise
        except Exception as error:
            # something in the batch cannot be stored; alone, it harms only itself
            held = [await self._write_alone(claim, ack, error) for claim, ack in batch]
        for (claim, _), held_it in zip(batch, held, strict=True):
            if not held_it:
                self._lost(claim)

    async def _write_alone(self, claim: Claim, ack: Ack, error: Exception) -> bool:
        for attempt in (ack, _unstorable(claim, ack, error)):
            try:
                return (await self._backend.ack([attempt]))[0]
            except StoreUnavailable:
                raise
            except Exception as refusal:
                error = refusal
        _log.error("The end of task %s (%s) cannot be stored: %s", claim.id, claim.name, error, exc_info=error)
        return True


def _unstorable(claim: Claim, ack: Ack, error: Exception) -> Ack:
    """What is stored in place of an ack that the store refuses: a failure that says so."""
    info = replace(error_info(error), traceback="")
    return settle(claim.lease, Errored(info), attempt=claim.attempt, max_attempts=claim.attempt, ran_for=ack.ran_for)
