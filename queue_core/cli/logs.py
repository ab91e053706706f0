"""``prinia tasks logs``: what a task logged."""

import argparse
import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Final

import msgspec

from queue_core.cli.failure import OK, CommandFailed, UsageError
from queue_core.cli.output import show_json
from queue_core.cli.store import with_store
from queue_core.cli.tasks import task_id
from queue_core.cli.words import harmless, level, stamp
from queue_core.expose import Expose, LogEntry, LogFilter, LogPage

MOST: Final = 1000
UNTOLD: Final = 2.0
"""Seconds after which a follower looks though nothing called it."""


def show(args: argparse.Namespace) -> int:
    """Print the log of one task; with ``--follow`` until it has ended."""
    if not 1 <= args.limit <= MOST:
        raise UsageError(f"--limit must be from 1 to {MOST}, got {args.limit}.")
    wanted = LogFilter(task=task_id(args.id), attempt=args.attempt, level=_level(args.level))

    async def ask(store: Expose) -> int:
        if await store.fetch(task_id(args.id)) is None:
            raise CommandFailed(f"No stored task has the id {args.id}. It was never pushed here, or retention removed it.")
        page = await store.list_logs(wanted, limit=args.limit)
        if args.follow:
            await _follow(store, wanted, page, as_json=args.json)
        elif args.json:
            show_json(page)
        else:
            _print(page.lines)
            _print_rest(page)
        return OK

    return with_store(args, ask, needs="logs")


def _level(text: str | None) -> int:
    number = 0 if text is None else level(text)
    if number is None:
        raise UsageError(f"--level must be debug, info, warning, error or critical, got {text!r}.")
    return number


async def _follow(store: Expose, wanted: LogFilter, page: LogPage, *, as_json: bool) -> None:
    """Print lines as they come. Whether the task has ended is asked first, so that no line is missed that came before its end."""
    show = _print_json if as_json else _print
    show(page.lines)
    async with aclosing(store.watch()) as changes:  # type: ignore[type-var]  # every watch is an async generator
        told = asyncio.ensure_future(anext(changes))
        while True:
            assert wanted.task is not None
            [*tasks] = await store.summaries([wanted.task])
            while (page := await store.list_logs(wanted, start=page.newer)).lines:
                show(page.lines)
            if not tasks or tasks[0].status.is_final:
                break
            if (await asyncio.wait([told], timeout=UNTOLD))[0]:
                told = asyncio.ensure_future(anext(changes))
        told.cancel()
        await asyncio.wait([told])


def _print(lines: Iterable[LogEntry]) -> None:
    for line in lines:
        first, *more = harmless(line.message, lines=True).split("\n")
        print(f"{stamp(line.at)}  #{line.attempt}  {line.level_name:<8}{harmless(line.logger)}: {first}", flush=True)
        for text in more:
            print(f"    {text}", flush=True)


def _print_json(lines: Iterable[LogEntry]) -> None:
    for line in lines:
        print(msgspec.json.encode(line).decode(), flush=True)


def _print_rest(page: LogPage) -> None:
    if not page.lines:
        print("Nothing was logged.")
    elif page.older is not None:
        print(f"\nThe latest {len(page.lines):,} lines are shown.")
