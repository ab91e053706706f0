"""One distinct view that somebody looks at: asked and rendered once per change, for all its readers."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from board.contexts import StatusPart
from board.live.patch import Patch, data_lines
from board.live.subscriber import Subscriber
from board.screen import Fragment, NotFound, Screen
from queue_core.expose import NotConnected, PriniaError, StoreUnavailable, TaskId, Topic

logger = logging.getLogger("prinia.board")

SETTLE: Final = 0.25
"""Seconds between two renderings of one view. The first change after quiet is shown at once."""
REFRESH: Final = 5.0
"""Seconds after which a view is asked again though nothing changed: what is late or silent is a matter of time alone."""
REST: Final = 4.0
"""How many times as long as a rendering took a view rests after it, so that no view takes more than a fifth of the time."""
FOLLOWED: Final = 200
"""Rows that left a list and are still kept up to date."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a view comes from."""

    ask: Callable[[], Awaitable[Screen]]
    render: Callable[[Fragment], str]
    cost: Callable[[], Fragment]
    """The footer that tells what the board costs."""
    spent: Callable[[float], None]
    """Told the seconds that each rendering took."""
    time_limit: float


class LiveView:
    """Asks, compares, and offers what changed. Runs from its first reader to its last."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._subscribers: set[Subscriber] = set()
        self._whole: Patch | None = None
        """All that is shown, for readers who come; made for the first of them."""
        self._wake = asyncio.Event()
        self._wake.set()
        self._screen: Screen | None = None
        self._seen: datetime | None = None
        self._since: datetime | None = None
        self._shown: dict[str, tuple[Fragment, bytes]] = {}
        """Each fragment of the page and its bytes, as last offered."""
        self._left: dict[TaskId, None] = {}
        """Rows that were shown and are not in the list now, longest gone first."""
        self._left_shown: dict[str, tuple[Fragment, bytes]] = {}
        self._task = asyncio.create_task(self._run())

    # --- readers

    @property
    def readers(self) -> int:
        """How many look at it."""
        return len(self._subscribers)

    def join(self, subscriber: Subscriber) -> None:
        """Give a new reader the whole view: what is here already, and all that comes."""
        self._subscribers.add(subscriber)
        if self._shown:
            self._whole = self._whole or Patch({id: data for id, (_, data) in self._shown.items()})
            subscriber.offer(self._whole)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a reader."""
        self._subscribers.discard(subscriber)

    def end(self) -> None:
        """Stop, and end every reader's stream."""
        self._task.cancel()
        for subscriber in self._subscribers:
            subscriber.set()

    # --- changes

    def changed(self, topics: frozenset[Topic]) -> None:
        """Something changed in the store: look again if this view depends on it."""
        if self._screen is None or self._screen.depends_on(topics):
            self._wake.set()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), REFRESH)
            self._wake.clear()  # before asking: a change that comes during the question leads to another
            started = time.perf_counter()
            await self._refresh()
            took = time.perf_counter() - started
            self._source.spent(took)
            await asyncio.sleep(max(SETTLE, REST * took))

    async def _refresh(self) -> None:
        """Ask again and offer what changed. Whatever goes wrong is said on the page, and the view goes on."""
        try:
            async with asyncio.timeout(self._source.time_limit):
                screen = await self._source.ask()
                left = await self._rows_that_left(screen)
            self._offer(screen, left)
        except Exception as error:
            self._offer_trouble(error)

    async def _rows_that_left(self, screen: Screen) -> list[Fragment]:
        """Rows that were in the list and are not now, as they are now."""
        if screen.follow is None:
            return []
        here = {fragment.row for fragment in screen.fragments if fragment.row}
        before = [fragment.row for fragment, _ in self._shown.values() if fragment.row]
        left = [id for id in (*self._left, *before) if id not in here]
        self._left = dict.fromkeys(list(dict.fromkeys(left))[-FOLLOWED:])
        return await screen.follow(list(self._left)) if self._left else []

    def _offer(self, screen: Screen, left: Iterable[Fragment]) -> None:
        status = status_fragment()
        shown = {fragment.id: self._rendered(fragment) for fragment in (status, *screen.fragments)}
        left_shown = {fragment.id: self._rendered(fragment) for fragment in left}
        changed = self._different({**shown, **left_shown})
        self._screen, self._seen, self._since = screen, datetime.now(UTC), None
        if changed:
            cost = self._source.cost()
            shown[cost.id] = self._rendered(cost)
            changed[cost.id] = shown[cost.id][1]
        else:
            shown.update({id: self._shown[id] for id in ("board-cost",) if id in self._shown})
        self._shown, self._left_shown, self._whole = shown, left_shown, None
        self._send(changed)

    def _rendered(self, fragment: Fragment) -> tuple[Fragment, bytes]:
        """The bytes of a fragment; those that were made last time if it says the same."""
        known = self._shown.get(fragment.id) or self._left_shown.get(fragment.id)
        return known if known and known[0] == fragment else (fragment, data_lines(self._source.render(fragment)))

    def _different(self, now: dict[str, tuple[Fragment, bytes]]) -> dict[str, bytes]:
        before = {**self._left_shown, **self._shown}
        return {id: data for id, (_, data) in now.items() if id not in before or before[id][1] != data}

    def _send(self, changed: dict[str, bytes]) -> None:
        if not changed:
            return
        patch = Patch(changed)
        for subscriber in self._subscribers:
            subscriber.offer(patch)

    # --- trouble

    def _offer_trouble(self, error: Exception) -> None:
        """Say what is wrong in the page's status line; what was shown stays."""
        self._since = self._since or datetime.now(UTC)
        fragments = [status_fragment(_trouble(error, since=self._since, seen=self._seen))]
        if isinstance(error, NotFound) and self._screen:
            fragments += self._screen.gone
        rendered = {fragment.id: self._rendered(fragment) for fragment in fragments}
        changed = self._different(rendered)
        self._shown.update(rendered)
        self._whole = None
        self._send(changed)


def status_fragment(status: StatusPart | None = None) -> Fragment:
    """The page's status line: empty while all is well."""
    well = StatusPart(level="ok", text="", since=None, seen=None)
    return Fragment(id="board-status", template="layouts/_status.html", context=status or well)


def _trouble(error: Exception, *, since: datetime, seen: datetime | None) -> StatusPart:
    match error:
        case NotFound():
            return StatusPart(level="broken", text=f"{error} What is shown here is from before.", since=since, seen=seen)
        case StoreUnavailable() | NotConnected():
            return StatusPart(level="stale", text=str(error), since=since, seen=seen)
        case TimeoutError():
            return StatusPart(level="stale", text="The store takes too long to answer.", since=since, seen=seen)
        case PriniaError():
            return StatusPart(level="broken", text=str(error), since=since, seen=seen)
        case _:
            logger.error("A live view cannot be shown.", exc_info=error)
            text = "This page cannot be brought up to date because of an error in the board; its log says more. It tries again by itself."
            return StatusPart(level="broken", text=text, since=since, seen=seen)
