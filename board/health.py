"""Is the queue alive? For load balancers and alarms: when a worker last took a task, per store."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response

from board.filters import iso
from board.site import Site
from queue_core.expose import PriniaError

TIME_LIMIT: Final = 5.0


async def health(sites: Sequence[Site]) -> Response:
    """200 when every store can be read, else 503; with the last successful claim of each."""
    stores = [await _health_of(site) for site in sites]
    well = all(store["ok"] for store in stores)
    body = msgspec.json.encode({"status": "ok" if well else "unavailable", "stores": stores})
    return Response(body, 200 if well else 503, media_type="application/json")


async def _health_of(site: Site) -> dict[str, Any]:
    try:
        async with asyncio.timeout(TIME_LIMIT):
            await site.ready()
            claimed = await site.store.last_claim()
    except (PriniaError, TimeoutError):
        return {"name": site.name, "ok": False, "last_claim": None}
    return {"name": site.name, "ok": True, "last_claim": iso(claimed) if claimed else None}
