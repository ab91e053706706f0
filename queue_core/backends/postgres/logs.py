"""What handlers log, on its way into the store. It takes turns with the acks, before which a worker sends it."""

from collections.abc import Callable, Sequence
from typing import Any

from queue_core.backends.postgres.binding import compiled, storable
from queue_core.backends.postgres.line import Line
from queue_core.backends.relational.tally import Changes
from queue_core.clock import to_us
from queue_core.expose import queue_topic
from queue_core.logs import KEPT_LINES, LogLine
from queue_core.task import Lease


class Logger:
    """Stores lines. ``clock`` gives the time of a test's clock, or None for the server's. ``told`` hears of what was committed."""

    def __init__(self, line: Line, clock: Callable[[], int | None], told: Callable[[Changes, bool], None]) -> None:
        self._line, self._clock, self._told = line, clock, told

    async def log(self, lines: Sequence[tuple[Lease, LogLine]]) -> int:
        """Keep what running attempts logged; see ``Backend.log``."""
        if not lines:
            return 0
        sql, _ = compiled("log", self._line.schema)
        [answer] = await self._line.fetch(sql, self._clock(), KEPT_LINES, *_columns(lines))
        self._told(Changes({queue_topic(queue): 0 for queue in answer["touched"] or ()}), True)
        return int(answer["stored"])


def _columns(lines: Sequence[tuple[Lease, LogLine]]) -> list[list[Any]]:
    """``lines`` as ``log.sql`` takes them: the leases in the order of their tasks, and the lines in their own."""
    leases = sorted({lease for lease, _ in lines})
    places = {lease: place for place, lease in enumerate(leases, 1)}
    logged = [line for _, line in lines]
    return [
        [lease.id for lease in leases],
        [lease.boot for lease in leases],
        [lease.token for lease in leases],
        [places[lease] for lease, _ in lines],
        [line.number for line in logged],
        [to_us(line.at) for line in logged],
        [line.level for line in logged],
        [storable(line.logger) for line in logged],
        [storable(line.message) for line in logged],
    ]
