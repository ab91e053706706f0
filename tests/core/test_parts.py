"""Stores that lack parts of the contracts: apps, workers, commands and boards do without, and who asks for a part is told so."""

import argparse
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from board import Board
from queue_core import INJECTED, App, Every, InvalidValue, Rate, Status, WorkerContext, register_backend, schemes
from queue_core.capabilities import PARTS, Part
from queue_core.cli import logs, schedules
from queue_core.cli.failure import CommandFailed
from queue_core.testing import drain
from tests import partial
from tests.board.helpers import client_of
from tests.core.steps import becomes, eventually, working


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> Callable[..., App]:
    """An app on a store that lacks parts."""
    monkeypatch.setattr(schemes, "_registered", {})
    register_backend("partial", partial.connect)
    return lambda *parts: App(f"partial://?{','.join(parts or PARTS)}")


@pytest.fixture
async def app(lacking: Callable[..., App]) -> AsyncIterator[App]:
    """An app on a store that lacks all that can be lacked."""
    async with lacking() as app:
        yield app


async def test_tasks_are_pushed_run_retried_logged_and_shown_without_any_of_the_parts(app: App, caplog: pytest.LogCaptureFixture) -> None:
    @app.task(max_attempts=2)
    async def greet(name: str) -> str:
        logging.getLogger("shop").warning("said once")
        return f"Hello, {name}."

    async with working(app):
        first = await greet.push("Ada")
        assert await first.result(timeout=10) == "Hello, Ada."
        again = await greet.using(key="k", group="g").push("Grace")
        assert (await becomes(again, Status.DONE)).args == b'{"name":"Grace"}'
        page = await client_of(Board(app)).get(f"/tasks/{first.id}")
        assert page.status_code == 200
        assert 'id="task-facts"' in page.text and 'id="task-log"' not in page.text
        answer = await client_of(Board(app)).get(f"/api/v1/tasks/{first.id}/logs")
        assert (answer.status_code, "The store Memory has no logs" in answer.text) == (404, True)
    assert "said once" in caplog.text
    assert "failed and tries again" not in caplog.text


async def test_a_board_shows_a_log_where_there_is_one(lacking: Callable[..., App]) -> None:
    async with lacking("schedules") as app:

        @app.task
        async def greet() -> None: ...

        task = await greet.push()
        assert 'id="task-log"' in (await client_of(Board(app)).get(f"/tasks/{task.id}")).text


# --- what is refused -------------------------------------------------------------------------------------


def worker_of(app: App, **options: Any) -> Any:
    @app.task
    async def report() -> None: ...

    return app.worker(**options)


async def test_a_schedule_keeps_a_worker_from_starting(app: App) -> None:
    @app.task
    async def report() -> None: ...

    app.schedule(Every(hours=1), report, name="hourly")
    with pytest.raises(InvalidValue, match=r"The schedule hourly is declared, and the store has no schedules\. Take it out; .* Or choose a store"):
        app.worker()
    with pytest.raises(InvalidValue, match="schedule hourly"):
        await drain(app)
    assert (await report.push()).created, "who pushes needs no schedules"


async def test_limits_keep_an_app_from_starting(app: App) -> None:
    @app.task
    async def report() -> None: ...

    app.queue("mail", rate=Rate(1, per=60))
    for _ in range(2):
        with pytest.raises(InvalidValue, match=r"The queue mail has limits, and the store has no limits\. Take app\.queue out\. Or choose"):
            await report.push()
    with pytest.raises(InvalidValue, match="The queue mail has limits"):
        app.worker()


@pytest.mark.parametrize("level", ["INFO", "warning", 10])
async def test_logs_that_are_asked_for_keep_a_worker_from_starting(app: App, level: Any) -> None:
    with pytest.raises(InvalidValue, match=f"capture_logs is {level!r}, and the store has no logs. Leave it out"):
        worker_of(app, capture_logs=level)


async def test_logs_that_nobody_asks_for_are_not_captured(lacking: Callable[..., App]) -> None:
    assert worker_of(lacking()).settings.capture_logs is None
    assert worker_of(lacking(), capture_logs=None).settings.capture_logs is None
    assert worker_of(lacking("limits")).settings.capture_logs == logging.INFO


async def test_a_checkpoint_fails_the_attempt_that_asks_for_it(app: App) -> None:
    @app.task(max_attempts=1)
    async def copy(ctx: WorkerContext = INJECTED) -> None:
        assert ctx.last_checkpoint() is None
        await ctx.checkpoint(7)

    await copy.push()
    [task] = await drain(app)
    assert task.status is Status.KILLED
    assert task.error is not None
    assert "copy calls ctx.checkpoint, and the store has no checkpoints. Leave the call out." in task.error


async def test_a_task_cannot_be_changed(app: App) -> None:
    @app.task
    async def greet(name: str) -> None: ...

    task = await greet.push("Ada")
    with pytest.raises(InvalidValue, match=r"is to be changed, and the store has no updates\. Kill it, and push another\."):
        await task.update(priority=3)


@pytest.mark.parametrize("rule", [{"unique": "live"}, {"unique": 60}, {"debounce": 5}])
async def test_a_key_with_a_rule_is_not_pushed(app: App, rule: dict[str, Any]) -> None:
    @app.task
    async def greet() -> None: ...

    plain = await greet.using(key="k").push()
    for push in (greet.using(key="k", **rule).push, lambda: app.push([greet.using(key="k", **rule).new()])):
        with pytest.raises(InvalidValue, match="greet is pushed with unique or debounce, and the store has no key rules"):
            await push()
    assert (await plain.fetch()).run_at == plain.task.run_at


@pytest.mark.parametrize(
    ("command", "given"),
    [(schedules.show_list, {}), (schedules.run, {"name": "nightly"}), (logs.show, {"id": "x", "limit": 1, "attempt": None, "level": None})],
)
def test_a_command_says_what_the_store_lacks(
    lacking: Callable[..., App], monkeypatch: pytest.MonkeyPatch, command: Callable[[argparse.Namespace], int], given: dict[str, Any]
) -> None:
    monkeypatch.setattr("queue_core.cli.load.load_app", lambda spec: lacking())
    with pytest.raises(CommandFailed, match=r"The store Memory memory:// has no (schedules|logs)\. Choose one that has them"):
        command(argparse.Namespace(store="shop:app", json=False, follow=False, **given))


# --- what a store says -----------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
async def test_each_part_may_be_lacking_alone(lacking: Callable[..., App], part: Part) -> None:
    async with lacking(part) as app:
        assert not app.backend.capabilities.has(part)
        assert all(app.backend.capabilities.has(other) for other in PARTS if other != part)

        @app.task
        async def greet(ctx: WorkerContext = INJECTED) -> int:
            return ctx.attempt

        if part != "schedules":
            app.schedule(Every(days=1), greet)
        if part != "limits":
            app.queue("default", concurrency=5)
        ran: list[int] = []
        async with working(app) as worker:
            ran.append(await (await greet.push()).result(timeout=10))
            await eventually(lambda: worker.running == 0)
        assert ran == [1]
