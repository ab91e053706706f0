"""A worker's machine whose clock is wrong: only the server's time counts."""

import sys
import time
from datetime import UTC, datetime, timedelta, tzinfo

import asyncpg
import pytest

from queue_core import App
from queue_core.backend import Retention
from queue_core.conformance.helpers import registered
from queue_core.expose import connect
from queue_core.status import Status
from tests.core.steps import PATIENCE, becomes, working

pytestmark = pytest.mark.postgres
HOUR = 3_600.0


class _Moment(type):
    """Lets every moment pass for one of the wrong clock."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


@pytest.fixture(params=[HOUR, -HOUR], ids=["an hour fast", "an hour slow"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each module of the queue that asks what time it is hears something wrong."""

    class Wrong(datetime, metaclass=_Moment):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=request.param)

    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + request.param)
    for name, module in list(sys.modules.items()):
        if name.startswith("queue_core") and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Wrong)


@pytest.mark.usefixtures("wrong_clock")
async def test_a_machine_whose_clock_is_wrong_takes_no_task_too_early_or_too_late_and_declares_nobody_lost(postgres_store: str) -> None:
    server = await asyncpg.connect(postgres_store.partition("?")[0])
    elsewhere = connect(postgres_store)
    await elsewhere.backend.open()
    await registered(elsewhere, "steady", lease_ttl=HOUR / 2)
    async with App(postgres_store) as app:

        @app.task
        async def work(n: int) -> int:
            return n

        now = await server.fetchval("SELECT statement_timestamp()")
        pushed = [await work.using(run_after=after).push(n=0) for after in (0, 0.2, HOUR / 2)]
        unique = [await work.using(key="k", unique=HOUR / 2).push(n=1) for _ in range(2)]
        expiring = await work.using(expires_at=now + timedelta(seconds=HOUR / 2), queue="nobody").push(n=2)
        async with working(app, lease_ttl=1, heartbeat_every=0.2, housekeeping=0.05, retention=Retention(done=HOUR / 2)):
            for handle in (*pushed[:2], unique[0]):
                await handle.result(timeout=PATIENCE)
            assert (await app.backend.rescue()).workers == ()
            assert (await pushed[2].fetch()).status is Status.PENDING
            await becomes(expiring, Status.PENDING)
        assert (await pushed[0].fetch()).status is Status.DONE, "it is not old enough to be pruned"
        delayed = await pushed[1].fetch()
        assert delayed.started_at is not None and delayed.started_at >= delayed.run_at
        for task in (await pushed[0].fetch(), await unique[0].fetch()):
            assert task.done_at is not None
            assert abs((task.created_at - now).total_seconds()) < 60 > abs((task.done_at - now).total_seconds())
        assert not unique[1].created
        assert abs((await app.expose.now() - datetime.now(UTC)).total_seconds()) < 60
    await elsewhere.backend.close()
    await server.close()
