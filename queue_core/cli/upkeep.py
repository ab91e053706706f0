"""``prinia migrate`` and ``prinia prune``."""

import argparse
import asyncio
import sys

from queue_core.backend import Backend, Retention
from queue_core.cli.failure import OK, UsageError
from queue_core.cli.store import connection, is_missing, named, opened
from queue_core.cli.words import many, seconds


def migrate(args: argparse.Namespace) -> int:
    """Make the store, or bring it up to date: what opening does."""
    made = "was made and is" if is_missing(named(args)) else "is"
    expose = connection(named(args), create=True).expose

    async def main() -> int:
        async with opened(expose) as store:
            print(f"{store.kind} {store.location} {made} up to date.")
        return OK

    return asyncio.run(main())


def prune(args: argparse.Namespace) -> int:
    """Remove what retention no longer keeps, batch by batch, saying how far it is."""
    if args.keep is not None and args.keep < 0:
        raise UsageError(f"--keep must be 0 or more, got {args.keep}.")
    retention = Retention(done=seconds(args.done), killed=seconds(args.killed), most_done=args.keep, most_killed=args.keep)
    return asyncio.run(_prune(connection(named(args)).backend, retention))


async def _prune(backend: Backend, retention: Retention) -> int:
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
