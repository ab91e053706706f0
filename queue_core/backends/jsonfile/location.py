"""Where a JSON file is: a URL to a path."""

import os
from pathlib import Path
from urllib.parse import unquote

from queue_core.errors import InvalidValue

_EXAMPLES = "Write jsonfile:///tasks.jsonl for a file here, jsonfile:////srv/tasks.jsonl for an absolute path."


def path_of(url: str) -> Path:
    """The file that ``url`` names. Raises InvalidValue when it names none, or one that cannot be used."""
    rest = url.removeprefix("jsonfile://")
    if not unquote(url).isprintable() or not rest.startswith("/") or not rest.strip("/"):
        raise InvalidValue(f"The store URL {url!r} names no file. {_EXAMPLES}")
    if "?" in rest or "#" in rest:
        raise InvalidValue(f"The store URL {url!r} must not have a query or fragment. In the name of a file a ? is written %3F, a # is %23.")
    path = Path(unquote(rest[1:]))
    try:
        _check(path)
    except OSError as error:  # among them a name that is too long
        raise InvalidValue(f"The store URL {url[:60]!r} names no usable file: {error.strerror}. {_EXAMPLES}") from error
    return path


def _check(path: Path) -> None:
    if path.is_dir():
        raise InvalidValue(f"The store must be a file, and {path} is a folder. Name a file in it: jsonfile:///{path}/tasks.jsonl.")
    if path.exists() and not path.is_file():
        raise InvalidValue(f"The store must be a file, and {path} is a device, a pipe or a socket. Name a file: {_EXAMPLES}")
    if not path.parent.is_dir():
        raise InvalidValue(f"The folder {path.parent} of the store {path} does not exist. Create it first.")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise InvalidValue(f"The store {path} and its folder must be writable for this process. Change their permissions, or choose another path.")
