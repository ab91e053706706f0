"""What the queues on PostgreSQL have in common: they are called with ``await``, and their data is in a database of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from suite.contender import Contender, NotOffered
from suite.database import Session
from suite.trace import Trace

T = TypeVar("T")
COLUMNS = """
SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns
WHERE table_name = '{table}' AND is_identity = 'NO' AND coalesce(column_default, '') NOT LIKE 'nextval%'
"""
"""Those that an insert must fill in."""


@dataclass(frozen=True, slots=True)
class Client:
    """What pushes to a queue, once it is open."""

    push: Callable[[float], Awaitable[object]]
    """One task that carries this time."""
    push_many: Callable[[int], Awaitable[object]] | None = None
    """So many tasks in one call."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Where a queue keeps its finished tasks."""

    table: str
    condition: str
    changes: dict[str, str] = field(default_factory=dict)
    """What copy number ``copy`` of a row has in these columns, in SQL."""

    def copy(self, session: Session, tasks: int) -> None:
        """Copy rows until there are ``tasks`` of them."""
        present = session.value(f"SELECT count(*) FROM {self.table} WHERE {self.condition}")
        columns = session.value(COLUMNS.format(table=self.table))
        values = ", ".join(self.changes.get(column, column) for column in columns.split(", "))
        source = f"{self.table}, generate_series(1, {tasks // present}) AS copy"
        session.run(f"INSERT INTO {self.table} ({columns}) SELECT {values} FROM {source} WHERE {self.condition} LIMIT {max(0, tasks - present)}")


class OnPostgres(Contender):
    """One queue; what is its own are the names in capitals and the three coroutines at the end."""

    durability = ""
    UVLOOP: ClassVar[bool] = False
    """Whether its own command runs workers on uvloop."""
    OPEN: ClassVar[str]
    """Counts the tasks that are not finished."""
    FINISHED: ClassVar[Finished]

    @property
    def url(self) -> str:
        """Where its database is."""
        assert self.postgres is not None
        return self.postgres.url

    def prepare(self) -> None:
        asyncio.run(self.install())

    def push_one(self, tasks: int) -> float:
        return asyncio.run(self._push(tasks, 1))

    def push_callers(self, tasks: int, callers: int) -> float:
        return asyncio.run(self._push(tasks, callers))

    def push_bulk(self, tasks: int) -> float:
        return asyncio.run(self._push_bulk(tasks))

    def fill(self, tasks: int) -> None:
        try:
            self.push_bulk(tasks)
        except NotOffered:
            self.push_callers(tasks, 50)

    def left(self, tasks: int) -> Callable[[], int]:
        assert self.postgres is not None
        session = self.postgres.session()
        return lambda: int(session.value(self.OPEN))

    def age(self, tasks: int) -> None:
        assert self.postgres is not None
        with self.postgres.session() as session:
            self.FINISHED.copy(session, tasks)

    def work(self, trace: Trace) -> None:
        run(self.serve(trace), uvloop=self.UVLOOP)

    def pusher(self) -> Callable[[float], object]:
        return Pusher(self.client())

    async def install(self) -> None:
        """Make its tables."""

    def client(self) -> AbstractAsyncContextManager[Client]:
        """Open it for pushing."""
        raise NotOffered("push")

    async def serve(self, trace: Trace) -> None:
        """Run one worker until the process is told to end."""
        raise NotOffered("no worker")

    async def _push(self, tasks: int, callers: int) -> float:
        turns, loop = iter(range(tasks)), asyncio.get_running_loop()

        async def caller() -> None:
            for _ in turns:
                await client.push(0.0)

        async with self.client() as client:
            since = loop.time()
            await asyncio.gather(*(caller() for _ in range(callers)))
            return loop.time() - since

    async def _push_bulk(self, tasks: int) -> float:
        async with self.client() as client:
            if client.push_many is None:
                raise NotOffered("no bulk push")
            since = asyncio.get_running_loop().time()
            await client.push_many(tasks)
            return asyncio.get_running_loop().time() - since


def run(main: Coroutine[None, None, T], *, uvloop: bool) -> T:
    """Run on Python's event loop, or on uvloop's."""
    if not uvloop:
        return asyncio.run(main)
    from uvloop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


class Pusher:
    """A client whose event loop goes on between the pushes, in a thread of its own, as that of a program does."""

    def __init__(self, context: AbstractAsyncContextManager[Client]) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="pusher", daemon=True).start()
        self._context = context  # kept, because what is opened closes with it
        self._client = self._result(context.__aenter__())

    def __call__(self, sent: float) -> None:
        """Push one task that carries this time."""
        self._result(_push(self._client, sent))

    def _result(self, coroutine: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


async def _push(client: Client, sent: float) -> None:
    await client.push(sent)
