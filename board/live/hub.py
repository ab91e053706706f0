"""One hub a store: learns what changed, and wakes the views that depend on it. Costs nothing while nobody looks."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from board.contexts import CostPart
from board.live.subscriber import Subscriber
from board.live.view import SETTLE, LiveView, Source
from board.screen import Fragment, Screen
from queue_core.expose import ALL_TOPICS, Action, Outage, Topic, Watch

logger = logging.getLogger("prinia.board")

MINUTE: Final = 60.0
AGAIN: Final = 1.0
"""Seconds before a watch that broke is tried again."""


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a view distinct: the page, under which prefix, and what its readers may do."""

    address: str
    """``/tasks?status=Done``, relative to the store's root."""
    root: str
    may: frozenset[Action]


class Hub:
    """All live views of one store, on one event loop."""

    def __init__(self, store: Watch, show: Callable[[Key], Awaitable[Screen]], render: Callable[[Fragment], str], *, time_limit: float) -> None:
        self._store = store
        self._show = show
        self._render = render
        self._time_limit = time_limit
        self._views: dict[Key, LiveView] = {}
        self._spent: deque[tuple[float, float]] = deque(maxlen=10_000)
        self._ears: set[Ear] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._ended = False
        self._outage = Outage(logger, "The board", "watch its store")

    async def messages(self, key: Key, subscriber: Subscriber) -> AsyncIterator[bytes]:
        """The event stream of one reader."""
        view = self._join(key, subscriber)
        try:
            async for message in subscriber.messages():
                yield message
        finally:
            self._leave(key, view, subscriber)

    async def changes(self) -> AsyncIterator[frozenset[Topic]]:
        """What changes in the store, gathered while the reader is busy: everything at first, so that a reader who looks then misses nothing."""
        ear = Ear()
        self._ears.add(ear)
        self._start_watching()
        try:
            while not self._ended:
                yield await ear.heard()
                await asyncio.sleep(SETTLE)
        finally:
            self._ears.discard(ear)
            self._stop_watching()

    def end(self) -> None:
        """End every stream; those that come later end at once."""
        self._ended = True
        for ear in self._ears:
            ear.hear(frozenset({ALL_TOPICS}))
        if self._watcher:
            self._watcher.cancel()
        for view in self._views.values():
            view.end()

    def cost(self) -> Fragment:
        """The footer of live pages: what all this costs."""
        now = time.monotonic()
        recent = [took for at, took in self._spent if now - at < MINUTE]
        part = CostPart(
            viewers=sum(view.readers for view in self._views.values()),
            views=len(self._views),
            renders_per_minute=len(recent),
            busy=round(sum(recent) / MINUTE, 4),
        )
        return Fragment(id="board-cost", template="layouts/_cost.html", context=part)

    # --- readers

    def _join(self, key: Key, subscriber: Subscriber) -> LiveView:
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = LiveView(self._source(key))
        view.join(subscriber)
        if self._ended:
            subscriber.set()
        self._start_watching()
        return view

    def _leave(self, key: Key, view: LiveView, subscriber: Subscriber) -> None:
        view.leave(subscriber)
        if not view.readers:
            view.end()
            if self._views.get(key) is view:
                del self._views[key]
        self._stop_watching()

    def _source(self, key: Key) -> Source:
        return Source(
            ask=lambda: self._show(key),
            render=self._render,
            cost=self.cost,
            spent=lambda took: self._spent.append((time.monotonic(), took)),
            time_limit=self._time_limit,
        )

    # --- changes

    def _start_watching(self) -> None:
        if not self._ended and (self._watcher is None or self._watcher.done()):
            self._watcher = asyncio.create_task(self._watch())

    def _stop_watching(self) -> None:
        """Stop when nobody looks any more."""
        if self._watcher and not self._views and not self._ears:
            self._watcher.cancel()
            self._watcher = None

    async def _watch(self) -> None:
        """Pass on what changed, for as long as somebody looks: also when the store was closed meanwhile, which the next look opens again."""
        while True:
            try:
                async for topics in self._store.watch():
                    self._outage.worked()
                    self._tell(topics)
            except Exception as error:
                self._outage.failed(error)
            self._tell(frozenset({ALL_TOPICS}))
            await asyncio.sleep(AGAIN)

    def _tell(self, topics: frozenset[Topic]) -> None:
        for view in tuple(self._views.values()):
            view.changed(topics)
        for ear in self._ears:
            ear.hear(topics)


class Ear:
    """Gathers what changed until somebody asks; at first that is everything."""

    def __init__(self) -> None:
        self._topics: set[Topic] = set()
        self._wake = asyncio.Event()
        self.hear(frozenset({ALL_TOPICS}))

    def hear(self, topics: frozenset[Topic]) -> None:
        """Remember what changed."""
        self._topics |= topics
        self._wake.set()

    async def heard(self) -> frozenset[Topic]:
        """All that changed since the last time, as soon as there is something."""
        await self._wake.wait()
        self._wake.clear()
        topics, self._topics = frozenset(self._topics), set()
        return topics
