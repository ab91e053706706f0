"""Queues: all of them, and one with its tasks."""

import asyncio
from collections.abc import Mapping
from typing import Final

from board.contexts import QueueHeadPart, QueuePage, QueuesPage, QueuesPart, QueueWorkersPart
from board.filters import visible
from board.params import short
from board.screen import Ask, Fragment, NotFound, Screen
from board.views.lists import Listing
from board.views.overview import counts_of, throughput_of
from board.views.rows import Crew, last_durations, last_hour, queue_problem, queue_row, worker_row
from queue_core.expose import QueueName, Topic, queue_topic

SHOWN: Final = 100


async def queues(ask: Ask, _: Mapping[str, str]) -> Screen:
    """Every queue."""
    known = await ask.store.list_queues()
    crew = await Crew.of(ask)
    rows = [await queue_row(ask, queue, crew) for queue in known[:SHOWN]]
    part = QueuesPart(queues=tuple(rows), more=len(known) - len(rows))
    return Screen(
        template="queues/index.html",
        page=QueuesPage(heading="Queues"),
        title="Queues",
        nav="queues",
        fragments=(Fragment(id="queues-list", template="queues/_list.html", context=part),),
    )


async def queue(ask: Ask, named: Mapping[str, str]) -> Screen:
    """One queue. Raises NotFound when nobody ever named it."""
    name = QueueName(named["queue"])
    info = await ask.store.fetch_queue(name)
    if info is None:
        raise NotFound(f"There is no queue {short(name)}. A queue exists from its first task or worker on.")
    crew = await Crew.of(ask)
    listing = Listing(ask, name)
    row, hour, took = await asyncio.gather(queue_row(ask, info, crew), last_hour(ask, crew.now, info), last_durations(ask, crew.now, info))
    workers = QueueWorkersPart(workers=tuple(worker_row(ask, worker, crew.now) for worker in crew.serving(name)), problem=queue_problem(info, crew))
    return Screen(
        template="queues/show.html",
        page=QueuePage(name=visible(name), tasks=listing.around([])),
        title=visible(name),
        nav="queues",
        fragments=(
            Fragment(id="queue-head", template="queues/_head.html", context=QueueHeadPart(queue=row)),
            Fragment(id="queue-counts", template="queues/_counts.html", context=counts_of(ask, [info], one=True)),
            Fragment(id="queue-throughput", template="queues/_throughput.html", context=throughput_of(hour, took)),
            Fragment(id="queue-workers", template="queues/_workers.html", context=workers),
            *await listing.fragments(crew, {name: info.counts}),
        ),
        topics=frozenset({queue_topic(name), Topic("queues"), Topic("workers")}),
        follow=listing.follow,
    )
