"""One store's part of the board: its store, its hub, its renderer; and one visit to it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request

from board._resources import STATIC
from board.assets import fingerprint
from board.contexts import Notice, Shell, StoreLink
from board.live.hub import Hub, Key
from board.notices import Notices
from board.opening import ONLY, Opening
from board.params import Here, Query
from board.rendering import Renderer
from board.screen import Ask, NotFound, Screen, View
from board.security import Permissions, actor_of, permissions
from board.settings import VERSION, Settings
from board.urls import Urls, name_of, segment
from board.views.nav import nav_fragment, navigation
from board.views.overview import overview
from board.views.queues import queue, queues
from board.views.task import task
from board.views.tasks import tasks
from board.views.workers import worker, workers
from queue_core.expose import Action, Actor, Expose, InvalidValue, StoreUnavailable

STATIC_VERSION: Final = fingerprint(STATIC)


def view_at(path: str) -> tuple[View, Mapping[str, str]]:
    """The page at a path, with what its address names. Raises NotFound."""
    match path.strip("/").split("/"):
        case [""]:
            return overview, {}
        case ["queues"]:
            return queues, {}
        case ["queues", name]:
            return queue, {"queue": name_of(name)}
        case ["tasks"]:
            return tasks, {}
        case ["tasks", id]:
            return task, {"id": name_of(id)}
        case ["workers"]:
            return workers, {}
        case ["workers", boot]:
            return worker, {"boot": name_of(boot)}
        case _:
            raise NotFound("The board has no such page.")


class Site:
    """What all visits to one store share."""

    def __init__(self, name: str, store: Expose, settings: Settings, renderer: Renderer) -> None:
        self.name = name
        self.store = store
        self.settings = settings
        self.renderer = renderer
        self.notices = Notices()
        self.opening = Opening(store)
        self._hub: tuple[asyncio.AbstractEventLoop, Hub] | None = None

    @property
    def hub(self) -> Hub:
        """The hub on the running event loop."""
        loop = asyncio.get_running_loop()
        if self._hub is None or self._hub[0] is not loop:
            self._hub = (loop, Hub(self.store, self._show_live, self.renderer.fragment, time_limit=self.settings.time_limit))
        return self._hub[1]

    async def _show_live(self, key: Key) -> Screen:
        return await self.show(self.ask(Urls(key.root), key.may, key.address))

    def ask(self, urls: Urls, may: frozenset[Action], address: str) -> Ask:
        """The question that the page at an address puts."""
        return Ask(store=self.store, urls=urls, may=may, here=Here.parse(address), back=address, redact=self.settings.redact)

    async def show(self, ask: Ask) -> Screen:
        """The page that is asked for. Raises NotFound, InvalidValue, StoreUnavailable."""
        await self.ready()
        view, named = view_at(ask.here.path)
        screen = await view(ask, named)
        return replace(screen, fragments=(await nav_fragment(ask, screen.nav), *screen.fragments))

    async def ready(self) -> None:
        """Open the store unless it is open. Raises StoreUnavailable, also where only its operator can help: no visitor can correct its URL."""
        try:
            await self.opening.ready()
        except InvalidValue as error:
            raise StoreUnavailable(str(error)) from error

    def end_streams(self) -> None:
        """End every live page's stream."""
        if self._hub:
            self._hub[1].end()

    async def close(self) -> None:
        """End the streams and close the store."""
        self.end_streams()
        await self.opening.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Where a request came in, before it is known what its sender may do."""

    site: Site
    sites: tuple[Site, ...]
    """All sites of the board."""
    board_root: str
    """Prefix of the whole board."""
    outer: Request
    """The request as the host's server sent it: what ``authorize`` sees."""

    @property
    def urls(self) -> Urls:
        """Addresses within this site."""
        return Urls(root_of(self.site, self.board_root))


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request to a site: who sent it, and what they may do."""

    arrival: Arrival
    request: Request
    permissions: Permissions

    @classmethod
    async def of(cls, request: Request) -> "Visit":
        """Find out who is there. Raises Forbidden for those who may not even look."""
        arrival: Arrival = request.scope["prinia.arrival"]
        allowed = await permissions(arrival.outer, arrival.site.settings)
        allowed.require(Action.VIEW)
        return cls(arrival=arrival, request=request, permissions=allowed)

    @property
    def site(self) -> Site:
        """The site that is visited."""
        return self.arrival.site

    @property
    def urls(self) -> Urls:
        """Addresses within the site."""
        return self.arrival.urls

    @property
    def is_htmx(self) -> bool:
        """Whether htmx asks, not a person's browser by itself."""
        return self.request.headers.get("hx-request") == "true"

    def actor(self, reason: str = "") -> Actor:
        """Under which name the visitor acts."""
        return actor_of(self.arrival.outer, reason or None)

    @property
    def address(self) -> str:
        """The page that is asked for, relative to the site's root, without what is only for this one visit."""
        return address_of(self.request.scope["path"], Query.parse(self.request.scope["query_string"].decode("latin-1")))

    def ask(self, address: str) -> Ask:
        """The question that the page at an address puts for this visitor."""
        return self.site.ask(self.urls, self.permissions.may, address)

    def key(self, address: str) -> Key:
        """What makes the live view of a page distinct."""
        return Key(canonical(address), self.urls.root, self.permissions.may)

    def shell(self, nav: str, *, live: str | None = None, notices: tuple[Notice, ...] = ()) -> Shell:
        """What surrounds a page; ``live`` is its address if it changes by itself."""
        settings = self.site.settings
        changeable = self.permissions.may - {Action.VIEW}
        return Shell(
            title=settings.title,
            environment=settings.environment,
            store=store_link(self.site, self.arrival.board_root, self.site),
            stores=store_links(self.arrival.sites, self.arrival.board_root, self.site),
            nav=navigation(self.urls, nav),
            live_url=self.urls.live(live) if live else None,
            rows_url=self.urls.rows() if live else None,
            notices=notices,
            can_act=bool(changeable),
            view_only=None if changeable else self.permissions.why,
            actor=self.actor().name,
            static_root=static_root(self.arrival.board_root),
            version=VERSION,
        )


