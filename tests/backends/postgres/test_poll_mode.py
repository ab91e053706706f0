"""The same promises through a transaction pooler, which lends a connection for one transaction at a time."""

import logging
from collections.abc import Iterator

import pytest

from queue_core import App
from queue_core.backends.postgres import signals
from queue_core.conformance.conftest import another, clock, connected
from queue_core.conformance.test_ack import *  # noqa: F403
from queue_core.conformance.test_claim import *  # noqa: F403
from queue_core.conformance.test_heartbeat import *  # noqa: F403
from queue_core.conformance.test_kill import *  # noqa: F403
from queue_core.conformance.test_list_tasks import *  # noqa: F403
from queue_core.conformance.test_pause import *  # noqa: F403
from queue_core.conformance.test_prune import *  # noqa: F403
from queue_core.conformance.test_push import *  # noqa: F403
from queue_core.conformance.test_register import *  # noqa: F403
from queue_core.conformance.test_rescue import *  # noqa: F403
from queue_core.conformance.test_wait_for import *  # noqa: F403
from queue_core.conformance.test_wakeups import *  # noqa: F403
from queue_core.conformance.test_watch import *  # noqa: F403
from queue_core.errors import StoreUnavailable
from queue_core.expose import connect
from tests.core.steps import PATIENCE, working
from tests.pooler import Pooler

__all__ = ["another", "clock", "connected"]
pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def pooler(pg_url: str) -> Iterator[Pooler]:
    with Pooler(pg_url, 4) as pooler:
        yield pooler


@pytest.fixture
def url(pooler: Pooler, postgres_store: str) -> str:
    """An empty store, by way of the pooler."""
    return f"{pooler.url}?{postgres_store.partition('?')[2]}&mode=poll"


async def test_a_worker_runs_tasks_through_a_pooler(url: str) -> None:
    async with App(url) as producer, App(url) as app:

        async def work(number: int) -> int:
            return number

        app.task(work)
        step = producer.task(work)
        async with working(app, poll=3_600.0):
            handles = [await step.push(number) for number in range(20)]
            assert [await handle.result(timeout=PATIENCE) for handle in handles] == list(range(20))


async def test_a_pooler_is_named_to_whoever_did_not_ask_for_poll_mode(pooler: Pooler, postgres_store: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"A transaction pooler seems to be in between: add \?mode=poll to the store's URL"):
        await connect(f"{pooler.url}?{postgres_store.partition('?')[2]}").backend.open()


async def test_where_no_message_is_heard_changes_are_looked_for_after_one_warning(
    pg_url: str, postgres_store: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(signals, "ANSWER_LIMIT", 0.3)
    monkeypatch.setattr(signals.Signals, "_receive", lambda *_: None)
    caplog.set_level(logging.WARNING, "prinia.postgres")
    async with App(postgres_store) as producer, App(postgres_store) as app:

        async def work(number: int) -> int:
            return number

        app.task(work)
        step = producer.task(work)
        async with working(app, poll=3_600.0):
            for number in range(3):
                assert await (await step.push(number)).result(timeout=PATIENCE) == number
        warnings = [record.message for record in caplog.records if "does not answer to LISTEN" in record.message]
        assert len(warnings) == 2, "one of each process"
        assert "?mode=poll" in warnings[0]
