"""Where a SQLite store is: a URL to the path of a file, and how its processes hear of one another."""

import os
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote

from queue_core.errors import InvalidValue
from queue_core.expose import without_password

Mode = Literal["listen", "poll"]
"""How changes of other processes are heard of. ``poll`` needs no sockets, so it works between those that cannot reach one another's."""

_SCHEME = "sqlite://"
_EXAMPLES = "Write sqlite:///tasks.db for a file here, sqlite:////srv/tasks.db for an absolute path."


def path_of(url: str) -> Path:
    """The file that ``url`` names. Raises InvalidValue when it names none, or one that cannot be used."""
    rest, shown = url.removeprefix(_SCHEME).partition("?")[0], without_password(url)
    if not unquote(url).isprintable():
        raise InvalidValue(f"The store URL must be printable text, got {shown!r}. One that was read from a file may still have its line end.")
    if rest.strip("/") in {"", ":memory:"}:
        raise InvalidValue(f"The store URL {shown!r} names no file. {_EXAMPLES} A store in memory is memory://.")
    if not rest.startswith("/"):
        raise InvalidValue(f"The store URL {shown!r} names a host, and SQLite has none. {_EXAMPLES}")
    mode_of(url)
    path = Path(unquote(rest[1:]))
    try:
        _check(path)
    except OSError as error:  # among them a name that is too long
        raise InvalidValue(f"The store URL {shown[:60]!r} names no usable file: {error.strerror}. {_EXAMPLES}") from error
    return path


def mode_of(url: str) -> Mode:
    """How the processes of the store hear of one another: what ``?mode=`` says. Raises InvalidValue for any other setting."""
    shown, (_, mark, query) = without_password(url), url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    if "#" in url or (mark and [name for name, _ in pairs] != ["mode"]):
        raise InvalidValue(
            f"The store URL {shown!r} must have no setting but ?mode=poll, and that once; pass options to connect() by name. "
            f"In the name of a file a ? is written %3F, a # is %23. {_EXAMPLES}"
        )
    match dict(pairs).get("mode", "listen"):
        case "listen" | "poll" as mode:
            return mode
        case other:
            raise InvalidValue(f"mode must be listen, or poll for processes that cannot reach one another's sockets, got {other!r}. {_EXAMPLES}")


def _check(path: Path) -> None:
    folder = path.parent
    if path.is_dir():
        raise InvalidValue(f"The store must be a file, and {path} is a folder. Name a file in it: sqlite:///{path}/tasks.db.")
    if not folder.is_dir():
        raise InvalidValue(f"The folder {folder} of the store {path} does not exist. Create it first.")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise InvalidValue(f"The store {path} and its folder must be writable for this process. Change their permissions, or choose another path.")


def read_only_uri(path: Path) -> str:
    """``path`` as SQLite's own URI for reading only."""
    return f"file:{quote(str(path.resolve()))}?mode=ro"
