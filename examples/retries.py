"""A task decides its own fate: try again after a pause, wait a moment, or give up for good.

python examples/retries.py
"""

import asyncio

from queue_core import INJECTED, AbortError, App, AttemptNumber, Retry, TaskKilled

app = App("sqlite:///retries.db")


@app.task(max_attempts=5, timeout=10, retry=Retry(backoff="exponential", min=0.05, max=1))
async def fetch(url: str, attempt: AttemptNumber = INJECTED) -> str:
    if url.startswith("ftp:"):
        raise AbortError(f"{url} is not a web address")  # no second attempt would mend that
    if attempt < 3:
        raise ConnectionError(f"{url} answered 503")  # the next attempt follows after a pause that grows
    return f"{url} answered 200 on attempt {attempt}"


async def main() -> None:
    async with app.running():
        task = await fetch.push(url="https://example.com")
        print(await task.result(timeout=20))
        try:
            await (await fetch.push(url="ftp://example.com")).result(timeout=20)
        except TaskKilled as killed:
            print(killed)


if __name__ == "__main__":
    asyncio.run(main())
