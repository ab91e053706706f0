"""SQL by name: one statement a file, shared between dialects unless a dialect needs its own."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_PARAMETER: Final = re.compile(r"""--[^\n]*|'[^']*'|"[^"]*"|::\w+|:([a-z_]\w*)""")
_MARKS: Final = {"sqlite": "?", "postgres": "$"}


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
    return _marked(statement(name, dialect), lambda field: f"{_MARKS[dialect]}{places[field]}")


@cache
def repeated(name: str, dialect: str, fields: tuple[str, ...], n: int) -> str:
    """The INSERT ``name`` of ``n`` rows at once, its parameters numbered as by ``numbered``, row after row.

    Raises LookupError when the statement has a parameter that is not among ``fields``.
    """
    insert, values = statement(name, dialect).split("VALUES")
    places = {field: place for place, field in enumerate(fields, 1)}

    def row(number: int) -> str:
        return _marked(values, lambda field: f"{_MARKS[dialect]}{number * len(fields) + places[field]}")

    return f"{insert}VALUES{','.join(map(row, range(n)))}"


@cache
def positional(name: str, dialect: str) -> tuple[str, tuple[str, ...]]:
    """``statement`` with a numbered mark for each parameter, and the names of its parameters in the order of their numbers, that of first use."""
    places: dict[str, int] = {}
    text = _marked(statement(name, dialect), lambda field: f"{_MARKS[dialect]}{places.setdefault(field, len(places) + 1)}")
    return text, tuple(places)


def _marked(text: str, mark: Callable[[str], str]) -> str:
    """``text`` with ``mark(name)`` in the place of each parameter; ``:name`` is none in a comment, in quotes, or where it is a cast."""
    return _PARAMETER.sub(lambda found: mark(found[1]) if found[1] else found[0], text)


def migrations(dialect: str) -> Iterator[tuple[int, str, str]]:
    """Number, name and SQL script of each migration of ``dialect``, in order; the number leads the file's name."""
    for source in sorted(_folder(f"migrations/{dialect}").iterdir(), key=lambda source: source.name):
        number, _, name = source.name.removesuffix(".sql").partition("_")
        yield int(number), name, source.read_text("utf-8")


def _folder(path: str) -> Traversable:
    return files("queue_core.backends").joinpath(path)
