"""The write contract on functions and a ledger."""

from collections.abc import Collection, Sequence
from datetime import datetime

from queue_core.backend import Capabilities, Claims, Wakeups
from queue_core.backends.custom.source import Source
from queue_core.backends.memory.backend import MemoryBackend
from queue_core.backends.memory.session import Session
from queue_core.ids import BootId, QueueName
from queue_core.outcome import Ack
from queue_core.schedule import DueSchedule
from queue_core.task import NewTask, Pushed


class CustomBackend(MemoryBackend):
    """``Backend``: what waits is in a source, what this process knows of it in a ledger, which the inherited methods speak to."""

    def __init__(self, session: Session, source: Source, capabilities: Capabilities, *, poll: float) -> None:
        super().__init__(session, capabilities)
        self._source = source
        self._poll = poll

    async def close(self) -> None:
        """Give back what waits here, if this is the last event loop, and end access."""
        if self._session.is_last():
            await self._source.give_back()
        await super().close()

    async def push(self, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Store tasks, all or none."""
        return await self._source.push(tasks)

    async def claim(self, boot: BootId, queues: Sequence[QueueName], *, names: Collection[str] | None, limit: int, start: int = 0) -> Claims:
        """Lease due tasks, in order, of those that were taken out."""
        await self._source.tell()
        await self._source.fill(queues, limit)
        return await super().claim(boot, queues, names=names, limit=limit, start=start)

    async def ack(self, acks: Sequence[Ack]) -> list[bool]:
        """Store how attempts ended, and tell the source which tasks did."""
        held = await super().ack(acks)
        try:
            await self._source.tell()
        except Exception:  # noqa: S110 - it is stored here; the next claim tells again, and raises what keeps failing
            pass
        return held

    async def fire(self, due: DueSchedule, tasks: Sequence[tuple[datetime, NewTask]], next_tick: datetime | None) -> bool:
        """Push the task of each tick, if nobody did."""
        return await self._source.fire(due, tasks, next_tick)

    def wakeups(self, boot: BootId, queues: Sequence[QueueName]) -> Wakeups:
        """Wake-ups for one worker: by what happens in this process, and every few moments for what others may have done."""
        return _Polling(super().wakeups(boot, queues), self._poll)


class _Polling:
    """Wake-ups that also come by themselves."""

    def __init__(self, inner: Wakeups, every: float) -> None:
        self._inner = inner
        self._every = every

    async def __aenter__(self) -> "_Polling":
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._inner.__aexit__(*exc)

    async def wait(self, timeout: float | None) -> bool:
        """Wait until something happened, or may have."""
        if timeout is not None and timeout <= self._every:
            return await self._inner.wait(timeout)
        await self._inner.wait(self._every)
        return True
