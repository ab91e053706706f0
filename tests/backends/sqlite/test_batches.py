"""What many tasks have in common is paid for once: the shape of the busiest statements."""

from queue_core.expose import Connected
from queue_core.outcome import Succeeded, settle
from queue_core.task import DEFAULT_QUEUE
from tests.backends.sqlite.helpers import new_task, registered


async def traced(connected: Connected) -> list[str]:
    """What the writer executes from now on, row by row."""
    seen: list[str] = []
    await connected.backend._store.writer.submit(lambda tx: tx._connection.set_trace_callback(seen.append))
    return seen


def changes_of_tasks(seen: list[str]) -> int:
    return sum("INTO prinia_tasks" in text or "UPDATE prinia_tasks" in text for text in seen)


async def test_a_statement_stores_many_tasks(connected: Connected) -> None:
    seen = await traced(connected)
    await connected.backend.push([new_task() for _ in range(205)])
    assert changes_of_tasks(seen) == 5 + 10
    assert (await connected.expose.counts())[DEFAULT_QUEUE].pending == 205


async def test_tasks_are_stored_in_the_order_of_the_push(connected: Connected) -> None:
    pushed = await connected.backend.push([new_task(str(number)) for number in range(47)])
    claims = await connected.backend.claim(await registered(connected), [DEFAULT_QUEUE], names=None, limit=47)
    assert [claim.name for claim in claims.tasks] == [each.task.name for each in pushed] == [str(number) for number in range(47)]


async def test_a_statement_stores_the_success_of_many_tasks(connected: Connected) -> None:
    await connected.backend.push([new_task() for _ in range(100)])
    claims = await connected.backend.claim(await registered(connected), [DEFAULT_QUEUE], names=None, limit=100, start=100)
    seen = await traced(connected)
    await connected.backend.ack([settle(claim.lease, Succeeded(b"1"), attempt=1, max_attempts=1, ran_for=0.1) for claim in claims.tasks])
    assert changes_of_tasks(seen) == 1
    assert (await connected.expose.counts())[DEFAULT_QUEUE].done == 100
