"""Push a task, run it, get its result: the whole of Prinia on one screen.

python examples/hello.py
"""

import asyncio

from queue_core import App

app = App("sqlite:///hello.db")


@app.task
async def greet(name: str) -> str:
    return f"Hello, {name}!"


async def main() -> None:
    async with app.running():  # a worker inside this process; in production: prinia worker hello:app
        task = await greet.push(name="Ada")
        print(await task.result(timeout=10))


if __name__ == "__main__":
    asyncio.run(main())
