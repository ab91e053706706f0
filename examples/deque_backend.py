"""A store of your own, from two functions: tasks wait in a deque of this process. Run it: python examples/deque_backend.py"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from queue_core import App, NewTask, register_backend
from queue_core.backends.custom import custom_backend
from queue_core.expose import Connected


class Deque:
    """What any place for tasks has to do: take them, and hand them out once."""

    def __init__(self) -> None:
        self.waiting: deque[NewTask] = deque()

    async def push(self, tasks: Sequence[NewTask]) -> None:
        self.waiting.extend(tasks)

    async def claim(self, queues: Sequence[str], limit: int) -> list[NewTask]:
        taken = [task for task in self.waiting if task.queue in queues][:limit]
        for task in taken:
            self.waiting.remove(task)
        return taken


def connect(url: str, **options: Any) -> Connected:
    """The store at ``deque://``: a fresh one each time."""
    place = Deque()
    return custom_backend(push=place.push, claim=place.claim, kind="Deque", location=url, codecs=options["codecs"])


register_backend("deque", connect)
app = App("deque://")


@app.task(max_attempts=3)
async def greet(name: str) -> str:
    return f"Hello, {name}."


async def main() -> None:
    async with app.running():
        first = await greet.push(name="Ada")
        later = await greet.using(run_after=0.2).push(name="Grace")
        print(await first.result(timeout=10))
        print(await later.result(timeout=10))


if __name__ == "__main__":
    asyncio.run(main())
