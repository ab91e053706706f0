"""The read-and-act contract on functions and a ledger."""

from collections.abc import Mapping, Sequence

from queue_core.backends.custom.source import Source
from queue_core.backends.memory import scheduling
from queue_core.backends.memory.expose import MemoryExpose, record_push
from queue_core.backends.memory.session import Session
from queue_core.capabilities import Capabilities
from queue_core.codec import Codec
from queue_core.expose import Actor, Report
from queue_core.ids import TaskId
from queue_core.task import NewTask, Pushed


class CustomExpose(MemoryExpose):
    """``Expose`` of what this process pushed or took out."""

    def __init__(self, session: Session, codecs: Mapping[str, Codec], capabilities: Capabilities, source: Source, kind: str) -> None:
        super().__init__(session, codecs, capabilities, kind=kind)
        self._source = source

    async def push(self, tasks: Sequence[NewTask], *, actor: Actor) -> list[Pushed]:
        """Store tasks, recorded in the audit."""
        pushed = await self._source.push(tasks)
        with self._session.transaction() as state:
            record_push(state, actor, pushed)
        return pushed

    async def retry(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Failed, Killed, Done → Pending."""
        return await self._source.retry(ids, actor)

    async def run_schedule(self, name: str, *, actor: Actor) -> Pushed:
        """Push one task of a schedule now."""
        with self._session.transaction() as state:
            new = scheduling.task_now(state, name)
        [pushed] = await self._source.push([new])
        with self._session.transaction() as state:
            scheduling.record_run(state, name, actor, pushed)
        return pushed
