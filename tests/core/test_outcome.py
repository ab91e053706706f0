"""settle: what becomes of a task when an attempt ends."""

from hypothesis import given
from hypothesis import strategies as st

from queue_core.ids import BootId, TaskId
from queue_core.outcome import Aborted, Ack, Deferred, Errored, Outcome, Released, Stopped, Succeeded, settle
from queue_core.status import KillReason, Status
from queue_core.task import AttemptOutcome, ErrorInfo, Lease
from tests.core.steady import steady

LEASE = Lease(TaskId("t"), BootId("b"), 7)
ERROR = ErrorInfo(type="builtins.ValueError", message="boom")
DELAYS = st.floats(0, 1e6)
OUTCOMES = st.one_of(
    st.builds(Succeeded, st.none() | st.binary()),
    st.builds(Errored, st.just(ERROR), DELAYS, st.booleans()),
    st.just(Aborted(ERROR)),
    st.builds(Deferred, DELAYS),
    st.just(Stopped()),
    st.just(Released()),
)
ATTEMPTS = st.integers(1, 32_767)


def _settle(outcome: Outcome, attempt: int = 1, max_attempts: int = 5) -> Ack:
    return settle(LEASE, outcome, attempt=attempt, max_attempts=max_attempts, ran_for=1.5)


@given(OUTCOMES, ATTEMPTS, ATTEMPTS)
@steady
def test_every_outcome_leaves_a_sound_task(outcome: Outcome, attempt: int, max_attempts: int) -> None:
    ack = _settle(outcome, attempt, max_attempts)
    assert ack.lease == LEASE and ack.ran_for == 1.5
    assert (ack.status is Status.KILLED) == (ack.reason is not None)
    assert ack.status in {Status.DONE, Status.FAILED, Status.KILLED, Status.PENDING}
    assert ack.delay >= 0
    assert (ack.status is Status.DONE) == (ack.outcome is AttemptOutcome.SUCCEEDED)
    assert ack.uses_attempt == (ack.status is not Status.PENDING)
    assert not ack.status.is_final or ack.delay == 0


@given(st.builds(Errored, st.just(ERROR), DELAYS, st.booleans()), ATTEMPTS, ATTEMPTS)
@steady
def test_a_failed_task_always_has_an_attempt_left(error: Errored, attempt: int, max_attempts: int) -> None:
    ack = _settle(error, attempt, max_attempts)
    if attempt < max_attempts:
        assert (ack.status, ack.reason, ack.delay) == (Status.FAILED, None, error.retry_in)
    else:
        assert (ack.status, ack.reason, ack.delay) == (Status.KILLED, KillReason.EXHAUSTED, 0)
    assert ack.outcome is (AttemptOutcome.TIMED_OUT if error.timed_out else AttemptOutcome.FAILED)


@given(ATTEMPTS, ATTEMPTS)
@steady
def test_an_abort_is_final_whatever_is_left(attempt: int, max_attempts: int) -> None:
    ack = _settle(Aborted(ERROR), attempt, max_attempts)
    assert (ack.status, ack.reason, ack.error) == (Status.KILLED, KillReason.ABORTED, ERROR)


def test_a_success_keeps_its_result() -> None:
    assert _settle(Succeeded(b"42")).result == b"42"


def test_deferred_and_released_attempts_are_given_back() -> None:
    deferred, released = _settle(Deferred(9), 5, 5), _settle(Released(), 5, 5)
    assert (deferred.status, deferred.delay, deferred.uses_attempt) == (Status.PENDING, 9, False)
    assert (released.status, released.delay, released.uses_attempt) == (Status.PENDING, 0, False)


def test_a_stopped_task_is_killed() -> None:
    ack = _settle(Stopped())
    assert (ack.status, ack.reason, ack.outcome) == (Status.KILLED, KillReason.KILLED, AttemptOutcome.KILLED)
