"""The board as an ASGI application: for any prefix of any ASGI framework, or alone."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from board._resources import STATIC
from board.assets import Assets
from board.errors import Fault, Guard, answer, may_look
from board.health import health
from board.opening import ONLY, stores_of
from board.paths import Located, located
from board.rendering import Renderer
from board.routes import routes
from board.screen import Redact
from board.security import secure
from board.settings import Authorize, Settings
from board.site import STATIC_VERSION, Arrival, Site, root_of
from board.urls import name_of

GRACE: Final = 5
"""Seconds that a stopping server waits for answers that are on their way."""
COMPRESSED_FROM: Final = 1_000
"""Bytes below which an answer is sent as it is."""
COMPRESSION: Final = 4
"""Of 9: a tenth larger than the best, at a third of the time."""


class Board:
    """A live board over one store or several.

    ``source``: an App, an Expose, the URL of a store, or a dict of these by name. ``title`` and ``environment`` are shown on every page.
    ``read_only`` forbids every action. ``authorize(request, action)`` says whether the sender of a request may do one of the named actions;
    without it, everything is allowed from this machine (a loopback client, no proxy, a loopback Host) and viewing from elsewhere;
    a loopback client without a proxy that asks for a public name sees nothing, because that is how a foreign web page would read a local board.
    ``redact(task_name, value)`` returns what may be seen of arguments, results, metadata and errors; a search by text still looks at what is stored.

    ``/healthz`` is open to all, and tells no more than whether the stores can be read and when a worker last took a task.

    It opens its stores at the first request, needs no lifespan from its host, and shares nothing with other boards in the process.
    Raises InvalidValue or UnknownScheme for a source that is none, InvalidValue for a hook that cannot be called.

    >>> from starlette.applications import Starlette
    >>> host = Starlette()
    >>> host.mount("/ops/queue", Board(app, title="Shop", environment="production", read_only=True))
    """

    def __init__(
        self,
        source: object,
        *,
        title: str = "Prinia",
        environment: str | None = None,
        read_only: bool = False,
        authorize: Authorize | None = None,
        redact: Redact | None = None,
    ) -> None:
        settings = Settings(title=title, environment=environment, read_only=read_only, authorize=authorize, redact=redact)
        renderer = Renderer()
        self._sites = tuple(Site(name, store, settings, renderer) for name, store in stores_of(source).items())
        self._assets: ASGIApp = GZipMiddleware(Plain(Assets(STATIC, STATIC_VERSION)), minimum_size=COMPRESSED_FROM, compresslevel=COMPRESSION)
        self._app: ASGIApp = GZipMiddleware(Guard(Router(routes(), redirect_slashes=False)), minimum_size=COMPRESSED_FROM, compresslevel=COMPRESSION)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan where the board is served alone."""
        match scope["type"]:
            case "lifespan":
                await self._lifespan(receive, send)
            case "http":
                await self._answer(scope, receive, _secured(send))
            case _:
                await send({"type": "websocket.close", "code": 1000})

    def end_streams(self) -> None:
        """End every live page's stream, so that a server can stop without waiting for them."""
        for site in self._sites:
            site.end_streams()

    async def close(self) -> None:
        """End the streams and close the stores."""
        for site in self._sites:
            await site.close()

    # --- requests

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        here = located(scope)
        match here.path.strip("/").split("/"):
            case ["static", *path]:
                await self._assets(_static_scope(scope, path), receive, send)
            case ["healthz"]:
                await (await health(self._sites))(scope, receive, send)
            case ["s", name, *_] if self._sites[0].name != ONLY:
                await self._visit(self._named(name_of(name)), here, scope, receive, send)
            case _:
                await self._visit(self._sites[0], here, scope, receive, send)

    def _named(self, name: str) -> Site | None:
        return next((site for site in self._sites if site.name == name), None)

    async def _visit(self, site: Site | None, here: Located, scope: Scope, receive: Receive, send: Send) -> None:
        """Route a request within a site; on a board of several stores everything outside of them leads to the first."""
        alone = self._sites[0].name == ONLY
        arrival = Arrival(site=site or self._sites[0], sites=self._sites, board_root=here.root, outer=Request(scope, receive))
        path = here.path if alone else _below_store(here.path)
        if not alone and path is None:
            first = RedirectResponse(f"{root_of(self._sites[0], here.root)}/")
            await (first if here.path == "/" and await may_look(arrival) else Nowhere(arrival))(scope, receive, send)
        elif site is None:
            await Nowhere(arrival)(scope, receive, send)
        else:
            await self._app(_inner_scope(scope, path or "/", arrival), receive, send)

    # --- lifespan

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


class Plain:
    """Answers a file that is not there with a plain sentence."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        try:
            await self._app(scope, receive, send)
        except HTTPException as error:
            await PlainTextResponse(f"{error.detail}\n", error.status_code)(scope, receive, send)


class Nowhere:
    """Answers that there is no such store or page."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404 in the form that the asker understands."""
        told = await may_look(self._arrival)
        names = ", ".join(site.name for site in self._arrival.sites if site.name and told)
        cure = f"Its stores are at /s/NAME/; the names are {names}." if names else None
        inner = _inner_scope(scope, located(scope).path, self._arrival)
        response = await answer(Request(inner), Fault(404, "Not found", "The board has no such page or store.", cure))
        await response(scope, receive, send)


def _below_store(path: str) -> str | None:
    """The part of ``/s/NAME/…`` that is below the store; None elsewhere."""
    match path.split("/", 3):
        case ["", "s", _, *rest]:
            return "/" + "".join(rest)
        case _:
            return None


def _inner_scope(scope: Scope, path: str, arrival: Arrival) -> dict[str, Any]:
    """A request as a site routes it: by its raw path below the site's prefix."""
    foreign = {"router", "endpoint", "path_params", "app_root_path", "route"}
    kept = {key: value for key, value in scope.items() if key not in foreign}
    return {**kept, "path": path, "raw_path": path.encode("latin-1"), "root_path": "", "app": None, "prinia.arrival": arrival}


def _static_scope(scope: Scope, path: list[str]) -> dict[str, Any]:
    return {**scope, "path": unquote("/" + "/".join(path)), "root_path": "", "path_params": {}}


def _secured(send: Send) -> Send:
    """Adds the headers that every answer carries."""

    async def secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            secure(MutableHeaders(scope=message))
        await send(message)

    return secured


class Server(uvicorn.Server):
    """uvicorn that ends the live streams before it stops: by itself it would wait for them.

    ``app`` is a Board, or an application around ``boards``; ``config`` goes to uvicorn.

    >>> server = Server(Board("sqlite:///tasks.db"), port=8001)
    """

    def __init__(self, app: ASGIApp, *, boards: Sequence[Board] = (), **config: Any) -> None:
        super().__init__(uvicorn.Config(app, **{"timeout_graceful_shutdown": GRACE, **config}))
        self._boards = (*boards, *([app] if isinstance(app, Board) else []))

    async def shutdown(self, sockets: Any = None) -> None:
        """End the streams, then stop."""
        for board in self._boards:
            board.end_streams()
        await super().shutdown(sockets)
