"""The same promises where processes tell one another nothing, and look for commits instead."""

import asyncio
from pathlib import Path

import pytest

from queue_core import App
from queue_core.backends.sqlite.datagrams import folder_of
from queue_core.conformance.conftest import another, clock, connected
from queue_core.conformance.test_kill import *  # noqa: F403
from queue_core.conformance.test_pause import *  # noqa: F403
from queue_core.conformance.test_push import *  # noqa: F403
from queue_core.conformance.test_rescue import *  # noqa: F403
from queue_core.conformance.test_wait_for import *  # noqa: F403
from queue_core.conformance.test_wakeups import *  # noqa: F403
from queue_core.conformance.test_watch import *  # noqa: F403
from queue_core.expose import connect, queue_topic
from queue_core.ids import new_boot_id
from tests.backends.sqlite.helpers import PATIENCE, python
from tests.backends.sqlite.test_processes import PUSH
from tests.core.steps import working

__all__ = ["another", "clock", "connected"]


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}?mode=poll"


async def test_no_socket_is_made_and_none_is_told(url: str, path: Path) -> None:
    store = connect(url)
    await store.backend.open()
    async with store.backend.wakeups(new_boot_id(), ["default"]):
        await python(PUSH, url, "default")
        assert not folder_of(path).exists()
    await store.backend.close()


@pytest.mark.parametrize("mode", ["poll", "listen"])
async def test_a_push_elsewhere_is_noticed_whatever_mode_it_was_made_in(url: str, path: Path, mode: str) -> None:
    store = connect(url)
    await store.backend.open()
    watch = store.expose.watch()
    await anext(watch)
    async with store.backend.wakeups(new_boot_id(), ["default"]) as wakeups:
        while await wakeups.wait(0.05):
            pass
        await python(PUSH, f"sqlite:///{path}?mode={mode}", "default")
        assert await wakeups.wait(PATIENCE)
    seen = set(await asyncio.wait_for(anext(watch), PATIENCE))
    while queue_topic("default") not in seen:
        seen |= await asyncio.wait_for(anext(watch), PATIENCE)
    await store.backend.close()


async def test_a_worker_and_whoever_waits_for_results_hear_of_one_another(url: str) -> None:
    async with App(url) as producer, App(url) as app:

        async def work(number: int) -> int:
            return number

        app.task(work)
        step = producer.task(work)
        async with working(app, poll=3_600.0):
            handles = [await step.push(number) for number in range(20)]
            assert [await handle.result(timeout=PATIENCE) for handle in handles] == list(range(20))
