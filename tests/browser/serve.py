"""The worker process behind the browser tests, and its tasks. A task named ``stubborn`` fails until a file lets it pass."""

import asyncio
import os
from pathlib import Path

from queue_core import INJECTED, App, WorkerContext

app = App(os.environ.get("BROWSER_STORE", "memory://"))
FOLDER = Path(os.environ.get("BROWSER_FOLDER", "."))


@app.task(queue="mail")
async def greet(name: str) -> str:
    """Succeeds at once."""
    return f"Hello, {name}."


@app.task(queue="mail", max_attempts=1)
async def stubborn(name: str) -> str:
    """Fails until the file ``pass`` exists."""
    if not (FOLDER / "pass").exists():
        raise ValueError(f"nobody told me to greet {name}")
    return f"Fine: {name}."


@app.task(queue="slow")
async def endless(*, ctx: WorkerContext = INJECTED) -> None:
    """Runs until it is killed."""
    await ctx.progress(0.25, "a quarter")
    await asyncio.sleep(3600)


async def serve() -> None:
    async with app:
        await app.work("reader", concurrency=4, lease_ttl=10)


if __name__ == "__main__":
    asyncio.run(serve())
