"""What handlers log: stored under the lease of its attempt, and read page by page."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from queue_core.backends import _rows
from queue_core.backends._logs import Asked, Found, asked, page
from queue_core.backends.relational.held import Held, matching
from queue_core.backends.relational.transaction import Store, Transaction
from queue_core.clock import to_us
from queue_core.expose import Cursor, LogFilter, LogPage
from queue_core.logs import KEPT_LINES, LogLine
from queue_core.status import Status
from queue_core.task import Lease

_STATEMENTS: Final = {"older": "logs_older", "newer": "logs_newer"}


async def log(tx: Transaction, lines: Sequence[tuple[Lease, LogLine]]) -> int:
    """Keep what running attempts logged; see ``Backend.log``."""
    leases = list(dict.fromkeys(lease for lease, _ in lines))
    held = matching(leases, await tx.rows("held", ids=[lease.id for lease in leases]), Status.RUNNING)
    stored = 0
    for lease, logged in groupby(lines, key=lambda pair: pair[0]):
        row = held.get(lease.id)
        if row is not None and (row.lease, row.boot) == (lease.token, lease.boot):
            stored += await _add(tx, row, [line for _, line in logged])
    return stored


async def _add(tx: Transaction, row: Held, lines: Sequence[LogLine]) -> int:
    last = await tx.row("last_line", task=row.id, lease=row.lease)
    new = [_values(tx, row, line) for line in lines if last is None or line.number > last[0]]
    await tx.many("record_line", new)
    if new:
        tx.tally.touch(row.queue)
    if last is None:  # an attempt begins: as good a moment as any to look back
        await tx.run("trim_logs", task=row.id, keep=KEPT_LINES)
    return len(new)


def _values(tx: Transaction, row: Held, line: LogLine) -> dict[str, Any]:
    return {
        "task": row.id,
        "queue": row.queue,
        "lease": row.lease,
        "attempt": row.attempts,
        "stored_at": tx.now,
        "number": line.number,
        "at": to_us(line.at),
        "level": line.level,
        "logger": line.logger,
        "message": line.message,
    }


async def list_logs(store: Store, filter: LogFilter, start: Cursor | None, limit: int) -> LogPage:
    """A page of lines; see ``ListLogs.list_logs``."""
    question = asked(filter, start, limit)
    rows = await store.rows(_STATEMENTS[question.direction], **_conditions(question))
    fitting = [_rows.log_entry(row) for row in rows if row[-1]]
    edge = rows[-1][0] if rows and rows[-1][-2] == question.window else None
    return page(question, Found(fitting, rows[0][0] if rows else None, edge))


def _conditions(question: Asked) -> dict[str, Any]:
    filter = question.filter
    return {
        "task": filter.task,
        "attempt": filter.attempt,
        "queue": filter.queue,
        "level": filter.level,
        "text": filter.text.casefold() if filter.text else None,
        "place": question.place,
        "window": question.window,
        "limit": question.limit + 3,  # one more than asked for, and the first and the last that were looked at
    }
