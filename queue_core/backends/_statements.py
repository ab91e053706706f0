"""SQL by name: one statement a file, shared between dialects unless a dialect needs its own."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable


@cache
def statement(name: str, dialect: str) -> str:
    """The SQL of ``sql/<dialect>/<name>.sql``, or of ``sql/shared/<name>.sql``. Raises FileNotFoundError when neither exists."""
    own = _folder(f"sql/{dialect}") / f"{name}.sql"
    source = own if own.is_file() else _folder("sql/shared") / f"{name}.sql"
    return source.read_text("utf-8")


@cache
def numbered(name: str, dialect: str, fields: tuple[str, ...]) -> str:
    """``statement``, its parameters numbered in the order of ``fields``: rows are then bound by place, in half the time.

    Raises LookupError when the statement has a parameter that is not among ``fields``.
    """
    places = {field: place for place, field in enumerate(fields, 1)}
    return re.sub(r"(?<!:):([a-z_]+)", lambda found: f"?{places[found[1]]}", statement(name, dialect))


def migrations(dialect: str) -> Iterator[tuple[int, str, str]]:
    """Number, name and SQL script of each migration of ``dialect``, in order; the number leads the file's name."""
    for source in sorted(_folder(f"migrations/{dialect}").iterdir(), key=lambda source: source.name):
        number, _, name = source.name.removesuffix(".sql").partition("_")
        yield int(number), name, source.read_text("utf-8")


def _folder(path: str) -> Traversable:
    return files("queue_core.backends").joinpath(path)