def root_of(site: Site, board_root: str) -> str:
    """Prefix of a site's pages."""
    return board_root if site.name == ONLY else f"{board_root}/s/{segment(site.name)}"


def static_root(board_root: str) -> str:
    """Where the static files are; changes with their content."""
    return f"{board_root}/static/{STATIC_VERSION}"


def store_link(site: Site, board_root: str, current: Site | None) -> StoreLink:
    """A site as others link to it."""
    return StoreLink(
        name=site.name,
        kind=site.store.kind,
        location=_place(site.store.location),
        href=f"{root_of(site, board_root)}/",
        current=site is current,
    )


def _place(location: str) -> str:
    """A location without what its kind says already, and without a user: of a server its host, database and schema."""
    _, is_url, place = location.partition("://")
    return place.rpartition("@")[2] if is_url else location


def store_links(sites: tuple[Site, ...], board_root: str, current: Site | None) -> tuple[StoreLink, ...]:
    """All stores, when there are several."""
    return tuple(store_link(site, board_root, current) for site in sites if site.name != ONLY)


def canonical(address: str) -> str:
    """An address in its one form. Raises InvalidValue for one that leads out of the board."""
    here = Here.parse(address)
    return address_of(here.path, here.query)


def address_of(path: str, query: Query) -> str:
    """A page's address in its one canonical form: known fields only, so that equal views are one view."""
    kept = [(key, value) for key, value in query.pairs if key in {"status", "queue", "name", "text", "start"} and value]
    clean = quote(path, safe="/%~!$&'()*+,;=:@")
    return f"{clean}?{urlencode(kept)}" if kept else clean
