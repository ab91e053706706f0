"""Those who write at the same time share one transaction, and no fate."""

import asyncio

import pytest

from queue_core.errors import InvalidValue
from queue_core.expose import Connected
from queue_core.task import DEFAULT_QUEUE
from tests.backends.sqlite.helpers import new_task


def transactions(connected: Connected) -> int:
    number: int = connected.backend._store.writer.transactions
    return number


async def test_concurrent_pushes_share_transactions(connected: Connected) -> None:
    before = transactions(connected)
    await asyncio.gather(*(connected.backend.push([new_task()]) for _ in range(200)))
    assert transactions(connected) - before < 20


async def test_a_push_that_fails_fails_no_other_in_its_transaction(connected: Connected) -> None:
    old = new_task()
    await connected.backend.push([old])
    pushes = [new_task() for _ in range(20)]
    pushes[7] = new_task(id=old.id)
    outcomes = await asyncio.gather(*(connected.backend.push([task]) for task in pushes), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert [type(failure) for failure in failures] == [InvalidValue]
    assert failures[0] is outcomes[7]
    counts = await connected.expose.counts()
    assert sum(count.pending for count in counts.values()) == 20


async def test_two_pushes_of_one_key_in_one_transaction_store_one_task(connected: Connected) -> None:
    outcomes = await asyncio.gather(*(connected.backend.push([new_task(key="same")]) for _ in range(30)))
    assert len({pushed.task.id for [pushed] in outcomes}) == 1
    assert sum(pushed.created for [pushed] in outcomes) == 1


async def test_what_was_accepted_is_finished_before_the_store_closes(connected: Connected, another: Connected) -> None:
    pushes = [asyncio.ensure_future(connected.backend.push([new_task()])) for _ in range(50)]
    await asyncio.sleep(0)
    await connected.backend.close()
    await asyncio.gather(*pushes)
    assert (await another.expose.counts())[DEFAULT_QUEUE].pending == 50


async def test_a_listener_that_fails_does_not_end_the_writer(
    connected: Connected, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(changes: object) -> None:
        raise OSError("no more sockets")

    monkeypatch.setattr(connected.backend._store.signals, "committed", fail)
    for _ in range(2):
        await connected.backend.push([new_task()])
    assert (await connected.expose.counts())[DEFAULT_QUEUE].pending == 2
    assert "no more sockets" in caplog.text
