"""All tasks in one list, in every state."""

from collections.abc import Mapping

from board.contexts import TasksPage
from board.screen import Ask, Screen
from board.views.lists import Listing
from board.views.rows import Crew
from queue_core.expose import Topic, queue_topic


async def tasks(ask: Ask, _: Mapping[str, str]) -> Screen:
    """The list, as its filter says."""
    listing = Listing(ask)
    crew = await Crew.of(ask)
    counts = await ask.store.counts()
    only = listing.filter.queue
    return Screen(
        template="tasks/index.html",
        page=TasksPage(heading="Tasks", tasks=listing.around(sorted(counts))),
        title="Tasks",
        nav="tasks",
        fragments=tuple(await listing.fragments(crew, counts)),
        topics=frozenset({queue_topic(only), Topic("workers")}) if only else None,
        follow=listing.follow,
    )
