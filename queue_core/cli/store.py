"""Which store a command speaks to: ``--store``, or the URL that is all it is given, else ``$PRINIA_STORE``; a URL, or ``module:app``."""

import argparse
import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from queue_core.capabilities import Part
from queue_core.cli.failure import CommandFailed, UsageError
from queue_core.errors import StoreMissing
from queue_core.expose import Actor, Connected, Expose, connect, without_password

if TYPE_CHECKING:
    from queue_core.app import App
    from queue_core.backends.postgres.address import Address

VARIABLE: Final = "PRINIA_STORE"


def named(args: argparse.Namespace) -> str:
    """The store that the command line or the environment names. Raises UsageError when neither does, or when the command line names two."""
    alone = getattr(args, "url", None)
    if alone and args.store and alone != args.store:
        raise UsageError(f"The store must be named once, got {without_password(alone)} and --store {without_password(args.store)}.")
    given = alone or args.store or os.environ.get(VARIABLE)
    if not given:
        raise UsageError(f"Which store? Add --store sqlite:///tasks.db (or --store module:app), or set {VARIABLE}.")
    return str(given)


def connection(store: str, *, create: bool = False) -> Connected:
    """Both contracts of ``store``, not yet opened. ``create``: it may be made where there is none.

    Raises UsageError for what is not a store, StoreMissing. Not inside a running event loop.
    """
    app = app_named(store)
    if app is not None:
        return Connected(backend=app.backend, expose=app.expose)
    connected = connect(store, create=create)
    can = connected.backend.capabilities
    if not can.cross_process and not can.persistent:
        scheme = store.partition("://")[0]
        raise UsageError(f"{scheme}:// lives inside one process, and this is another one. Use sqlite:///tasks.db to share a store.")
    if not create and is_missing(store):  # told before anything is served or examined
        raise StoreMissing(sqlite_file(store) or connected.expose.location, without_password(store))
    return connected


def is_missing(store: str) -> bool:
    """Whether ``store`` has still to be made. A server that cannot be asked counts as one that has it."""
    path, address = sqlite_file(store), server(store)
    if address is not None:
        from queue_core.cli.server import is_absent  # only here: it needs the driver

        return is_absent(address)
    return path is not None and not path.exists()


def sqlite_file(store: str) -> Path | None:
    """The file of a SQLite store; None for a store of another kind."""
    url = _url(store)
    if not url.startswith("sqlite:"):
        return None
    from queue_core.backends.sqlite.location import path_of

    return path_of(url)


def server(store: str) -> "Address | None":
    """Where a PostgreSQL store is; None for a store of another kind."""
    url = _url(store)
    if not url.startswith(("postgres:", "postgresql:")):
        return None
    from queue_core.backends.postgres.address import address_of

    return address_of(url)


def _url(store: str) -> str:
    app = app_named(store)
    return store if app is None else app.url


def app_named(store: str) -> "App | None":
    """The App when ``store`` is ``module:app``; None when it is a URL. Raises UsageError, CommandFailed."""
    if "://" in store:
        return None
    scheme, _, rest = store.partition(":")
    if rest.startswith("/"):
        raise UsageError(f"The URL of a store has :// after its scheme, as sqlite:///tasks.db, got {scheme}:/ with one slash.")
    if ":" not in store:
        raise UsageError(f"A store is a URL, as sqlite:///tasks.db, or an app, as tasks:app for `app = App(…)` in tasks.py, got {store!r}.")
    from queue_core.cli.load import load_app  # only here: most commands name a URL

    return load_app(store)


@asynccontextmanager
async def opened(expose: Expose) -> AsyncIterator[Expose]:
    """``expose``, opened and closed."""
    await expose.open()
    try:
        yield expose
    finally:
        await expose.close()


def with_store(args: argparse.Namespace, ask: Callable[[Expose], Awaitable[int]], *, needs: Part | None = None) -> int:
    """Open the store that ``args`` name, ask, close it; the exit code. Raises CommandFailed for a store that lacks the part that is needed."""
    expose = connection(named(args)).expose
    if needs is not None and not expose.capabilities.has(needs):
        raise CommandFailed(f"The store {expose.kind} {expose.location} has no {needs}. Choose one that has them, as sqlite:///tasks.db.")

    async def main() -> int:
        async with opened(expose):
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
