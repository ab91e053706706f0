"""What went wrong, in words: as a page with a way back, as a notice for htmx, or as problem+json for programs. Never a traceback."""

import logging
from dataclasses import dataclass
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from board.contexts import ErrorPage, Link, Shell
from board.notices import fragment, notice
from board.screen import NotFound
from board.security import Forbidden, permissions
from board.settings import VERSION
from board.site import Arrival, static_root, store_link, store_links
from board.views.nav import navigation
from queue_core.expose import Action, DecodeError, IllegalTransition, InvalidValue, NotConnected, StoreUnavailable, UnknownTask

logger = logging.getLogger("prinia.board")

RETRY_AFTER = 5
"""Seconds after which a page that could not be shown tries again by itself."""
READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as people and programs are told of it."""

    status: int
    heading: str
    text: str
    cure: str | None = None

    @property
    def passes(self) -> bool:
        """Whether trying again later may help."""
        return self.status == HTTPStatus.SERVICE_UNAVAILABLE


def fault_of(error: Exception, *, acting: bool = False) -> Fault:
    """What an exception means to the one who asked, or who was ``acting``."""
    match error:
        case NotFound():
            return Fault(404, "Not found", str(error))
        case UnknownTask():
            return Fault(404, "No such task", str(error))
        case Forbidden():
            return Fault(403, "Not allowed", str(error))
        case InvalidValue() | DecodeError():
            return Fault(422, "That cannot be meant", str(error), "Correct it and try again.")
        case IllegalTransition():
            return Fault(409, "Not in this state", str(error))
        case StoreUnavailable() | NotConnected() if acting:
            return Fault(503, "The store cannot be changed", str(error), "Look whether it was done before you try again.")
        case StoreUnavailable() | NotConnected():
            return Fault(503, "The store cannot be read", str(error), "This page tries again by itself.")
        case TimeoutError():
            text = "The store took too long to answer, so the question was given up. Nothing was changed."
            return Fault(503, "That took too long", text, "Ask for less, as one queue or one state.")
        case HTTPException():
            return _http_fault(error)
        case _:
            return Fault(
                500, "Something is wrong with the board", "The board met an error of its own; its log says more.", "Your tasks are not affected."
            )


def _http_fault(error: HTTPException) -> Fault:
    match error.status_code:
        case 404:
            return Fault(404, "Not found", "The board has no such page.")
        case 405:
            return Fault(405, "Not like that", "This address cannot be asked for in this way (wrong HTTP method).")
        case status:
            return Fault(status, HTTPStatus(status).phrase, error.detail)


class Guard:
    """Answers every exception of the application inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer for it when it fails."""
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except ClientDisconnect:
            return  # nobody is left to be answered
        except Exception as error:
            fault = fault_of(error, acting=scope["method"] not in READING)
            if fault.status == 500:
                logger.exception("The board failed at %s %s.", scope["method"], scope["path"])
            if not started:
                await (await answer(Request(scope), fault))(scope, receive, send)


async def answer(request: Request, fault: Fault) -> Response:
    """A fault in the form that the asker understands."""
    arrival: Arrival = request.scope["prinia.arrival"]
    if request.scope["path"].startswith("/api/"):
        response: Response = problem(fault)
    elif request.headers.get("hx-request") == "true":
        response = _patch(arrival, fault)
    elif request.scope["path"] in {"/live", "/healthz"}:
        response = PlainTextResponse(f"{fault.text}\n", fault.status)
    else:
        response = _page(arrival, fault, hidden=not await may_look(arrival))
    if fault.passes:
        response.headers["retry-after"] = str(RETRY_AFTER)
    return response


def problem(fault: Fault) -> Response:
    """RFC 9457, with the seed's two keys ``type`` and ``message``."""
    body = {"type": "about:blank", "title": fault.heading, "status": fault.status, "detail": fault.text, "message": fault.text}
    if fault.cure:
        body["cure"] = fault.cure
    return Response(msgspec.json.encode(body), fault.status, media_type="application/problem+json")


def _patch(arrival: Arrival, fault: Fault) -> Response:
    said = fragment(notice("bad", fault.text, (fault.cure,) if fault.cure else ()))
    html = arrival.site.renderer.fragment(said)
    return HTMLResponse(html, fault.status, headers={"Prinia-Patch": "true"})


async def may_look(arrival: Arrival) -> bool:
    """Whether the asker may look at the board at all; if not, nothing of its stores is told."""
    try:
        return Action.VIEW in (await permissions(arrival.outer, arrival.site.settings)).may
    except Exception:
        return False  # the host's hook failed, which is logged where it was asked first


def _page(arrival: Arrival, fault: Fault, *, hidden: bool) -> Response:
    again = fault.passes and arrival.outer.method in READING  # what was posted must not be posted again by itself, nor be asked for
    back = Link(label="Try again", href="") if again or hidden else Link(label="To the overview", href=arrival.urls.overview())
    page = ErrorPage(status=fault.status, heading=fault.heading, text=fault.text, cure=fault.cure, back=back)
    html = arrival.site.renderer.page("errors/error.html", bare_shell(arrival, hidden=hidden), page)
    return HTMLResponse(html, fault.status, headers={"Refresh": str(RETRY_AFTER)} if again else None)


def bare_shell(arrival: Arrival, *, hidden: bool) -> Shell:
    """What surrounds an error; ``hidden``: for somebody who may not look, so nothing of the store is told."""
    settings, site = arrival.site.settings, arrival.site
    return Shell(
        title=settings.title,
        environment=settings.environment,
        store=None if hidden else store_link(site, arrival.board_root, site),
        stores=() if hidden else store_links(arrival.sites, arrival.board_root, site),
        nav=() if hidden else navigation(arrival.urls, ""),
        live_url=None,
        rows_url=None,
        notices=(),
        can_act=False,
        view_only=None,
        actor="",
        static_root=static_root(arrival.board_root),
        version=VERSION,
    )
