"""Which backend serves the URLs of which scheme: those that come with Prinia, those that a program registers, and those of installed packages."""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from queue_core.errors import InvalidValue, PriniaError

Factory = Callable[..., Any]
"""Called as ``factory(url, create=…, codecs=…, **options)``; returns an ``expose.Connected``, not yet opened. ``create``: whether opening may make
the store where there is none. ``codecs``: what its Expose shows payloads with."""
GROUP: Final = "prinia.backends"
"""The entry points by which an installed package offers a backend: scheme = "module:function"."""
BUILT_IN: Final[Mapping[str, str]] = {
    "jsonfile": "queue_core.backends.jsonfile:connect",
    "memory": "queue_core.backends.memory:connect",
    "postgres": "queue_core.backends.postgres:connect",
    "postgresql": "queue_core.backends.postgres:connect",
    "sqlite": "queue_core.backends.sqlite:connect",
}
"""Scheme to where its factory is, by name, so that nothing is imported before it is needed."""
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_registered: Final[dict[str, Factory]] = {}


def register_backend(scheme: str, factory: Factory) -> None:
    """Let ``factory`` serve the URLs that begin with ``scheme://``, in this process: for ``App``, workers, the board and ``connect``.

    A package that others install offers its backend by an entry point of the group ``prinia.backends`` instead, so that ``prinia`` and boards
    find it too. Registering the same factory again is no error. Raises InvalidValue for what is no scheme or no factory, and for one that is taken.

    >>> from queue_core.backends import memory
    >>> from queue_core.expose import connect
    >>> register_backend("scratch", memory.connect)
    >>> connect("scratch://").expose.kind
    'Memory'
    """
    if not isinstance(scheme, str) or not _SCHEME.fullmatch(scheme):
        raise InvalidValue(f"A scheme is lower-case letters, digits, +, - and ., and begins with a letter, as in redis://; got {scheme!r}.")
    if not callable(factory):
        raise InvalidValue(f"The backend of {scheme}:// must be a function from a URL to a Connected, got {factory!r}.")
    if scheme in BUILT_IN or _registered.setdefault(scheme, factory) is not factory:
        raise InvalidValue(f"URLs with {scheme}:// have a backend already. Choose another scheme.")


def factory_of(scheme: str) -> Factory | None:
    """What serves the URLs of ``scheme``; None when nothing does. Raises InvalidValue when a package's backend cannot be used."""
    if scheme in BUILT_IN:
        module, _, function = BUILT_IN[scheme].partition(":")
        factory: Factory = getattr(importlib.import_module(module), function)
        return factory
    return _registered.get(scheme) or _installed(scheme)


def connected_by(factory: Factory, scheme: str, url: str, **options: Any) -> Any:
    """What ``factory`` makes of ``url``. Raises InvalidValue when it cannot be called like that."""
    try:
        inspect.signature(factory).bind(url, **options)
    except TypeError as error:
        name, given = getattr(factory, "__name__", "the factory"), ", ".join(["url", *(f"{option}=…" for option in options)])
        raise InvalidValue(f"The backend of {scheme}:// is called as {name}({given}), and cannot be: {error}.") from error
    except ValueError:
        pass  # it is written in C, and says nothing of its parameters
    return factory(url, **options)


def known_schemes() -> list[str]:
    """Every scheme that has a backend here, in order."""
    return sorted({*BUILT_IN, *_registered, *_entry_points()})


def _installed(scheme: str) -> Factory | None:
    offered = _entry_points().get(scheme, [])
    if not offered:
        return None
    if len({point.value for point in offered}) > 1:
        rivals = " and ".join(sorted(point.value for point in offered))
        raise InvalidValue(f"Two installed packages offer a backend for {scheme}://: {rivals}. Remove one of them.")
    try:
        factory: Factory = offered[0].load()
    except PriniaError:
        raise
    except Exception as error:
        raise InvalidValue(
            f"The backend for {scheme}:// is {offered[0].value}, which cannot be imported: {type(error).__name__}: {error}."
        ) from error
    if not callable(factory):
        raise InvalidValue(f"The backend for {scheme}:// is {offered[0].value}, which must be a function from a URL to a Connected.")
    return factory


def _entry_points() -> dict[str, list[Any]]:
    from importlib.metadata import entry_points  # only where a scheme is not ours: it looks through all that is installed

    found: dict[str, list[Any]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return found
