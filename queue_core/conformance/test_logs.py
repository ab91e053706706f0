"""log and list_logs: what handlers log, kept under the lease of their attempt."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from queue_core.backend import Retention
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import FAILED, ME, claimed, finish, lose_workers, registered, running, take, watching
from queue_core.errors import InvalidValue
from queue_core.expose import LOG_WINDOW, Connected, Cursor, LogFilter, LogPage, queue_topic
from queue_core.ids import QueueName, TaskId
from queue_core.logs import KEPT_LINES, LogLine
from queue_core.task import Claim, Lease

pytestmark = pytest.mark.needs("logs")

HOUR = 3600.0
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def line(number: int, message: str = "line {}", *, level: int = logging.INFO, logger: str = "shop") -> LogLine:
    return LogLine(number=number, at=NOON + timedelta(seconds=number), level=level, logger=logger, message=message.format(number))


async def log(connected: Connected, lease: Lease, *lines: LogLine) -> int:
    stored: int = await connected.backend.log([(lease, each) for each in lines])
    return stored


async def page(connected: Connected, start: Cursor | None = None, limit: int = 100, **wanted: object) -> LogPage:
    found: LogPage = await connected.expose.list_logs(LogFilter(**wanted), start=start, limit=limit)  # type: ignore[arg-type]  # as the test says
    return found


async def messages(connected: Connected, **wanted: object) -> list[str]:
    return [entry.message for entry in (await page(connected, **wanted)).lines]  # type: ignore[arg-type]


async def logged(connected: Connected, *lines: LogLine, **task: object) -> Claim:
    claim = await running(connected, **task)
    assert await log(connected, claim.lease, *lines) == len(lines)
    return claim


# --- storing -------------------------------------------------------------------------------------------


async def test_what_a_running_attempt_logs_is_kept_with_all_that_is_known_of_it(connected: Connected) -> None:
    claim = await logged(connected, line(1), line(2, "ünïcode 🐦\nand a traceback", level=logging.ERROR, logger="shop.mail"), queue="mail")
    first, second = (await page(connected, task=claim.id)).lines
    assert (first.number, first.at, first.level_name, first.logger, first.message) == (1, NOON + timedelta(seconds=1), "INFO", "shop", "line 1")
    assert (first.task_id, first.queue, first.attempt) == (claim.id, "mail", 1)
    assert (second.level_name, second.logger, second.message) == ("ERROR", "shop.mail", "ünïcode 🐦\nand a traceback")
    assert second.place > first.place


async def test_lines_of_several_attempts_come_in_one_call(connected: Connected) -> None:
    one, two = await running(connected), await running(connected, queue="other")
    mixed = [(one.lease, line(1)), (two.lease, line(1, "other {}")), (one.lease, line(2)), (two.lease, line(2, "other {}"))]
    assert await connected.backend.log(mixed) == 4
    assert await messages(connected, task=one.id) == ["line 1", "line 2"]
    assert await messages(connected, task=two.id) == ["other 1", "other 2"]
    assert await connected.backend.log([]) == 0


async def test_each_attempt_has_lines_of_its_own(connected: Connected) -> None:
    claim = await logged(connected, line(1, "first try"))
    await finish(connected, claim, FAILED)
    again = await take(connected, claim.id, claim.lease.boot)
    await log(connected, again.lease, line(1, "second try"))
    assert await messages(connected, task=claim.id) == ["first try", "second try"]
    assert await messages(connected, task=claim.id, attempt=2) == ["second try"]
    assert [entry.attempt for entry in (await page(connected, task=claim.id)).lines] == [1, 2]


async def test_only_a_lease_that_holds_may_log(connected: Connected, clock: HandWoundClock) -> None:
    queued = await claimed(connected)
    assert await log(connected, queued.lease, line(1)) == 0
    claim = await running(connected, queue="other")
    assert await log(connected, Lease(claim.id, claim.lease.boot, claim.lease.token + 1), line(1)) == 0
    assert await log(connected, Lease(TaskId("nobody"), claim.lease.boot, 1), line(1)) == 0
    held = await running(connected, queue="third")
    assert await connected.backend.log([(Lease(claim.id, held.lease.boot, 1), line(1)), (held.lease, line(1, "kept"))]) == 1
    assert await messages(connected) == ["kept"]
    await lose_workers(connected, clock)
    assert await log(connected, held.lease, line(2)) == 0
    assert await messages(connected) == ["kept"]


async def test_an_attempt_that_ended_can_log_no_more(connected: Connected) -> None:
    claim = await logged(connected, line(1))
    await finish(connected, claim)
    assert await log(connected, claim.lease, line(2)) == 0
    assert await messages(connected, task=claim.id) == ["line 1"]


async def test_a_call_that_is_repeated_stores_nothing_twice(connected: Connected) -> None:
    claim = await logged(connected, line(1), line(2))
    assert await log(connected, claim.lease, line(1), line(2), line(3)) == 1
    assert await messages(connected, task=claim.id) == ["line 1", "line 2", "line 3"]
    assert await log(connected, claim.lease, line(900, "after a gap")) == 1


async def test_texts_that_no_store_can_hold_are_made_visible(connected: Connected) -> None:
    claim = await logged(connected, line(1, "nul \x00 and half \ud800 a letter", logger="a\x00b"))
    [entry] = (await page(connected, task=claim.id)).lines
    assert "half" in entry.message
    assert entry.message.encode()


async def test_a_log_is_announced_to_those_who_watch_the_queue(connected: Connected) -> None:
    claim = await running(connected, queue="mail")
    async with watching(connected) as seen:
        await log(connected, claim.lease, line(1))
        await seen.wait_for(queue_topic("mail"))


# --- reading -------------------------------------------------------------------------------------------


async def walk(connected: Connected, limit: int, **wanted: object) -> list[int]:
    """The numbers of all lines, page by page from the newest to the oldest."""
    found: list[int] = []
    start: Cursor | None = None
    while True:
        part = await page(connected, start, limit, **wanted)
        found = [entry.number for entry in part.lines] + found
        if part.older is None:
            return found
        start = part.older


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
async def test_pages_lead_through_all_lines_and_back(connected: Connected, limit: int) -> None:
    claim = await logged(connected, *map(line, range(1, 8)), queue="mail")
    await logged(connected, line(99), queue="other")
    for wanted in ({"task": claim.id}, {"queue": "mail"}):
        assert await walk(connected, limit, **wanted) == list(range(1, 8))
        forth: list[int] = []
        start = Cursor("n0")
        while part := (answer := await page(connected, start, limit, **wanted)).lines:
            forth += [entry.number for entry in part]
            start = answer.newer
        assert forth == list(range(1, 8))
    assert await walk(connected, limit) == [*range(1, 8), 99]


async def test_a_log_is_followed_from_the_newest_line_on(connected: Connected) -> None:
    claim = await running(connected)
    empty = await page(connected, task=claim.id)
    assert (empty.lines, empty.older) == ([], None)
    await log(connected, claim.lease, line(1), line(2))
    assert [entry.number for entry in (await page(connected, empty.newer, task=claim.id)).lines] == [1, 2]
    newest = await page(connected, None, 1, task=claim.id)
    assert [entry.number for entry in newest.lines] == [2]
    nothing = await page(connected, newest.newer, task=claim.id)
    assert nothing.lines == []
    await log(connected, claim.lease, line(3))
    assert [entry.number for entry in (await page(connected, nothing.newer, task=claim.id)).lines] == [3]


async def test_levels_and_words_are_looked_for(connected: Connected) -> None:
    claim = await logged(
        connected,
        line(1, "STRASSE"),
        line(2, "warned", level=logging.WARNING),
        line(3, "Broke", level=logging.ERROR, logger="shop.Mail"),
        queue="mail",
    )
    await logged(connected, line(1, "elsewhere", level=logging.ERROR), queue="other")
    assert await messages(connected, level=logging.WARNING, queue="mail") == ["warned", "Broke"]
    assert await messages(connected, level=logging.ERROR) == ["Broke", "elsewhere"]
    assert await messages(connected, text="straße") == ["STRASSE"]
    assert await messages(connected, text="MAIL", task=claim.id) == ["Broke"]
    assert await messages(connected, text="nowhere") == []
    assert await messages(connected, task=claim.id, queue="other") == []
    assert await messages(connected, task="nobody") == await messages(connected, queue="nobody") == []


async def fill(connected: Connected, claim: Claim, numbers: Sequence[int], **changes: object) -> None:
    for start in range(0, len(numbers), 1_000):
        await log(connected, claim.lease, *(line(number, **changes) for number in numbers[start : start + 1_000]))  # type: ignore[arg-type]


async def test_a_search_says_where_it_stopped_and_goes_on_from_there(connected: Connected) -> None:
    claim = await logged(connected, line(1, "the needle"))
    await fill(connected, claim, range(2, LOG_WINDOW + 5))
    first = await page(connected, text="needle", task=claim.id)
    assert (first.lines, first.searched) == ([], LOG_WINDOW)
    assert first.older is not None
    second = await page(connected, first.older, text="needle", task=claim.id)
    assert [entry.message for entry in second.lines] == ["the needle"]
    assert (second.older, second.searched) == (None, None)
    await log(connected, claim.lease, line(LOG_WINDOW + 10, "a needle more"))
    assert [entry.message for entry in (await page(connected, first.newer, text="needle", task=claim.id)).lines] == ["a needle more"]


@pytest.mark.parametrize("cursor", ["", "x1", "o-1", "n1.5", "o" + "9" * 30, "n²"])
async def test_a_cursor_that_no_page_handed_out_is_refused(connected: Connected, cursor: str) -> None:
    with pytest.raises(InvalidValue, match="was not handed out by a page"):
        await page(connected, Cursor(cursor))


# --- forgetting ----------------------------------------------------------------------------------------


async def test_lines_go_with_their_task(connected: Connected) -> None:
    gone, stays = await logged(connected, line(1)), await logged(connected, line(1, "stays"), queue="other")
    await finish(connected, gone)
    await connected.expose.delete([gone.id], actor=ME)
    assert await messages(connected) == ["stays"]
    await finish(connected, stays)
    await connected.backend.prune(Retention(done=0))
    assert await messages(connected) == []


async def test_old_lines_go_by_age_and_queue_while_their_task_stays(connected: Connected, clock: HandWoundClock) -> None:
    claim = await logged(connected, line(1), queue="mail")
    kept = await logged(connected, line(1, "kept"), queue="audit")
    rules = Retention(done=None, logs=HOUR, queues={QueueName("audit"): Retention(done=None, logs=None)})
    clock.advance(HOUR - 1)
    await log(connected, claim.lease, line(2))
    await connected.backend.prune(rules)
    assert await messages(connected, task=claim.id) == ["line 1", "line 2"]
    clock.advance(1)
    await connected.backend.prune(rules)
    assert await messages(connected, task=claim.id) == ["line 2"]
    assert await messages(connected, task=kept.id) == ["kept"]


async def test_a_task_keeps_its_latest_lines_however_often_it_runs(connected: Connected) -> None:
    claim = await running(connected)
    await fill(connected, claim, range(1, KEPT_LINES + 1_001))
    await finish(connected, claim, FAILED)
    again = await take(connected, claim.id, claim.lease.boot)
    await log(connected, again.lease, line(1, "again"))
    numbers = await walk(connected, 1_000, task=claim.id)
    assert len(numbers) == KEPT_LINES
    assert numbers[-1] == 1
    assert numbers[0] == 1_002


async def test_an_attempt_logs_while_others_are_claimed_and_acked(connected: Connected) -> None:
    boot = await registered(connected)
    claims = [await running(connected, queue=f"queue {number}") for number in range(4)]

    async def tell(claim: Claim) -> None:
        for number in range(1, 21):
            assert await log(connected, claim.lease, line(number)) == 1
        assert await finish(connected, claim)

    await asyncio.gather(*map(tell, claims), connected.backend.rescue(), connected.backend.leases(boot))
    for claim in claims:
        assert await walk(connected, 100, task=claim.id) == list(range(1, 21))
