"""Changes of tasks as log lines over server-sent events: the seed board's ``/events``.

The store says which queues changed, not which tasks; so each reader looks at the newest tasks of a changed queue and at those that it saw alive,
and tells whose state is another than before.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from starlette.responses import Response

from board.api.shapes import log_entry
from board.live.hub import Hub
from board.live.stream import PING, SEND_TIMEOUT, Stream
from board.payloads import redacted_text
from board.screen import Ask
from queue_core.expose import Status, TaskFilter, TaskId, TaskSummary

NEWEST: Final = 200
FOLLOWED: Final = 1_000
LEVELS: Final = {Status.FAILED: "WARN", Status.KILLED: "ERROR"}


def events(hub: Hub, ask: Ask) -> Response:
    """The stream of one reader."""
    return Stream(_lines(hub, ask), ping=PING, sep="\n", send_timeout=SEND_TIMEOUT)


async def _lines(hub: Hub, ask: Ask) -> AsyncIterator[bytes]:
    journal = Journal(ask)
    async for _ in hub.changes():
        if not journal.begun:
            await journal.begin()
            yield b": listening\n\n"
        else:
            for entry in await journal.look():
                yield b"data: %b\n\n" % msgspec.json.encode(entry)


class Journal:
    """What one reader knows of the tasks, and what is new to it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: dict[TaskId, tuple[Status, int]] = {}
        self.begun = False

    async def begin(self) -> None:
        """Take what is there for known."""
        await self.look()
        self.begun = True

    async def look(self) -> list[dict[str, Any]]:
        """Log lines of what changed since the last look."""
        page = await self._ask.store.list_tasks(TaskFilter(), limit=NEWEST)
        newest = {task.id: task for task in page.tasks}
        alive = [id for id, (status, _) in self._known.items() if not status.is_final and id not in newest]
        tasks = [*await self._ask.store.summaries(alive[-FOLLOWED:]), *reversed(page.tasks)]
        changed = [task for task in tasks if self._known.get(task.id) != (task.status, task.attempts)]
        self._known = {task.id: (task.status, task.attempts) for task in tasks}
        return [self._line(task) for task in changed]

    def _line(self, task: TaskSummary) -> dict[str, Any]:
        error = redacted_text(task.name, task.error, self._ask.redact)
        words = f"task is {task.status.value}" + (f": {error}" if error and task.status in LEVELS else "")
        at = task.done_at or task.started_at or task.queued_at or task.created_at
        level = LEVELS.get(task.status, "INFO")
        return log_entry(
            task_id=task.id,
            name=task.name,
            attempt=task.attempts,
            level=level,
            at=at,
            message=words,
            queue=task.queue,
            status=task.status.value,
        )
