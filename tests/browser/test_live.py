"""What a person sees when something happens elsewhere, and what they do about it. Everything runs: store, worker process, board, Chromium."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from queue_core.expose import Connected, Status, StoreUnavailable
from tests.browser.conftest import TESTER, Push, live
from tests.stores import ON_EVERY_SERVED_STORE

pytestmark = ON_EVERY_SERVED_STORE

PRODUCER = """
import asyncio, sys
from tests.browser.serve import app, greet

async def main():
    async with app:
        print((await greet.push(name=sys.argv[1])).id)

asyncio.run(main())
"""


async def test_a_task_pushed_from_another_process_appears_by_itself(page: Page, store_url: str, store: Connected) -> None:
    await live(page, "/tasks")
    produced = await asyncio.to_thread(_produce, store_url, "Ann")
    row = page.locator(f"#task-{produced}")
    await expect(row).to_be_visible()
    await expect(row).to_contain_text("greet")
    await expect(row).to_contain_text("Pending")


async def test_its_states_change_in_place_until_it_is_done(page: Page, push: Push, worker: object) -> None:
    await live(page, "/tasks")
    (id,) = await push("greet", name="Bob")
    await expect(page.locator(f"#task-{id} [data-status=done]").first).to_be_visible()


async def test_retry_on_a_killed_task_runs_it_and_the_row_changes_in_place(page: Page, push: Push, worker: object, tmp_path: Path) -> None:
    (id,) = await push("stubborn", name="Cyd")
    await live(page, "/tasks?status=Killed")
    row = page.locator(f"#task-{id}")
    await expect(row).to_contain_text("nobody told me to greet Cyd")
    handle = await row.element_handle()
    (tmp_path / "pass").touch()
    await row.get_by_role("button", name="Retry").click()
    await expect(row.locator("[data-status=done]").first).to_be_visible()
    assert await page.evaluate("([row, id]) => row === document.getElementById(id)", [handle, f"task-{id}"]), "it is the same row, not a new one"
    await expect(page.locator("#notices")).to_contain_text("Retried 1 task")


async def test_kill_stops_a_running_task(page: Page, push: Push, store: Connected, worker: object) -> None:
    (id,) = await push("endless", queue="slow")
    await live(page, f"/tasks/{id}")
    await expect(page.locator("#task-head")).to_contain_text("Running")
    await page.locator("#task-head").get_by_role("button", name="Kill").click()
    await page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    await expect(page.locator("#task-head")).to_contain_text("Killed")
    task = await store.expose.fetch(id)
    assert task is not None
    assert task.status is Status.KILLED
    assert (await store.expose.counts())[task.queue].running == 0


async def test_nothing_that_the_reader_touched_is_lost_over_twenty_updates(page: Page, push: Push, store: Connected) -> None:
    await page.set_viewport_size({"width": 1280, "height": 500})
    ids = await push("greet", times=40, name="Dee")
    await live(page, "/tasks")
    ticked, focused = page.locator(f"#task-{ids[30]} input[type=checkbox]"), page.locator(f"#task-{ids[25]} a.task-name")
    await ticked.check()
    await page.get_by_label("Text").first.fill("typed, not sent")
    await focused.scroll_into_view_if_needed()
    await focused.focus()
    scroll = await page.evaluate("scrollY")
    top = await focused.bounding_box()
    for number in range(20):
        await store.expose.kill([ids[number]], actor=TESTER)
        await push("greet", name=f"new {number}")
        await expect(page.locator(f"#task-{ids[number]}")).to_contain_text("Killed")
    await expect(ticked).to_be_checked()
    await expect(focused).to_be_focused()
    await expect(page.get_by_label("Text").first).to_have_value("typed, not sent")
    assert await page.evaluate("scrollY") == scroll
    assert await focused.bounding_box() == top, "no row moved under the reader"
    await expect(page.get_by_role("button", name="20 new")).to_be_visible()
    await page.get_by_role("button", name="20 new").click()
    await expect(page.locator("#tasks-rows tr").first).to_contain_text("greet")
    await expect(ticked).to_be_checked()


async def test_an_open_traceback_stays_open_and_its_selection_stays_selected(page: Page, push: Push, store: Connected, worker: object) -> None:
    (id,) = await push("stubborn", name="Eve")
    await live(page, f"/tasks/{id}")
    details = page.locator("#task-attempts details").first
    await expect(page.locator("#task-attempts")).to_contain_text("ValueError")
    if not await details.evaluate("element => element.open"):
        await details.locator("summary").click()
    await details.locator("pre").first.evaluate("element => getSelection().selectAllChildren(element)")
    selected = await page.evaluate("String(getSelection())")
    assert "nobody told me to greet Eve" in selected
    for attempt in range(2, 22):
        await store.expose.retry([id], actor=TESTER)
        await expect(page.locator("#task-head")).to_contain_text(f"{attempt}/{attempt}")
    assert await details.evaluate("element => element.open")
    assert await page.evaluate("String(getSelection())") == selected


async def test_the_page_comes_back_by_itself_after_the_stream_broke(page: Page, push: Push) -> None:
    await live(page, "/tasks")
    await page.context.set_offline(True)
    await page.context.set_offline(False)
    (id,) = await push("greet", name="Flo")
    await expect(page.locator(f"#task-{id}")).to_be_visible(timeout=20_000)


async def test_a_page_whose_store_is_away_is_not_called_live_until_it_is_back(page: Page, push: Push, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(*_: object) -> None:
        raise StoreUnavailable("The server is away.")

    await page.clock.set_fixed_time(datetime.now(UTC))
    await live(page, "/tasks")
    indicator = page.locator("[data-live-indicator]")
    with monkeypatch.context() as away:
        away.setattr("board.site.tasks", unavailable)
        await push("greet", name="Fay")
        await expect(page.locator("#board-status")).to_contain_text("The server is away.", timeout=20_000)
        await expect(page.locator("#board-status")).to_contain_text("Showing data from a moment ago.")
        await expect(indicator).to_have_text("Waiting for the store")
    await expect(indicator).to_have_text("Live", timeout=20_000)
    await expect(page.locator("#board-status")).to_have_text("")


async def test_pausing_a_queue_says_so_and_resuming_takes_it_back(page: Page, push: Push) -> None:
    await push("greet", name="Gus")
    await live(page, "/queues/mail")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#queue-head")).to_contain_text("paused", ignore_case=True)
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()


async def test_a_ticked_selection_is_retried_after_a_confirmation_that_counts_it(page: Page, push: Push, store: Connected) -> None:
    ids = await push("greet", times=3, name="Hal")
    await store.expose.kill(ids[:2], actor=TESTER)
    await live(page, "/tasks")
    for id in ids:
        await page.locator(f"#task-{id} input[type=checkbox]").check()
    await page.locator("[data-bulk]").get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("2 tasks")
    await expect(dialog).to_contain_text("1")
    await dialog.get_by_role("button", name="Retry").click()
    for id in ids:
        await expect(page.locator(f"#task-{id}")).to_contain_text("Pending")


async def test_workers_and_their_heartbeats_are_live(page: Page, store: Connected, worker: "subprocess.Popen[bytes]") -> None:
    await live(page, "/workers")
    row = page.locator("#workers-list tr", has_text="reader")
    await expect(row).to_contain_text("running", ignore_case=True)
    worker.terminate()
    await expect(page.locator("#workers-ended tr", has_text="reader")).to_contain_text("stopped", ignore_case=True)
    await expect(row).to_have_count(0)


def _produce(url: str, name: str) -> str:
    import os

    environment = os.environ | {"BROWSER_STORE": url, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run([sys.executable, "-c", PRODUCER, name], env=environment, capture_output=True, text=True, check=True).stdout.strip()
