"""The main navigation, which is on every page: where one can go, and how much is there."""

from collections.abc import Mapping

from board.contexts import NavItem, NavPart
from board.screen import Ask, Fragment
from board.urls import Urls


def navigation(urls: Urls, current: str, counts: Mapping[str, int] | None = None) -> tuple[NavItem, ...]:
    """The entries of the main navigation."""
    entries = (("overview", urls.overview()), ("queues", urls.queues()), ("tasks", urls.tasks()), ("workers", urls.workers()))
    known = counts or {}
    return tuple(NavItem(name=name, label=name.capitalize(), href=href, current=name == current, count=known.get(name)) for name, href in entries)


async def nav_fragment(ask: Ask, current: str) -> Fragment:
    """The navigation with its numbers as they are now."""
    counts, workers, now = await ask.store.counts(), await ask.store.list_workers(), await ask.store.now()
    numbers = {
        "queues": len(counts),
        "tasks": sum(of_queue.live for of_queue in counts.values()),
        "workers": sum(worker.is_live(now) for worker in workers),
    }
    return Fragment(id="board-nav", template="layouts/_nav.html", context=NavPart(items=navigation(ask.urls, current, numbers)))
