"""``prinia migrate`` and ``prinia prune``."""

import argparse
import asyncio
import sys

from queue_core.backend import Retention
from queue_core.cli.failure import OK
from queue_core.cli.store import connection, named, opened, sqlite_file
from queue_core.cli.words import many, seconds


def migrate(args: argparse.Namespace) -> int:
    """Make the store, or bring it up to date: what opening does."""

    path = sqlite_file(named(args))
    made = "was made and is" if path is not None and not path.exists() else "is"

    async def main() -> int:
        async with opened(named(args), create=True) as store:
            print(f"{store.kind} {store.location} {made} up to date.")
        return OK

    return asyncio.run(main())


def prune(args: argparse.Namespace) -> int:
    """Remove what retention no longer keeps, batch by batch, saying how far it is."""
    retention = Retention(done=seconds(args.done), killed=seconds(args.killed))
    return asyncio.run(_prune(named(args), retention))


async def _prune(store: str, retention: Retention) -> int:
    backend = connection(store).backend
    await backend.open()
    try:
        removed = 0
        while batch := await backend.prune(retention):
            removed += batch
            _progress(removed)
    finally:
        await backend.close()
    print(f"Removed {many(removed, 'task')}.")
    return OK


def _progress(removed: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{removed:,} …", end="\r", file=sys.stderr, flush=True)
