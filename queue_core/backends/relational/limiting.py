"""Limits of queues as they are stored."""

from queue_core.backends._rows import Row
from queue_core.backends.relational.tally import QUEUES
from queue_core.backends.relational.transaction import Transaction
from queue_core.ids import QueueName
from queue_core.limits import Limits, Rate


async def declare(tx: Transaction, queue: QueueName, limits: Limits) -> None:
    """Let these be the limits of a queue; see ``Backend.declare``. All its groups are looked at anew."""
    if await tx.run("name_queue", queue=queue, now=tx.now):
        tx.tally.topics.add(QUEUES)
    columns = stored(limits)
    if await tx.run("declare", queue=queue, **columns):
        await tx.run("forget_all_starts", queue=queue, rate_n=columns["rate_n"], group_rate_n=columns["group_rate_n"])
        await tx.run("hold_all_back", queue=queue)
        await tx.run("turn_all", queue=queue, now=tx.now)
        tx.tally.work.add(queue)
        tx.tally.topics.add(QUEUES)


def stored(limits: Limits) -> dict[str, int | None]:
    """The columns of a queue that hold its limits."""
    (rate_n, rate_us), (group_rate_n, group_rate_us) = _numbers(limits.rate), _numbers(limits.group_rate)
    return {
        "concurrency": limits.concurrency,
        "rate_n": rate_n,
        "rate_us": rate_us,
        "group_concurrency": limits.group_concurrency,
        "group_rate_n": group_rate_n,
        "group_rate_us": group_rate_us,
        "ordered": int(limits.ordered),
    }


def _numbers(rate: Rate | None) -> tuple[int | None, int | None]:
    return (None, None) if rate is None else (rate.n, round(rate.per * 1_000_000))


def limits_of(row: Row) -> Limits:
    """The limits in the columns of a queue, in the order of the table."""
    concurrency, rate_n, rate_us, group_concurrency, group_rate_n, group_rate_us, ordered = row
    return Limits(
        concurrency=concurrency,
        rate=_rate(rate_n, rate_us),
        group_concurrency=group_concurrency,
        group_rate=_rate(group_rate_n, group_rate_us),
        ordered=bool(ordered),
    )


def _rate(n: int | None, us: int | None) -> Rate | None:
    return None if n is None or us is None else Rate(n, per=us / 1_000_000)
