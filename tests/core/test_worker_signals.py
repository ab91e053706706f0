"""SIGTERM and SIGINT: the first stops a worker gracefully, the second at once."""

import asyncio
import os
import signal

import pytest

from queue_core import App, Status
from tests.core.steps import PATIENCE, eventually


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_one_signal_lets_running_tasks_end(app: App, number: signal.Signals) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    @app.task
    async def work() -> str:
        started.set()
        await gate.wait()
        return "finished"

    handle = await work.push()
    working = asyncio.create_task(app.work())
    await asyncio.wait_for(started.wait(), PATIENCE)
    os.kill(os.getpid(), number)
    later = await work.push()
    gate.set()
    await asyncio.wait_for(working, PATIENCE)
    assert await handle.result(timeout=0) == "finished"
    assert (await later.fetch()).status is Status.PENDING


async def test_a_second_signal_cancels_and_gives_back(app: App) -> None:
    started = asyncio.Event()

    @app.task
    async def endless() -> None:
        started.set()
        await asyncio.sleep(3_600)

    handle = await endless.push()
    worker = app.worker(shutdown_timeout=3_600)
    working = asyncio.create_task(worker.run(signals=True))
    await asyncio.wait_for(started.wait(), PATIENCE)
    os.kill(os.getpid(), signal.SIGTERM)
    await eventually(lambda: worker.phase == "stopping")
    assert not working.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(working, PATIENCE)
    task = await handle.fetch()
    assert (task.status, task.attempts) == (Status.PENDING, 0)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
