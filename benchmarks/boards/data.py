"""A store with six days of history in it, made within a minute.

Up to 100,000 tasks go through the write contract, as a worker would do it, only in large batches and in the time of a hand-wound clock: so all
counters, rollups and attempts are what a real life would have left. Larger stores are such a life, multiplied: every task, attempt, counter and
rollup that many times. Whether the counters tell the truth is checked by counting.
"""

import asyncio
import os
import random
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from queue_core.backend import Backend
from queue_core.clock import HandWoundClock
from queue_core.expose import Counts, ErrorInfo, NewTask, QueueName, Span, Status, connect
from queue_core.ids import BootId, new_boot_id
from queue_core.outcome import Aborted, Ack, Errored, Outcome, Succeeded, settle
from queue_core.task import Claim
from queue_core.worker_info import Registration

DAYS = 6.0
"""Less than the default retention of finished tasks."""
BATCH = 500
QUEUES = {"email": 60, "image-resize": 20, "billing": 12, "reports": 6, "webhooks": 2}
"""Shares in percent."""
LIVED = 100_000
"""Larger stores are multiples of this."""
WAIT = 0.2
"""Seconds from push to start."""
DAY = 86_400.0
MINUTES = 1_440
FILE = "board.db"
NEW_ID = "CASE i WHEN 0 THEN id ELSE substr(id, 1, 24) || printf('%012x', random() & 0xffffffffffff) END"
"""The last part of a UUID is all chance."""
WAITING = 0.05
FAILED = 0.04
KILLED = 0.01
MONTH = 30 * DAY
ARGS = b'{"customer":%d,"template":"order-confirmation","locale":"en-GB","attachments":["invoice.pdf","terms.pdf"],"priority":"normal"}'
ERROR = ErrorInfo(
    type="smtplib.SMTPServerDisconnected",
    message="Connection unexpectedly closed",
    traceback="Traceback (most recent call last):\n" + '  File "/srv/shop/mail.py", line 42, in send\n    server.sendmail(...)\n' * 8,
)


def url(folder: Path, file: str = FILE) -> str:
    """Where the store is."""
    return f"sqlite:///{folder / file}"


