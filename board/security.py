"""Who may do what, and which requests are believed to come from the board's own pages."""

import inspect
import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request

from board.filters import visible
from board.settings import Settings
from queue_core.expose import Action, Actor

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
    )
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
VIEW_ONLY: Final = frozenset({Action.VIEW})
EVERYTHING: Final = frozenset(Action)
LOCAL: Final = "local"
MAX_ACTOR: Final = 200
MAX_HOST: Final = 100
PRIVATE: Final = frozenset({"localhost", "test", "internal"})
"""Last parts of names that the public DNS never answers (RFC 6761; ICANN for ``internal``)."""


class Forbidden(Exception):
    """These permissions do not allow it. The message says why, and what would change it."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the sender of a request may do."""

    may: frozenset[Action]
    why: str | None = None
    """Why not everything, and what would change it; None when nothing is forbidden."""

    def require(self, action: Action) -> None:
        """Raise Forbidden unless it is allowed."""
        if action not in self.may:
            raise Forbidden(self.why or f"You may not do this: {action.value.replace('_', ' ')}.")


def secure(headers: MutableHeaders) -> None:
    """Add the headers that every answer carries, unless it has its own."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


# --- permissions -------------------------------------------------------------------------------------------


async def permissions(request: Request, settings: Settings) -> Permissions:
    """What this request may do: as the hook says; else everything from this machine, viewing from elsewhere, nothing by a foreign name."""
    allowed = await _asked(request, settings) if settings.authorize else _from_here(request)
    if settings.read_only:
        return Permissions(allowed.may & VIEW_ONLY, "This board is read-only, so nothing can be changed from it.")
    return allowed


async def _asked(request: Request, settings: Settings) -> Permissions:
    may = frozenset([action for action in Action if await _says_yes(request, settings, action)])
    return Permissions(may, None if may == EVERYTHING else "You do not have the permission for this; the host of this board decides who has.")


async def _says_yes(request: Request, settings: Settings, action: Action) -> bool:
    assert settings.authorize is not None
    answer = settings.authorize(request, action)
    return (await answer if inspect.isawaitable(answer) else answer) is True


def _from_here(request: Request) -> Permissions:
    if _is_rebound(request):
        name = visible(request.headers["host"])[:MAX_HOST]
        cure = "Open it as localhost; let a proxy in front of it send X-Forwarded-For; or give the board authorize= to say who may look."
        return Permissions(
            frozenset(), f"The request comes from this machine, but asks for {name}, which any web page may have made point here. {cure}"
        )
    doubt = _doubt(request)
    if doubt is None:
        return Permissions(EVERYTHING)
    cure = "Open it directly on its own machine, or give the board authorize= to say who may act."
    return Permissions(VIEW_ONLY, f"View only: {doubt}. {cure}")


def _doubt(request: Request) -> str | None:
    """Why this request might not come from a person at this machine; None when it does."""
    if request.client is None or not _is_loopback(request.client.host):
        return "actions are allowed from the board's own machine only"
    if forwarded := _forwarded(request):
        return f"the request came through a proxy (it has {forwarded[0]})"
    if not _is_local_name(request.headers.get("host", "")):
        return "the address in the browser is not a name of this machine, as localhost is"
    return None


def _forwarded(request: Request) -> list[str]:
    """The headers that only a proxy adds: no page can make a browser send them to another name than its own without asking first."""
    return [name for name in request.headers if name == "forwarded" or name.startswith("x-forwarded-") or name == "x-real-ip"]


def _is_rebound(request: Request) -> bool:
    """Whether a browser on this machine may have been led here by a public name that was made to point to it (DNS rebinding)."""
    here = request.client is not None and _is_loopback(request.client.host)
    return here and not _forwarded(request) and _is_public_name(request.headers.get("host", ""))


def _is_public_name(host: str) -> bool:
    """Whether a Host header is a name that the public DNS can answer: no address, no single word, none of the names reserved for private use."""
    name = _name_in(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." in name and name.rpartition(".")[2] not in PRIVATE
    return False


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_local_name(host: str) -> bool:
    """Whether a Host header names this machine, so that no foreign name was made to point here."""
    name = _name_in(host)
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _name_in(host: str) -> str:
    """The name in a Host header, without its port; what has none is returned as it is."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host


def actor_of(request: Request, reason: str | None = None) -> Actor:
    """Under which name actions are recorded: the host's user, where it has one."""
    user = request.scope.get("user")
    named = getattr(user, "display_name", None) or getattr(user, "username", None) if getattr(user, "is_authenticated", False) is True else None
    return Actor(name=visible(str(named or LOCAL))[:MAX_ACTOR], reason=reason)


# --- where a request comes from ------------------------------------------------------------------------------


def check_origin(headers: Headers, *, json: bool) -> None:
    """Raise Forbidden unless a request that changes something comes from the board's own pages.

    Browsers say where a request comes from in Sec-Fetch-Site or Origin. A request with neither is not from a browser; it is believed only if it
    carries JSON (``json``), which no foreign page can send without asking first.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        allowed = site == "same-origin"
    elif origin is not None:
        allowed = _same_host(origin, headers)
    else:
        allowed = json and headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if not allowed:
        raise Forbidden(_foreign(site, origin, json=json))


def _same_host(origin: str, headers: Headers) -> bool:
    try:
        netloc = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    hosts = {headers.get("host", "").lower(), headers.get("x-forwarded-host", "").partition(",")[0].strip().lower()} - {""}
    return bool(netloc) and netloc in hosts


def _foreign(site: str | None, origin: str | None, *, json: bool) -> str:
    if site is None and origin is None:
        cure = "Send Content-Type: application/json." if json else "Use the board's page, or its JSON API."
        return f"The request does not say where it comes from (no Origin, no Sec-Fetch-Site), so nothing was changed. {cure}"
    where = f"Sec-Fetch-Site is {visible(site)}" if site is not None else f"Origin is {visible(origin or '')}"
    return f"The request comes from another site ({where}), so nothing was changed. Use the board's own page."
