"""ack: how an attempt ended and what becomes of its task. Fenced by the lease."""

from datetime import timedelta

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import BOOM, FAILED, ME, ack_of, claim, claimed, fetch, finish, lose_workers, new_task, registered, running, take
from queue_core.expose import Connected
from queue_core.ids import TaskId
from queue_core.outcome import Aborted, Deferred, Errored, Outcome, Released, Stopped, Succeeded
from queue_core.status import KillReason, Status
from queue_core.task import Lease


async def test_a_success_is_done_with_its_result(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    clock.advance(2)
    assert await finish(connected, claim, Succeeded(b'{"sent": 3}'), ran_for=1.75)
    task = await fetch(connected, claim.id)
    assert (task.status, task.result, task.ran_for, task.done_at) == (Status.DONE, b'{"sent": 3}', 1.75, clock.now())
    assert (task.reason, task.error, task.attempts) == (None, None, 1)


async def test_a_success_without_a_result_has_none(connected: Connected) -> None:
    claim = await running(connected)
    await finish(connected, claim, Succeeded())
    assert (await fetch(connected, claim.id)).result is None


async def test_an_error_waits_for_its_next_attempt(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    assert await finish(connected, claim, Errored(BOOM, retry_in=7.5))
    task = await fetch(connected, claim.id)
    assert (task.status, task.run_at, task.attempts) == (Status.FAILED, clock.now() + timedelta(seconds=7.5), 1)
    assert (task.error, task.done_at, task.reason) == ("ValueError: boom", None, None)


async def test_a_pause_below_a_second_is_kept(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await finish(connected, claim, Errored(BOOM, retry_in=0.125))
    assert (await fetch(connected, claim.id)).run_at == clock.now() + timedelta(milliseconds=125)


async def test_the_error_of_the_last_attempt_is_final(connected: Connected) -> None:
    first = await running(connected, max_attempts=2)
    await finish(connected, first, FAILED)
    second = await take(connected, first.id, first.lease.boot)
    await finish(connected, second, FAILED)
    task = await fetch(connected, first.id)
    assert (task.status, task.reason, task.attempts, task.error) == (Status.KILLED, KillReason.EXHAUSTED, 2, "ValueError: boom")


async def test_with_one_attempt_one_failure_is_final(connected: Connected) -> None:
    claim = await running(connected, max_attempts=1)
    await finish(connected, claim, FAILED)
    assert (await fetch(connected, claim.id)).reason is KillReason.EXHAUSTED


async def test_a_timeout_is_an_error_like_any_other(connected: Connected) -> None:
    claim = await running(connected)
    await finish(connected, claim, Errored(BOOM, retry_in=1, timed_out=True))
    assert (await fetch(connected, claim.id)).status is Status.FAILED


async def test_an_abort_is_final_with_attempts_left(connected: Connected) -> None:
    claim = await running(connected)
    await finish(connected, claim, Aborted(BOOM))
    task = await fetch(connected, claim.id)
    assert (task.status, task.reason, task.attempts, task.error) == (Status.KILLED, KillReason.ABORTED, 1, "ValueError: boom")


async def test_a_deferred_task_uses_no_attempt(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected, max_attempts=1)
    await finish(connected, claim, Deferred(30))
    task = await fetch(connected, claim.id)
    assert (task.status, task.attempts, task.run_at) == (Status.PENDING, 0, clock.now() + timedelta(seconds=30))


async def test_a_task_can_be_deferred_for_ever(connected: Connected) -> None:
    claim = await running(connected, max_attempts=1)
    for _ in range(4):
        await finish(connected, claim, Deferred())
        claim = await take(connected, claim.id, claim.lease.boot)
        assert claim.attempt == 1


async def test_an_attempt_that_its_worker_gave_up_is_given_back(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await finish(connected, claim, Released())
    task = await fetch(connected, claim.id)
    assert (task.status, task.attempts, task.crashes, task.run_at) == (Status.PENDING, 0, 0, clock.now())


async def test_a_success_after_failures_forgets_the_error_line(connected: Connected) -> None:
    claim = await running(connected)
    await finish(connected, claim, FAILED)
    await finish(connected, await take(connected, claim.id, claim.lease.boot))
    task = await fetch(connected, claim.id)
    assert (task.status, task.error, task.attempts) == (Status.DONE, None, 2)


# --- fences --------------------------------------------------------------------------------------------

OUTCOMES = [Succeeded(b"1"), FAILED, Aborted(BOOM), Deferred(), Stopped(), Released()]


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_a_late_ack_after_a_rescue_changes_nothing(connected: Connected, clock: HandWoundClock, outcome: Outcome) -> None:
    claim = await running(connected)
    await lose_workers(connected, clock)
    before = await fetch(connected, claim.id)
    assert before.status is Status.PENDING
    assert not await finish(connected, claim, outcome)
    assert await fetch(connected, claim.id) == before


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_a_late_ack_does_not_disturb_the_next_worker(connected: Connected, clock: HandWoundClock, outcome: Outcome) -> None:
    old = await running(connected)
    await lose_workers(connected, clock)
    new = await take(connected, old.id, await registered(connected))
    before = await fetch(connected, old.id)
    assert not await finish(connected, old, outcome)
    assert await fetch(connected, old.id) == before
    assert await finish(connected, new, Succeeded(b"new"))
    assert not await finish(connected, old, outcome)
    assert (await fetch(connected, old.id)).result == b"new"


async def test_a_worker_that_gets_its_own_lost_task_again_cannot_use_the_old_lease(connected: Connected, clock: HandWoundClock) -> None:
    worker = await running(connected)
    await connected.backend.ack([ack_of(worker, FAILED)])
    again = await take(connected, worker.id, worker.lease.boot)
    assert not await finish(connected, worker)
    assert await finish(connected, again)


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_the_second_ack_of_an_attempt_changes_nothing(connected: Connected, outcome: Outcome) -> None:
    claim = await running(connected)
    assert await connected.backend.ack([ack_of(claim, outcome), ack_of(claim, Succeeded(b"late"))]) == [True, False]
    assert (await fetch(connected, claim.id)).result in {None, b"1"}
    assert not await finish(connected, claim, FAILED)


async def test_a_task_that_never_started_cannot_be_acked(connected: Connected) -> None:
    claim = await claimed(connected)
    assert not await finish(connected, claim)
    assert (await fetch(connected, claim.id)).status is Status.QUEUED


async def test_a_lease_of_another_boot_or_token_is_stale(connected: Connected) -> None:
    claim = await running(connected)
    other = await registered(connected)
    for lease in (Lease(claim.id, other, claim.lease.token), Lease(claim.id, claim.lease.boot, claim.lease.token - 1)):
        ack = ack_of(claim, Succeeded())
        assert await connected.backend.ack([ack._replace(lease=lease)]) == [False]
    assert (await fetch(connected, claim.id)).status is Status.RUNNING


async def test_one_stale_ack_does_not_hold_up_the_others(connected: Connected) -> None:
    await connected.backend.push([new_task() for _ in range(3)])
    boot = await registered(connected)
    one, two, three = await claim(connected, boot, start=3)
    await finish(connected, two)
    assert await connected.backend.ack([ack_of(one, FAILED), ack_of(two, FAILED), ack_of(three, Succeeded(b"3"))]) == [True, False, True]
    assert (await fetch(connected, two.id)).status is Status.DONE


async def test_what_many_tasks_returned_is_kept_byte_for_byte(connected: Connected) -> None:
    results = [None, b"", b"null", b'"quoted"', '"größer"'.encode(), b'"\\u0000"', b"a\x00b", bytes(range(256)), b"\xed\xa0\x80", b"x" * 100_000]
    tasks = [new_task(id=TaskId(f'task {number} "of" {{größe}} \\')) for number in range(len(results))]
    await connected.backend.push(tasks)
    claims = await claim(connected, await registered(connected), limit=len(tasks), start=len(tasks))
    acks = [ack_of(claim, Succeeded(result), ran_for=0.25) for claim, result in zip(claims, results, strict=True)]
    assert await connected.backend.ack(acks) == [True] * len(tasks)
    ended = [await fetch(connected, claim.id) for claim in claims]
    assert [(task.status, task.result, task.ran_for) for task in ended] == [(Status.DONE, result, 0.25) for result in results]


async def test_the_ack_of_a_deleted_task_changes_nothing(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await lose_workers(connected, clock)
    await connected.expose.kill([claim.id], actor=ME)
    await connected.expose.delete([claim.id], actor=ME)
    assert not await finish(connected, claim)
    assert await connected.expose.fetch(claim.id) is None


async def test_acking_nothing_is_allowed(connected: Connected) -> None:
    assert await connected.backend.ack([]) == []
