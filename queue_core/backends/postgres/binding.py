"""Statements and values as PostgreSQL takes them."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from queue_core.backends._rows import clean
from queue_core.backends._statements import positional
from queue_core.backends.postgres.schema import qualified

_LAST_CASED: Final = 0x1E943
"""The last letter of Unicode that has two cases."""


@cache
def compiled(name: str, schema: str) -> tuple[str, tuple[str, ...]]:
    """The statement ``name`` for a schema, and the names of its parameters in their order."""
    text, parameters = positional(name, "postgres")
    return qualified(text, schema), parameters


def arguments(parameters: tuple[str, ...], values: Mapping[str, Any]) -> list[Any]:
    """``values`` in the order of ``parameters``. ``text`` is what a search looks for."""
    return [findable(values[name]) if name == "text" else bindable(values[name]) for name in parameters]


def bindable(value: Any) -> Any:
    """``value`` with lists as arrays, and texts such as PostgreSQL can hold."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list | tuple):
        return [storable(item) if isinstance(item, str) else item for item in value]
    return value


def column(values: Sequence[Any]) -> list[Any] | None:
    """``values``, of which there is one at least, as an array; None in place of one that holds nothing else, which costs neither the driver nor the
    server anything.
    """
    return None if values[0] is None and values.count(None) == len(values) else list(values)


def storable(text: str | None) -> str | None:
    """``text`` with what UTF-8 cannot hold made visible, and the character NUL, which no PostgreSQL text can hold."""
    if text is None:
        return None
    return clean(text.replace("\x00", "\\x00") if "\x00" in text else text)


def findable(text: str | None) -> list[str] | None:
    """``text``, which is in small letters, as searches take it: itself, then other forms of its letters, and the small letter for each.

    The server's own ``lower`` may know ASCII only; that depends on the locale of the database.
    """
    if text is None:
        return None
    needle = storable(text) or ""
    forms = [(form, letter) for letter in set(needle) for form in _other_forms().get(letter, "")]
    return [needle, "".join(form for form, _ in forms), "".join(letter for _, letter in forms)]


@cache
def _other_forms() -> Mapping[str, str]:
    """For each letter the letters beyond ASCII that are told from it by their case only."""
    forms: dict[str, str] = {}
    for form in map(chr, range(0x80, _LAST_CASED + 1)):
        letter = form.casefold()
        if letter != form and len(letter) == 1:
            forms[letter] = forms.get(letter, "") + form
    return forms
