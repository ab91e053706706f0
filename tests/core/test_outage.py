"""What a log says of something that cannot be used for a while."""

import logging
import time

import pytest

from queue_core.outage import REMIND_EVERY, Outage


@pytest.fixture
def outage() -> Outage:
    return Outage(logging.getLogger("prinia.test"), "Worker ada", "use the store")


def test_an_outage_is_told_at_its_beginning_and_at_its_end(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    outage.worked()
    for _ in range(50):
        outage.failed(ConnectionError("it is locked."))
    outage.worked()
    outage.worked()
    [began, ended] = caplog.messages
    assert began == "Worker ada cannot use the store, and tries again until it can: it is locked."
    assert ended.startswith("Worker ada can use the store again, after 0.")


def test_a_long_outage_is_brought_to_mind_once_a_minute(outage: Outage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(150):
        outage.failed(TimeoutError())
        now += 1.0
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
    assert caplog.messages[1] == f"Worker ada has not been able to use the store for {REMIND_EVERY:.0f} s, and tries again: TimeoutError."
