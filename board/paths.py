"""Where on the board a request goes: routed by its raw path, because in the decoded one ``a%2Fb`` and ``a/b`` are the same."""

from dataclasses import dataclass
from urllib.parse import quote, unquote

from starlette.types import Scope

SAFE = "/~!$&'()*+,;=:@"


@dataclass(frozen=True, slots=True)
class Located:
    """A request's path in two parts."""

    root: str
    """The prefix under which the board is mounted, percent-encoded, without a slash at its end."""
    path: str
    """The rest, as it was sent: percent-encoded, begins with a slash."""


def located(scope: Scope) -> Located:
    """Split a request's path at the board's prefix."""
    root = str(scope.get("root_path", "")).rstrip("/")
    inside = _inside(str(scope["path"]), root, str(scope.get("app_root_path", "")).rstrip("/"))
    return Located(quote(root, safe=SAFE), _raw_tail(scope.get("raw_path"), inside) or "/")


def _inside(path: str, root: str, outermost: str) -> str:
    """The path below the prefix. Behind a proxy that strips its part, the path has only what the mounts added."""
    for prefix in (root, root.removeprefix(outermost) if outermost else root):
        if path == prefix or path.startswith(f"{prefix}/"):
            return path[len(prefix) :]
    return path


def _raw_tail(raw: bytes | None, inside: str) -> str:
    """The end of the raw path that decodes to ``inside``; where there is no raw path, ``inside`` encoded."""
    text = raw.decode("latin-1").partition("?")[0] if raw else ""
    starts = [place for place, letter in enumerate(text) if letter == "/"]
    return next((text[place:] for place in starts if unquote(text[place:]) == inside), quote(inside, safe=SAFE))
