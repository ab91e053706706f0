"""What handlers log is kept beside their task, whichever way they run, and bounded."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from queue_core import INJECTED, App, InvalidValue, Retry, WorkerContext
from queue_core.errors import StoreUnavailable
from queue_core.expose import LogEntry, LogFilter
from queue_core.ids import BootId, TaskId
from queue_core.task import Lease
from queue_core.worker.capture import LONGEST, Said, Tap, said
from queue_core.worker.scribe import FIRST, LAST, WAITING, Journal, Scribe
from tests.core.steps import PATIENCE, eventually, working

AT_ONCE = Retry(backoff="constant", min=0, max=0, jitter=0)
shop = logging.getLogger("shop")
children = App("memory://logs")


@children.task(executor="process", max_attempts=1)
def in_a_child(name: str) -> None:
    logging.getLogger("child").info("Hello, %s.", name)
    logging.getLogger("child").debug("Not this.")
    thread = threading.Thread(target=shop.warning, args=("from a thread of the child",))
    thread.start()
    thread.join()


@pytest.fixture(autouse=True)
def informative() -> Iterator[None]:
    """As a program that logs from INFO on."""
    shop.setLevel(logging.INFO)
    yield
    shop.setLevel(logging.NOTSET)


async def log_of(app: App, id: TaskId, **wanted: Any) -> list[LogEntry]:
    return (await app.expose.list_logs(LogFilter(task=id, **wanted), limit=1_000)).lines


async def messages(app: App, id: TaskId, **wanted: Any) -> list[str]:
    return [entry.message for entry in await log_of(app, id, **wanted)]


# --- what is heard -------------------------------------------------------------------------------------


async def test_all_that_a_task_logs_can_be_read_once_it_has_ended(stored_app: App) -> None:
    @stored_app.task
    async def greet(name: str) -> None:
        shop.info("Hello, %s.", name)
        await asyncio.create_task(elsewhere())
        await asyncio.to_thread(shop.warning, "from a thread")

    async def elsewhere() -> None:
        shop.error("from a task of the handler's")

    async with working(stored_app):
        for _ in range(20):
            handle = await greet.push("Ada")
            await handle.result(timeout=PATIENCE)
            assert await messages(stored_app, handle.id) == ["Hello, Ada.", "from a task of the handler's", "from a thread"]
    entries = await log_of(stored_app, handle.id)
    assert [(entry.level_name, entry.logger, entry.attempt, entry.number) for entry in entries] == [
        ("INFO", "shop", 1, 1),
        ("ERROR", "shop", 1, 2),
        ("WARNING", "shop", 1, 3),
    ]


async def test_each_run_has_its_own_log_though_they_run_together(stored_app: App) -> None:
    @stored_app.task
    async def count(number: int) -> None:
        for step in range(5):
            shop.info("%d: %d", number, step)
            await asyncio.sleep(0)

    @stored_app.task
    def count_in_a_thread(number: int) -> None:
        for step in range(5):
            shop.info("%d: %d", number, step)

    async with working(stored_app, concurrency=10):
        for task in (count, count_in_a_thread):
            handles = await task.push_many({"number": number} for number in range(10))
            for number, handle in enumerate(handles):
                await handle.result(timeout=PATIENCE)
                assert await messages(stored_app, handle.id) == [f"{number}: {step}" for step in range(5)]


async def test_a_failed_attempt_keeps_its_log_with_the_traceback_that_was_logged(stored_app: App) -> None:
    @stored_app.task(retry=AT_ONCE)
    async def fail(*, ctx: WorkerContext = INJECTED) -> None:
        try:
            raise LookupError("no such customer")
        except LookupError:
            shop.exception("Attempt %d.", ctx.attempt)
            if ctx.attempt == 1:
                raise

    async with working(stored_app):
        handle = await fail.push()
        await handle.result(timeout=PATIENCE)
    first, second = await log_of(stored_app, handle.id)
    assert first.message.startswith("Attempt 1.\nTraceback (most recent call last):")
    assert first.message.endswith("LookupError: no such customer")
    assert [first.attempt, second.attempt] == [1, 2]


async def test_a_child_process_sends_what_it_logs() -> None:
    async with children:
        handle = await in_a_child.push("Ada")
        async with working(children):
            await handle.result(timeout=PATIENCE)
        assert await messages(children, handle.id) == ["Hello, Ada.", "from a thread of the child"]


async def test_what_is_logged_while_it_runs_can_be_read_soon(stored_app: App) -> None:
    go_on = asyncio.Event()

    @stored_app.task
    async def wait() -> None:
        shop.info("begun")
        await go_on.wait()

    async def begun() -> bool:
        return await messages(stored_app, handle.id) == ["begun"]

    async with working(stored_app):
        handle = await wait.push()
        await eventually(begun)
        go_on.set()
        await handle.result(timeout=PATIENCE)


# --- what is not heard ---------------------------------------------------------------------------------


async def test_only_levels_that_were_asked_for_are_kept(app: App) -> None:
    @app.task
    async def speak() -> None:
        shop.info("quiet")
        shop.warning("loud")

    async with working(app, capture_logs="warning"):
        handle = await speak.push()
        await handle.result(timeout=PATIENCE)
    assert await messages(app, handle.id) == ["loud"]
    async with working(app, capture_logs=None):
        handle = await speak.push()
        await handle.result(timeout=PATIENCE)
    assert await messages(app, handle.id) == []


async def test_what_is_logged_outside_of_a_run_or_after_it_belongs_to_nobody(app: App) -> None:
    late: list[asyncio.Task[None]] = []
    ended = asyncio.Event()

    async def linger() -> None:
        await ended.wait()
        shop.warning("too late")

    @app.task
    async def leave_something() -> None:
        late.append(asyncio.create_task(linger()))
        logging.getLogger("prinia.worker").warning("the worker's own")

    async with working(app):
        handle = await leave_something.push()
        await handle.result(timeout=PATIENCE)
        shop.warning("outside")
        ended.set()
        await late[0]
    assert (await app.expose.list_logs(LogFilter())).lines == []


@pytest.mark.parametrize("level", ["loud", True, 1.5])
def test_a_level_that_logging_does_not_know_is_refused(level: Any) -> None:
    app = App("memory://")

    @app.task
    async def nothing() -> None: ...

    with pytest.raises(InvalidValue, match="capture_logs must be a level of logging"):
        app.worker(capture_logs=level)


def test_a_message_that_does_not_fit_its_values_is_kept() -> None:
    record = logging.LogRecord("shop", logging.INFO, "shop.py", 1, "%d apples", ("many",), None)
    assert said(record).message.startswith("%d apples (its values ('many',) do not fit: ")


class Silent:
    """An object that cannot be put into words."""

    def __str__(self) -> str:
        raise RuntimeError("I say nothing.")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("message", "values", "kept"),
    [
        (Silent(), (), "<a Silent that cannot be shown: RuntimeError>"),
        ("%s apples", (Silent(),), "%s apples (its values <a tuple that cannot be shown: RuntimeError> do not fit: I say nothing.)"),
    ],
)
def test_what_cannot_be_put_into_words_is_kept_as_far_as_it_can(message: Any, values: Any, kept: str) -> None:
    assert said(logging.LogRecord("shop", logging.INFO, "shop.py", 1, message, values, None)).message == kept


async def test_a_strange_level_or_name_takes_no_other_line_with_it(stored_app: App) -> None:
    @stored_app.task
    async def strange() -> None:
        shop.info("before")
        shop.log(2**70, "a level that no store can hold")
        logging.getLogger("x" * 10_000).warning("a name that is long")
        shop.info("after")

    async with working(stored_app):
        handle = await strange.push()
        await handle.result(timeout=PATIENCE)
    lines = await log_of(stored_app, handle.id)
    assert [line.message for line in lines] == ["before", "a level that no store can hold", "a name that is long", "after"]
    assert max(len(line.logger) for line in lines) == 200


# --- bounds --------------------------------------------------------------------------------------------


async def test_an_attempt_keeps_its_first_and_last_lines_and_says_how_many_were_left_out(stored_app: App) -> None:
    @stored_app.task
    async def chatter() -> None:
        for number in range(5_000):
            shop.info("line %d", number)

    async with working(stored_app):
        handle = await chatter.push()
        await handle.result(timeout=PATIENCE)
    told = await messages(stored_app, handle.id, level=logging.WARNING)
    assert told == ["4,000 lines were left out here: of an attempt the first 900 and the last 100 are kept, within 256 KiB."]
    page = await stored_app.expose.list_logs(LogFilter(task=handle.id), limit=1_000)
    assert page.lines[-1].message == "line 4999"
    assert [entry.message for entry in page.lines[-101:-99]] == [told[0], "line 4900"]
    assert page.older is not None
    assert (await stored_app.expose.list_logs(LogFilter(task=handle.id), start=page.older)).lines[0].message == "line 0"


async def test_a_long_message_keeps_its_beginning_and_its_end(app: App) -> None:
    @app.task
    async def shout() -> None:
        shop.info("begin %s end", "x" * 1_000_000)

    async with working(app):
        handle = await shout.push()
        await handle.result(timeout=PATIENCE)
    [message] = await messages(app, handle.id)
    assert message.startswith("begin xxx") and message.endswith("xxx end")
    assert len(message) <= LONGEST
    assert "characters" in message


def lines_of(journal: Journal, *texts: str) -> None:
    for text in texts:
        journal.add(Said(datetime.now(UTC), 20, "shop", text))


LEASE = Lease(TaskId("a"), BootId("b"), 1)


def test_an_attempt_keeps_no_more_characters_than_it_may() -> None:
    journal = Journal(LEASE)
    lines_of(journal, *("x" * 8_000 for _ in range(1_000)))
    journal.close()
    assert sum(len(line.message) for line in journal.waiting) <= FIRST[1] + LAST[1] + 200
    assert [line.number for line in journal.waiting] == sorted({line.number for line in journal.waiting})


LEFT_OUT = "were left out here: the store was away for too long to keep them all."


def a_run() -> Any:
    return type("Run", (), {"claim": type("Claim", (), {"lease": LEASE}), "journal": None})()


class Away:
    """A store that cannot be reached, until it can."""

    def __init__(self) -> None:
        self.stored: list[Any] = []
        self.is_away = True

    async def log(self, lines: Any) -> int:
        if self.is_away:
            raise StoreUnavailable("away")
        self.stored += lines
        return len(lines)


async def test_while_the_store_is_away_the_oldest_lines_give_way_and_that_is_said() -> None:
    store: Any = Away()
    scribe = Scribe(store, logging.INFO)
    runs = [a_run() for _ in range(20)]
    for run in runs:
        for number in range(FIRST[0]):
            scribe.add(run, Said(datetime.now(UTC), 20, "shop", f"line {number}"))
    assert sum(len(run.journal.waiting) for run in runs) == WAITING[0]
    with pytest.raises(StoreUnavailable):
        await scribe.flush()
    assert scribe.is_busy
    store.is_away = False
    await scribe.flush()
    assert not scribe.is_busy
    told = [line.message for _, line in store.stored if line.logger == "prinia"]
    assert sorted(told) == sorted(f"{number} lines {LEFT_OUT}" for number in [900] * 8 + [800])
    assert len(store.stored) == WAITING[0] + 9


async def test_what_was_lost_in_an_outage_is_counted_over_all_vain_tries_to_store() -> None:
    store: Any = Away()
    scribe = Scribe(store, logging.INFO)
    runs = [a_run() for _ in range(20)]
    for run in runs:
        for number in range(FIRST[0]):
            scribe.add(run, Said(datetime.now(UTC), 20, "shop", f"line {number}"))
        with pytest.raises(StoreUnavailable):
            await scribe.flush()
    store.is_away = False
    await scribe.flush()
    told = [int(line.message.split()[0]) for _, line in store.stored if LEFT_OUT in line.message]
    assert sum(told) + len(store.stored) - len(told) == 20 * FIRST[0]
    assert len(store.stored) - len(told) == WAITING[0]


async def test_a_line_that_the_store_refuses_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    class Picky(Away):
        async def log(self, lines: Any) -> int:
            if any("bad" in line.message for _, line in lines):
                raise ValueError("not this one")
            return await super().log(lines)

    store: Any = Picky()
    store.is_away = False
    scribe, run = Scribe(store, logging.INFO), a_run()
    for message in ("good", "bad", "better"):
        scribe.add(run, Said(datetime.now(UTC), 20, "shop", message))
    await scribe.flush()
    assert [line.message for _, line in store.stored] == ["good", "better"]
    assert "1 log lines were refused by the store and are dropped: not this one" in caplog.text


# --- the program's own logging -------------------------------------------------------------------------


class Nobody:
    """The root of logging without handlers, as in a program that configures nothing."""

    def __enter__(self) -> logging.Logger:
        self._handlers, self._level = logging.root.handlers, logging.root.level
        logging.root.handlers, logging.root.level = [], logging.WARNING
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]
        return logging.root

    def __exit__(self, *exc: object) -> None:
        logging.root.handlers, logging.root.level = self._handlers, self._level
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]


def test_where_nobody_configured_logging_it_is_heard_and_warnings_still_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    tap = Tap(lambda record: heard.append(record.getMessage()))
    lonely = logging.getLogger("lonely")
    with Nobody() as root:
        with tap.open(logging.INFO), tap.open(logging.DEBUG):
            lonely.debug("a detail")
            lonely.warning("a warning")
            assert root.level == logging.DEBUG
        assert (root.level, root.handlers) == (logging.WARNING, [])
    assert heard == ["a detail", "a warning"]
    assert capsys.readouterr().err == "a warning\n"


def test_where_somebody_did_their_level_stays() -> None:
    heard: list[str] = []
    tap = Tap(lambda record: heard.append(record.getMessage()))
    with Nobody() as root:
        root.addHandler(logging.NullHandler())
        with tap.open(logging.INFO):
            logging.getLogger("lonely").info("a detail")
            logging.getLogger("lonely").warning("a warning")
        assert (root.level, len(root.handlers)) == (logging.WARNING, 1)
    assert heard == ["a warning"]
