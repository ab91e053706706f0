"""A thousand tasks a second, pushed and run, until told to end: ``python -m boards.traffic FOLDER``."""

import asyncio
import sys
import time
from pathlib import Path

from suite.process import end_with_parent

from boards.data import url
from queue_core import App

RATE = 1_000
BEATS = 20
"""Pushes a second."""


async def main(folder: Path) -> None:
    """Push in twenty small lots a second, and work."""
    end_with_parent()
    app = App(url(folder))

    @app.task(name="traffic", queue="traffic")
    async def traffic(number: int) -> int:
        return number

    async with app, app.running(concurrency=100):
        beat, number = time.monotonic(), 0
        while True:
            await traffic.push_many({"number": number + more} for more in range(RATE // BEATS))
            number += RATE // BEATS
            beat += 1 / BEATS
            await asyncio.sleep(max(0.0, beat - time.monotonic()))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
