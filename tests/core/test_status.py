"""States and which requests each allows: lifecycle.md's table, said again."""

import pytest

from queue_core.status import DELETABLE, FINAL, KILLABLE, LEASED, RESCHEDULABLE, RETRYABLE, WAITING, KillReason, Status

TABLE = {
    #                  final  leased waiting retry  kill   move   delete
    Status.PENDING: (False, False, True, False, True, True, False),
    Status.QUEUED: (False, True, False, False, True, False, False),
    Status.RUNNING: (False, True, False, False, True, False, False),
    Status.DONE: (True, False, False, True, False, False, True),
    Status.FAILED: (False, False, True, True, True, True, False),
    Status.KILLED: (True, False, False, True, False, False, True),
}


@pytest.mark.parametrize("status", Status)
def test_each_state_allows_what_the_table_says(status: Status) -> None:
    sets = (FINAL, LEASED, WAITING, RETRYABLE, KILLABLE, RESCHEDULABLE, DELETABLE)
    assert tuple(status in allowed for allowed in sets) == TABLE[status]
    assert (status.is_final, status.is_leased) == TABLE[status][:2]


def test_every_state_is_final_leased_or_waiting_and_only_one_of_them() -> None:
    assert set(Status) == FINAL | LEASED | WAITING
    assert len(FINAL) + len(LEASED) + len(WAITING) == len(Status)


def test_states_have_the_seeds_names() -> None:
    assert [status.value for status in Status] == ["Pending", "Queued", "Running", "Done", "Failed", "Killed"]


def test_reasons_are_words_for_people() -> None:
    assert {reason.value for reason in KillReason} == {"exhausted", "aborted", "killed", "crashed", "expired", "upstream"}