def fill(folder: Path, tasks: int) -> float:
    """Make a store of ``tasks`` tasks and check that its counters tell so. Returns the seconds it took."""
    since = time.perf_counter()
    seed = min(tasks, LIVED)
    if tasks % seed:
        raise ValueError(f"More than {LIVED:,} tasks must be a multiple of that, got {tasks:,}.")
    expected = asyncio.run(_live(folder, seed))
    multiply(folder / FILE, tasks // seed)
    asyncio.run(_check(folder, Counter({status: number * (tasks // seed) for status, number in expected.items()})))
    return time.perf_counter() - since


async def _live(folder: Path, tasks: int) -> Counter[Status]:
    """Six days in which ``tasks`` were pushed, most of them finished. Returns how many ended in which state."""
    clock, chance = HandWoundClock(datetime.now(UTC) - timedelta(days=DAYS)), random.Random(1)
    backend = connect(url(folder), clock=clock, synchronous="normal").backend
    await backend.open()
    try:
        boot = new_boot_id()
        await backend.register(_worker(boot))
        waiting = max(1, int(tasks * WAITING))
        ended: Counter[Status] = Counter()
        for size, pause in _days(tasks - waiting):
            ended += await _live_through(backend, boot, clock, size, chance)
            clock.advance(pause - WAIT)
        clock.advance((datetime.now(UTC) - clock.now()).total_seconds())
        await backend.push([_task(chance) for _ in range(waiting)])
        await backend.deregister(boot)
        return ended + Counter({Status.PENDING: waiting})
    finally:
        await backend.close()


def _days(tasks: int) -> Iterator[tuple[int, float]]:
    """How many tasks come next, and the seconds until the next ones: large lots at first, and something in every minute of the last day."""
    last_day = int(tasks / DAYS)
    lots = list(_lots(tasks - last_day, BATCH))
    minutes = list(_lots(last_day, max(1, last_day // MINUTES)))
    yield from ((size, (DAYS - 1) * DAY / len(lots)) for size in lots)
    yield from ((size, DAY / len(minutes)) for size in minutes)


def _lots(tasks: int, size: int) -> Iterator[int]:
    for start in range(0, tasks, size):
        yield min(size, tasks - start)


async def _live_through(backend: Backend, boot: BootId, clock: HandWoundClock, size: int, chance: random.Random) -> Counter[Status]:
    """Push, claim a little later, finish."""
    await backend.push([_task(chance) for _ in range(size)])
    clock.advance(WAIT)
    claims = await backend.claim(boot, [QueueName(name) for name in QUEUES], names=None, limit=size, start=size)
    acks = [_ack(claim, chance) for claim in claims.tasks]
    held = await backend.ack(acks)
    if len(acks) != size or not all(held):
        raise RuntimeError(f"Of {size} tasks {len(acks)} were claimed and {sum(held)} acknowledged.")
    return Counter(ack.status for ack in acks)


def _task(chance: random.Random) -> NewTask:
    (queue,) = chance.choices(list(QUEUES), weights=list(QUEUES.values()))
    return NewTask(name=f"{queue.replace('-', '_')}.run", queue=QueueName(queue), args=ARGS % chance.randrange(1_000_000))


def _ack(claim: Claim, chance: random.Random) -> Ack:
    return settle(claim.lease, _outcome(chance), attempt=claim.attempt, max_attempts=claim.max_attempts, ran_for=chance.lognormvariate(-3, 1))


def _outcome(chance: random.Random) -> Outcome:
    luck = chance.random()
    if luck < KILLED:
        return Aborted(ERROR)
    if luck < KILLED + FAILED:
        return Errored(ERROR, retry_in=MONTH)
    return Succeeded(b'{"sent":true}')


def _worker(boot: BootId) -> Registration:
    return Registration(
        boot=boot,
        name="history",
        queues=tuple(QueueName(name) for name in QUEUES),
        names=None,
        host=socket.gethostname(),
        pid=os.getpid(),
        process="benchmark",
        version="0",
        middleware=(),
        concurrency=100,
        lease_ttl=2 * MONTH,
    )


def multiply(path: Path, times: int) -> None:
    """Make every task, with its attempts, ``times`` of them, in the same order; counters and rollups likewise."""
    if times == 1:
        return
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size = -200000")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TEMP TABLE copies AS WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM c WHERE i < ? - 1) SELECT i FROM c", [times]
    )
    _copy(connection, "prinia_tasks", "seq", {"seq": f"-seq * {times} + i", "id": NEW_ID})
    _copy(connection, "prinia_attempts", "place", {"place": f"-place * {times} + i", "task": f"task * {times} + i"})
    connection.execute("UPDATE prinia_counters SET n = n * ?", [times])
    connection.execute("UPDATE prinia_rollups SET n = n * ?", [times])
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _copy(connection: sqlite3.Connection, table: str, key: str, changed: dict[str, str]) -> None:
    """Replace each row of ``table`` by copies; ``changed`` says what differs, ``i`` is the number of the copy. Negative keys mark the originals."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changed.get(column, column) for column in columns)
    connection.execute(f"CREATE TEMP TABLE originals AS SELECT * FROM {table}")
    connection.execute(f"DELETE FROM {table}")
    connection.execute(f"UPDATE originals SET {key} = -{key}")
    connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM originals, copies ORDER BY originals.rowid, i")
    connection.execute("DROP TABLE originals")


async def _check(folder: Path, expected: Counter[Status]) -> None:
    """Raises RuntimeError unless the store counts what was put in, what it holds, and what its rollups say was done."""
    expose = connect(url(folder)).expose
    await expose.open()
    try:
        told = await expose.counts()
        days = await expose.series(Span.DAY, since=await expose.now() - timedelta(days=DAYS + 1), until=await expose.now())
    finally:
        await expose.close()
    total = sum(told.values(), start=Counts())
    counted = Counter({status: total.of(status) for status in Status if total.of(status)})
    done = sum(day.done for day in days)
    with sqlite3.connect(folder / FILE) as connection:
        held = Counter({Status(status): number for status, number in connection.execute("SELECT status, count(*) FROM prinia_tasks GROUP BY status")})
    if not counted == held == expected or done != expected[Status.DONE]:
        raise RuntimeError(f"Put in: {expected}. Held: {held}. Counted: {counted}. Done by the rollups: {done}.")
