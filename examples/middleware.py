"""Middleware around every run: errors become decisions, blips are tried again, a limit is kept, and somebody looks on.

python examples/middleware.py
"""

import asyncio
from typing import Any

from queue_core import AbortError, App, Call, Next, Retry, TaskKilled
from queue_core.middleware import Catch, Concurrency, Retries, Timeout

tries = 0


class NotFound(Exception): ...


async def told(call: Call, next: Next) -> Any:
    try:
        return await next(call)
    finally:
        print(f"{call.arguments['city']}: {tries} runs so far, attempt {call.context.attempt}")


app = App(
    "sqlite:///middleware.db",
    # the first is outermost
    middleware=[told, Catch({NotFound: AbortError}), Concurrency(2), Retries(3, retry=Retry(min=0.01, max=0.1), when=OSError), Timeout(5)],
)


@app.task
async def weather(city: str) -> str:
    global tries
    tries += 1
    if city == "Atlantis":
        raise NotFound(city)
    if tries < 3:
        raise ConnectionError("the line is bad")
    return f"{city}: sunny"


async def main() -> None:
    async with app.running():
        for city in ("Oslo", "Atlantis"):
            handle = await weather.push(city)
            try:
                print(await handle.result(timeout=20))
            except TaskKilled as killed:
                print(killed)


if __name__ == "__main__":
    asyncio.run(main())
