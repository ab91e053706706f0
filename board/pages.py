"""What GET answers: pages, their fragments, single rows, payloads as text, and the live stream."""

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from board import params
from board.live.patch import SEPARATOR
from board.live.stream import live as stream_of
from board.live.view import status_fragment
from board.params import Query
from board.payloads import as_text
from board.screen import Fragment, NotFound, Screen
from board.site import Site, Visit, canonical, view_at
from board.urls import name_of
from board.views.rows import rows_of
from board.views.task import find, stored
from queue_core.expose import InvalidValue, StoreUnavailable, TaskId

VARY = {"Vary": "HX-Request, HX-Target"}
PARTS = ("arguments", "result", "checkpoint", "metadata")
PATCH = {"Prinia-Patch": "true"}


async def page(visit: Visit) -> Response:
    """A page, or the one fragment of it that htmx asks for."""
    address = visit.address
    screen = await _asked(visit, address)
    fragments = (status_fragment(), *screen.fragments, visit.site.hub.cost())
    wanted = _wanted(visit, fragments)
    html = visit.site.renderer.fragment(wanted) if wanted else _whole(visit, screen, fragments, address)
    return HTMLResponse(html, headers=VARY)


async def _asked(visit: Visit, address: str) -> Screen:
    async with asyncio.timeout(visit.site.settings.time_limit):
        return await visit.site.show(visit.ask(address))


def _wanted(visit: Visit, fragments: Iterable[Fragment]) -> Fragment | None:
    target = visit.request.headers.get("hx-target") if visit.is_htmx else None
    return next((fragment for fragment in fragments if fragment.id == target), None)


def _whole(visit: Visit, screen: Screen, fragments: Iterable[Fragment], address: str) -> str:
    query = Query.parse(visit.request.scope["query_string"].decode("latin-1"))
    shell = visit.shell(screen.nav, live=address, notices=visit.site.notices.fetch(query.get("said")))
    return visit.site.renderer.page(screen.template, shell, screen.page, fragments)


async def rows(visit: Visit) -> Response:
    """Single rows of a list as they are now: for a page that missed something."""
    query = Query.parse(visit.request.scope["query_string"].decode("latin-1"))
    ids = [TaskId(id) for id in query.all("id")[: params.MAX_ROWS]]
    await visit.site.ready()
    return patch(visit.site, await rows_of(visit.ask(_seen_on(visit)), ids))


def _seen_on(visit: Visit) -> str:
    """The page that asks for rows, so that they lead back to it; the list of all tasks when it does not say."""
    parts = urlsplit(visit.request.headers.get("referer", ""))
    root = visit.urls.root
    inside = parts.path[len(root) :] if parts.path.startswith(f"{root}/") else "/tasks"
    try:
        return canonical(f"{inside}?{parts.query}" if parts.query else inside)
    except InvalidValue:
        return "/tasks"


async def text(visit: Visit) -> Response:
    """Arguments, result or metadata of a task, whole, as plain text."""
    part, ask = visit.request.path_params["part"], visit.ask("/tasks")
    if part not in PARTS:
        raise NotFound("The board has no such page.")
    await visit.site.ready()
    task = await find(ask, name_of(visit.request.path_params["id"]))
    data, codec = stored(task, part)
    if data is None:
        raise NotFound("This task has no result.")
    whole = as_text(data, codec, name=task.name, codecs=ask.store.codecs, redact=ask.redact)
    headers = {"Content-Disposition": f'inline; filename="{part}.txt"', "Content-Security-Policy": "default-src 'none'; sandbox"}
    return PlainTextResponse(whole.text, headers=headers)


async def live(visit: Visit) -> Response:
    """The event stream of a page."""
    query = Query.parse(visit.request.scope["query_string"].decode("latin-1"))
    key = visit.key(query.get("view") or "/")
    view_at(key.address.partition("?")[0])  # raises NotFound before a stream begins
    try:
        await visit.site.ready()
    except StoreUnavailable:
        pass  # the stream says so, and goes on as soon as the store is back
    return stream_of(visit.site.hub, key)


def patch(site: Site, fragments: Iterable[Fragment], status: int = 200) -> Response:
    """Fragments to be put in their places by id."""
    html = f"{SEPARATOR}\n".join(site.renderer.fragment(fragment) for fragment in fragments)
    return HTMLResponse(html, status, headers=PATCH)
