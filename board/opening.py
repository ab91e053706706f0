"""The stores of a board, opened at the first request and closed with the event loop that they were opened on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, cast

from queue_core.expose import Expose, InvalidValue, StoreUnavailable, connect

ONLY: Final = ""
"""The name of a store that is the only one."""


def stores_of(source: object) -> dict[str, Expose]:
    """The stores of what was given to ``Board``, by name; one store has no name. Raises InvalidValue."""
    if not isinstance(source, Mapping):
        return {ONLY: _store(source)}
    if not source:
        raise InvalidValue("A board needs at least one store, got an empty dict.")
    for name in source:
        if not isinstance(name, str) or not name.strip():
            raise InvalidValue(f"The name of a store must be text that is not blank, got {name!r}.")
    return {name: _store(one) for name, one in source.items()}


def _store(source: object) -> Expose:
    """An Expose, or what has one, or the URL of one."""
    if isinstance(source, str):
        return connect(source, create=False).expose
    inner = getattr(source, "expose", None)
    found = source if inner is None else inner
    if not callable(getattr(found, "list_queues", None)) or not callable(getattr(found, "watch", None)):
        raise InvalidValue(f"A board shows an App, an Expose, the URL of a store, or a dict of these by name; got {type(source).__name__}.")
    return cast("Expose", found)


class Opening:
    """Opens a store once for each event loop, and closes it when that loop ends, whether or not the host runs a lifespan."""

    def __init__(self, store: Expose) -> None:
        self._store = store
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock: asyncio.Lock | None = None
        self._closer: AsyncIterator[None] | None = None

    async def ready(self) -> None:
        """Open the store unless it is open: also when its host closed it meanwhile. Raises StoreUnavailable."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock, self._closer = loop, asyncio.Lock(), None
        assert self._lock is not None
        async with self._lock:
            await self._open()

    async def close(self) -> None:
        """Close the store now."""
        if self._closer is not None and self._loop is asyncio.get_running_loop():
            closer, self._closer = self._closer, None
            await cast("Any", closer).aclose()

    async def _open(self) -> None:
        try:
            await self._store.open()
        except OSError as error:  # among them ConnectionError
            raise error if isinstance(error, StoreUnavailable) else StoreUnavailable(f"The store cannot be opened: {error}") from error
        if self._closer is None:
            closer = self._until_the_loop_ends()
            await anext(closer)
            self._closer = closer

    async def _until_the_loop_ends(self) -> AsyncIterator[None]:
        """Suspended for as long as the loop runs: asyncio ends such generators when it shuts a loop down."""
        try:
            yield
        finally:
            await self._store.close()
