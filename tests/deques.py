"""Stores of functions: what waits is in a deque, one for each URL."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from queue_core import NewTask
from queue_core.backends.custom import Ledger, custom_backend
from queue_core.clock import Clock
from queue_core.expose import Connected
from queue_core.ids import QueueName


class Place:
    """Where the tasks of one URL wait, and what is known of them."""

    def __init__(self, clock: Clock | None) -> None:
        self.waiting: deque[NewTask] = deque()
        self.ledger = Ledger(clock)
        self._lock = threading.Lock()

    async def push(self, tasks: Sequence[NewTask]) -> None:
        self.waiting.extend(tasks)

    def claim(self, queues: Sequence[QueueName], limit: int) -> list[NewTask]:
        with self._lock:
            taken = [task for task in self.waiting if task.queue in queues][:limit]
            for task in taken:
                self.waiting.remove(task)
            return taken


_places: dict[str, Place] = {}


def connect(url: str, *, clock: Clock | None = None, codecs: Any, **options: Any) -> Connected:
    """The store at ``url``; whoever names it again reaches the same tasks."""
    place = _places.setdefault(url, Place(clock))
    return custom_backend(push=place.push, claim=place.claim, ledger=place.ledger, kind="Deque", location=url, codecs=codecs)
