"""Bells: how a change in one thread wakes those that wait for it in others."""

import asyncio
import threading
from collections.abc import Hashable, Iterable


class Bell:
    """Remembers what rang until its one waiter, in the event loop that made it, asks."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rang: set[Hashable] = set()
        self._event = asyncio.Event()
        self._lock = threading.Lock()
        self.closed = False

    def ring(self, key: Hashable) -> None:
        """Remember ``key`` and wake the waiter. From any thread."""
        with self._lock:
            first = not self._rang
            self._rang.add(key)
        if first:
            self._wake()

    def close(self) -> None:
        """Wake the waiter for the last time. From any thread."""
        self.closed = True
        self._wake()

    async def wait(self, timeout: float | None = None) -> set[Hashable]:
        """What rang since the last call; waits for the first, or until the bell is closed. Empty after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while not self._rang and not self.closed:  # a late wake-up may come for what was taken already
                    await self._event.wait()
                    self._event.clear()
        except TimeoutError:
            return set()
        with self._lock:
            rang, self._rang = self._rang, set()
        return rang

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # its loop is closed: nobody waits any more
            self.closed = True


class Switchboard:
    """Which bells ring for which keys. A bell without keys rings for all."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, set[Bell]] = {}
        self._for_all: set[Bell] = set()
        self._lock = threading.Lock()

    def connect(self, bell: Bell, keys: Iterable[Hashable] | None = None) -> None:
        """From now on ring ``bell`` for ``keys``; None: for every key that concerns everybody."""
        with self._lock:
            if keys is None:
                self._for_all.add(bell)
            for key in keys or ():
                self._by_key.setdefault(key, set()).add(bell)

    def disconnect(self, bell: Bell, keys: Iterable[Hashable] | None = None) -> None:
        """Undo ``connect``."""
        with self._lock:
            self._for_all.discard(bell)
            for key in keys or ():
                self._forget(bell, key)

    def announce(self, key: Hashable) -> None:
        """Ring the bells that ring for all."""
        with self._lock:
            bells = tuple(self._for_all)
        for bell in bells:
            bell.ring(key)

    def ring(self, key: Hashable) -> None:
        """Ring the bells of ``key``."""
        with self._lock:
            bells = tuple(self._by_key.get(key, ()))
        for bell in bells:
            bell.ring(key)

    def ring_everything(self) -> None:
        """Ring every bell that waits for particular keys: time was moved, so anything may be due."""
        with self._lock:
            rings = [(bell, key) for key, bells in self._by_key.items() for bell in bells]
        for bell, key in rings:
            bell.ring(key)

    def _forget(self, bell: Bell, key: Hashable) -> None:
        bells = self._by_key.get(key, set())
        bells.discard(bell)
        if not bells:
            self._by_key.pop(key, None)
