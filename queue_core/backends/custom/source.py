"""The functions of a store and the ledger beside them: tasks go out, come in, and are told of when they ended."""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, cast

from queue_core.backends.custom.ledger import Ledger
from queue_core.backends.memory import managing, producing, scheduling
from queue_core.backends.memory.session import Session
from queue_core.errors import InvalidValue, PriniaError, StoreUnavailable
from queue_core.expose import Action, Actor, Report
from queue_core.ids import QueueName, TaskId
from queue_core.schedule import DueSchedule
from queue_core.task import NewTask, Pushed, Task

_STORED: Final = {column.name for column in fields(Task)} - {"run_at", "expires_at"}
PushNew = Callable[[Sequence[NewTask]], Awaitable[None] | None]
ClaimNew = Callable[[Sequence[QueueName], int], Awaitable[Sequence[NewTask]] | Sequence[NewTask]]
Acknowledge = Callable[[Sequence[Task]], Awaitable[None] | None]
GiveBack = Callable[[Sequence[Task]], Awaitable[None] | None]


class Source:
    """Where tasks wait. Each method keeps the ledger in step with it."""

    def __init__(
        self, session: Session, push: PushNew, claim: ClaimNew, ack: Acknowledge | None, release: GiveBack | None, *, lookahead: int
    ) -> None:
        self._session = session
        self._push, self._claim, self._ack, self._release = push, claim, ack, release
        self._lookahead: Final = lookahead

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger, for one atomic piece of work. Raises NotConnected."""
        with self._session.transaction() as state:
            yield cast("Ledger", state)

    async def push(self, tasks: Sequence[NewTask]) -> list[Pushed]:
        """Put new tasks there, all or none, and know of them here."""
        with self.ledger() as ledger:
            pushed = producing.push(ledger, tasks)
            created = ledger.send_away(pushed)
        await self._put([task for task in tasks if task.id in created], lambda ledger: ledger.forget(created))
        return pushed

    async def fire(self, due: DueSchedule, tasks: Sequence[tuple[datetime, NewTask]], next_tick: datetime | None) -> bool:
        """Put the task of each tick there, if nobody did; where that fails, the ticks are due again."""
        with self.ledger() as ledger:
            before = ledger.schedules.get(due.entry.name)
            pushed = scheduling.fire(ledger, due, tasks, next_tick)
            if pushed is None or before is None:
                return False
            fired, created = ledger.schedules[due.entry.name], ledger.send_away(pushed)

        def undo(ledger: Ledger) -> None:
            ledger.forget(created)
            scheduling.take_back(ledger, before, fired, created)

        await self._put([task for _, task in tasks if task.id in created], undo)
        return True

    async def retry(self, ids: Sequence[TaskId], actor: Actor) -> Report:
        """Let tasks wait once more: those that the place was told of go there again, all or none."""
        await self.tell()
        with self.ledger() as ledger:
            ended = ledger.send_back(ids)
        await self._put([_again(task) for task in ended], lambda ledger: ledger.keep(ended))
        with self.ledger() as ledger:
            ledger.returning -= {task.id for task in ended}
            return managing.act(ledger, Action.RETRY, ids, actor, managing.retry)

    async def fill(self, queues: Sequence[QueueName], limit: int) -> None:
        """Take out what may be claimed now, and as much ahead as due times and priorities are to hold among."""
        with self.ledger() as ledger:
            queues = ledger.open_queues(queues)
            room = max(limit, self._lookahead) - sum(ledger.tasks.here[queue] for queue in queues)
        while queues and room > 0:
            taken = _checked(await self._call("claim", self._claim, queues, room))
            with self.ledger() as ledger:
                for new in taken:
                    ledger.take_in(new)
            room = room - len(taken) if taken else 0

    async def tell(self) -> None:
        """Say which tasks ended. What could not be said is said again next time."""
        with self.ledger() as ledger:
            finished, ledger.finished = ledger.finished, []
        if not finished or self._ack is None:
            return
        try:
            await self._call("ack", self._ack, finished)
        except BaseException:
            with self.ledger() as ledger:
                ledger.finished = finished + ledger.finished
            raise

    async def give_back(self) -> None:
        """Put back what was taken out and waits here."""
        if self._release is None:
            return
        with self.ledger() as ledger:
            waiting = ledger.take_back_waiting()
        if waiting:
            await self._call("release", self._release, waiting)

    async def _put(self, tasks: Sequence[NewTask], undo: Callable[[Ledger], None]) -> None:
        try:
            if tasks:
                await self._call("push", self._push, tasks)
        except BaseException:
            with self.ledger() as ledger:
                undo(ledger)
            raise

    async def _call(self, name: str, function: Callable[..., Any], *given: Any) -> Any:
        try:
            answer = function(*given)
            answer = await answer if inspect.isawaitable(answer) else answer
        except PriniaError:
            raise
        except Exception as error:
            kind = StoreUnavailable if isinstance(error, OSError) else PriniaError
            raise kind(f"The function {name} of the store {self._session.location} failed: {type(error).__name__}: {error}.") from error
        if inspect.isgenerator(answer) or inspect.isasyncgen(answer):
            raise InvalidValue(f"The function {name} of the store {self._session.location} has a yield, so it did nothing. Let it return.")
        return answer


def _again(task: Task) -> NewTask:
    """What is put there so that ``task`` comes back; all else about it is known here."""
    shared = {column.name: getattr(task, column.name) for column in fields(NewTask) if column.name in _STORED}
    return NewTask(**shared)


def _checked(taken: Any) -> Sequence[NewTask]:
    if not isinstance(taken, list | tuple) or not all(isinstance(task, NewTask) for task in taken):
        raise InvalidValue(f"The function claim of a store must return a list of the NewTasks that were pushed, got {taken!r:.200}.")
    return taken
