"""Which store a command speaks to: ``--store``, else ``$PRINIA_STORE``; a URL, or ``module:app``."""

import argparse
import asyncio
import getpass
import os
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from queue_core.cli.failure import CommandFailed, UsageError
from queue_core.expose import Actor, Connected, Expose, connect

if TYPE_CHECKING:
    from queue_core.app import App

VARIABLE: Final = "PRINIA_STORE"


def named(args: argparse.Namespace) -> str:
    """The store that the command line or the environment names. Raises UsageError when neither does."""
    given = args.store or os.environ.get(VARIABLE)
    if not given:
        raise UsageError(f"Which store? Add --store sqlite:///tasks.db (or --store module:app), or set {VARIABLE}.")
    return str(given)


def connection(store: str, *, create: bool = False) -> Connected:
    """Both contracts of ``store``, not yet opened. ``create``: a SQLite file may be made.

    Raises UsageError for what is not a store, CommandFailed where there is none yet: a command with a mistyped name must
    not answer from a fresh, empty store.
    """
    app = app_named(store)
    if app is not None:
        return Connected(backend=app.backend, expose=app.expose)
    if store.startswith("memory:"):
        raise UsageError("memory:// lives inside one process, and this is another one. Use sqlite:///tasks.db to share a store.")
    connected = connect(store)  # raises for what is no URL of a store
    path = sqlite_file(store)
    if path is not None and not create and not path.exists():
        raise CommandFailed(f"There is no store at {path}. Check the name, or make one: prinia migrate --store {shlex.quote(store)}")
    return connected


def sqlite_file(store: str) -> Path | None:
    """The file of a SQLite store; None for a store of another kind."""
    app = app_named(store)
    url = store if app is None else app.url
    if not url.startswith("sqlite:"):
        return None
    from queue_core.backends.sqlite.location import path_of

    return path_of(url)


def app_named(store: str) -> "App | None":
    """The App when ``store`` is ``module:app``; None when it is a URL. Raises UsageError, CommandFailed."""
    if "://" in store:
        return None
    if ":" not in store:
        raise UsageError(f"A store is a URL, as sqlite:///tasks.db, or an app, as tasks:app for `app = App(…)` in tasks.py, got {store!r}.")
    from queue_core.cli.load import load_app  # only here: most commands name a URL

    return load_app(store)


@asynccontextmanager
async def opened(store: str, *, create: bool = False) -> AsyncIterator[Expose]:
    """The read-and-act contract of ``store``, opened and closed."""
    expose = connection(store, create=create).expose
    await expose.open()
    try:
        yield expose
    finally:
        await expose.close()


def with_store(args: argparse.Namespace, ask: Callable[[Expose], Awaitable[int]]) -> int:
    """Open the store that ``args`` name, ask, close it; the exit code."""

    async def main() -> int:
        async with opened(named(args)) as expose:
            return await ask(expose)

    return asyncio.run(main())


def actor(args: argparse.Namespace) -> Actor:
    """Who types, for the audit."""
    return Actor(name=_user(), reason=getattr(args, "reason", None))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a uid without a name, as in some containers
        return f"uid {os.getuid()}"
