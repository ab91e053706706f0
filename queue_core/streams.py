"""Iterators in batches: while one batch is worked on the next one gathers, up to a bound."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import TypeVar

from queue_core.errors import InvalidValue

T = TypeVar("T")
Stream = AsyncIterable[T] | Iterable[T]


async def gathered(source: Stream[T], most: int) -> AsyncGenerator[list[T], None]:
    """What ``source`` yields, in order, in lists of at most ``most``: all that came since the last one.

    So a slow source is never waited for, and a fast one is ahead by one list. What ``source`` raises comes after all that it yielded.
    """
    items: list[T] = []
    came, room = asyncio.Event(), asyncio.Event()

    async def gather() -> None:
        async for item in each(source):
            items.append(item)
            came.set()
            while len(items) >= most:
                room.clear()
                await room.wait()

    gathering = asyncio.ensure_future(gather())
    gathering.add_done_callback(lambda _: came.set())
    try:
        while items or not gathering.done():
            if items:
                batch, items[:] = items[:], []
                room.set()
                yield batch
            else:
                came.clear()
                await came.wait()
        gathering.result()
    finally:
        gathering.cancel()
        await asyncio.wait([gathering])


async def each(source: Stream[T]) -> AsyncGenerator[T, None]:
    """The items of a plain or an async iterable. What is left of an async generator is closed. Raises InvalidValue for what is neither."""
    if isinstance(source, Iterable):
        for item in source:
            yield item
        return
    if not isinstance(source, AsyncIterable):
        raise InvalidValue(f"A stream must be something to go through with for or async for, got {source!r}.")
    try:
        async for item in source:
            yield item
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()
