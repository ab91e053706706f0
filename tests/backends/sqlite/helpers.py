"""Small steps that the tests of the SQLite store are told in."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from queue_core.expose import Connected
from queue_core.ids import BootId, new_boot_id
from queue_core.task import DEFAULT_QUEUE, NewTask
from queue_core.worker_info import Registration

PATIENCE = 20.0


def new_task(name: str = "work", **changes: Any) -> NewTask:
    return NewTask(name=name, **{"args": b"{}", **changes})


async def registered(connected: Connected, name: str = "worker") -> BootId:
    boot = new_boot_id()
    await connected.backend.register(
        Registration(
            boot=boot,
            name=name,
            queues=(DEFAULT_QUEUE,),
            names=None,
            host=socket.gethostname(),
            pid=os.getpid(),
            process="this one",
            version="1",
            middleware=(),
            concurrency=4,
            lease_ttl=30.0,
        )
    )
    return boot


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.005)


async def python(script: str, *arguments: str | Path, **environment: str) -> str:
    """What ``script`` prints, run by another Python process that must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return output.decode()
