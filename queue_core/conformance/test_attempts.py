"""attempts: what is told of each try."""

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import BOOM, FAILED, ME, done, finish, push_one, registered, running, take
from queue_core.expose import Connected
from queue_core.ids import TaskId
from queue_core.outcome import Aborted, Deferred, Errored, Outcome, Released, Stopped
from queue_core.task import AttemptOutcome, ErrorInfo


async def test_a_task_that_never_started_has_none(connected: Connected) -> None:
    assert await connected.expose.attempts((await push_one(connected)).id) == []
    assert await connected.expose.attempts(TaskId("nobody")) == []


async def test_a_running_attempt_has_no_end(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    [attempt] = await connected.expose.attempts(claim.id)
    assert (attempt.task_id, attempt.number, attempt.started_at) == (claim.id, 1, clock.now())
    assert (attempt.outcome, attempt.finished_at, attempt.ran_for, attempt.error) == (None, None, None, None)


async def test_a_success_is_told_from_begin_to_end(connected: Connected, clock: HandWoundClock) -> None:
    boot = await registered(connected, "anna")
    task = await push_one(connected)
    claim = await take(connected, task.id, boot)
    started = clock.now()
    clock.advance(3)
    await finish(connected, claim, ran_for=2.5)
    [attempt] = await connected.expose.attempts(task.id)
    assert (attempt.number, attempt.worker, attempt.outcome, attempt.ran_for) == (1, "anna", AttemptOutcome.SUCCEEDED, 2.5)
    assert (attempt.started_at, attempt.finished_at, attempt.error) == (started, clock.now(), None)


async def test_a_failure_keeps_its_error_whole(connected: Connected, clock: HandWoundClock) -> None:
    error = ErrorInfo(type="shop.errors.OutOfStock", message="no apples\nno pears", traceback='Traceback …\n  File "x.py"\n')
    claim = await running(connected)
    await finish(connected, claim, Errored(error, retry_in=5), ran_for=0.25)
    [attempt] = await connected.expose.attempts(claim.id)
    assert (attempt.outcome, attempt.error, attempt.ran_for) == (AttemptOutcome.FAILED, error, 0.25)
    assert attempt.started_at == attempt.finished_at == clock.now()


async def test_attempts_are_told_oldest_first(connected: Connected) -> None:
    ends: list[tuple[Outcome, AttemptOutcome]] = [
        (Errored(BOOM), AttemptOutcome.FAILED),
        (Errored(BOOM, timed_out=True), AttemptOutcome.TIMED_OUT),
        (Deferred(), AttemptOutcome.DEFERRED),
        (Released(), AttemptOutcome.RELEASED),
        (Aborted(BOOM), AttemptOutcome.ABORTED),
    ]
    task, boot = await push_one(connected, max_attempts=10), await registered(connected)
    for outcome, _ in ends:
        await finish(connected, await take(connected, task.id, boot), outcome)
    told = await connected.expose.attempts(task.id)
    assert [attempt.outcome for attempt in told] == [expected for _, expected in ends]
    assert [attempt.number for attempt in told] == [1, 2, 3, 3, 3]


async def test_a_stopped_attempt_is_told_as_killed(connected: Connected) -> None:
    claim = await running(connected)
    await connected.expose.kill([claim.id], actor=ME)
    await finish(connected, claim, Stopped())
    assert [attempt.outcome for attempt in await connected.expose.attempts(claim.id)] == [AttemptOutcome.KILLED]


async def test_history_then_the_success(connected: Connected) -> None:
    claim = await running(connected)
    await finish(connected, claim, FAILED)
    await finish(connected, await take(connected, claim.id, claim.lease.boot))
    told = await connected.expose.attempts(claim.id)
    assert [(attempt.number, attempt.outcome) for attempt in told] == [(1, AttemptOutcome.FAILED), (2, AttemptOutcome.SUCCEEDED)]


async def test_each_attempt_names_its_own_worker(connected: Connected) -> None:
    task = await push_one(connected)
    for name in ("anna", "otto"):
        await finish(connected, await take(connected, task.id, await registered(connected, name)), FAILED)
    assert [attempt.worker for attempt in await connected.expose.attempts(task.id)] == ["anna", "otto"]


async def test_attempts_survive_a_retry(connected: Connected) -> None:
    claim = await running(connected, max_attempts=1)
    await finish(connected, claim, FAILED)
    await connected.expose.retry([claim.id], actor=ME)
    assert [attempt.error for attempt in await connected.expose.attempts(claim.id)] == [BOOM]


async def test_the_latest_hundred_are_told(connected: Connected) -> None:
    task, boot = await push_one(connected, max_attempts=200), await registered(connected)
    for _ in range(105):
        await finish(connected, await take(connected, task.id, boot), FAILED)
    told = await connected.expose.attempts(task.id)
    assert [attempt.number for attempt in told] == list(range(6, 106))


async def test_a_task_tells_only_its_own_attempts(connected: Connected) -> None:
    one, two = await done(connected), await done(connected)
    assert [attempt.task_id for attempt in await connected.expose.attempts(one.id)] == [one.id]
    assert [attempt.task_id for attempt in await connected.expose.attempts(two.id)] == [two.id]
