"""Everybody can use the board: without JavaScript, with a keyboard, with a screen reader, on a phone, in either theme."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from queue_core.expose import Connected, QueueName
from tests.browser.conftest import TESTER, Push, live

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
HOSTILE = "<script>alert(1)</script>"


async def a_bit_of_everything(push: Push, store: Connected) -> str:
    """Tasks in several states, a paused queue, hostile text; returns the id of a killed one."""
    ids = await push("greet", times=5, name=HOSTILE)
    await push("greet", run_after=3600, name="later")
    await push("greet", queue="quoted \"'/% 🐦", name="x")
    await store.expose.kill(ids[:2], actor=TESTER)
    await store.expose.pause(QueueName("mail"), actor=TESTER)
    return ids[0]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_no_violation(page: Page, push: Push, store: Connected, worker: object, theme: str) -> None:
    killed = await a_bit_of_everything(push, store)
    await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    worker_path = (await _first_worker(page)) or "/workers"
    for path in ("/", "/queues", "/queues/mail", "/tasks", f"/tasks/{killed}", "/workers", worker_path):
        await page.goto(path)
        found = await Axe().run(page, options=RULES)
        assert found.violations_count == 0, f"{path} in {theme}:\n{found.generate_report()}"


async def _first_worker(page: Page) -> str | None:
    await live(page, "/workers")
    link = page.locator("#workers-list a", has_text="reader").first
    await expect(link).to_be_visible()
    return await link.get_attribute("href")


async def test_the_board_works_without_javascript(browser: Browser, board_url: str, push: Push, store: Connected) -> None:
    (id,) = await push("greet", name="Ida")
    context = await browser.new_context(base_url=board_url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_role("link", name="Tasks").first.click()
    row = page.locator(f"#task-{id}")
    await row.get_by_role("button", name="Kill").click()
    await expect(page.locator("main")).to_contain_text("Kill")
    await page.locator("main").get_by_role("button", name="Kill").click()
    await expect(page.locator(f"#task-{id}")).to_contain_text("Killed")
    await expect(page.locator("#notices")).to_contain_text("1 task")
    await page.locator(f"#task-{id}").get_by_role("button", name="Retry").click()
    await expect(page.locator(f"#task-{id}")).to_contain_text("Pending")
    await context.close()


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
async def test_no_page_scrolls_sideways(page: Page, push: Push, store: Connected, width: int) -> None:
    killed = await a_bit_of_everything(push, store)
    await page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", "/queues", "/queues/mail", "/tasks", f"/tasks/{killed}", "/workers"):
        await page.goto(path)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px too wide at {width}"


async def test_hostile_data_stays_text(page: Page, push: Push, store: Connected) -> None:
    killed = await a_bit_of_everything(push, store)
    await page.goto(f"/tasks/{killed}")
    await expect(page.locator("#task-arguments")).to_contain_text(HOSTILE)
    await page.goto("/queues")
    await page.get_by_role("link", name="quoted \"'/% 🐦").first.click()
    await expect(page.locator("h1")).to_contain_text("quoted \"'/% 🐦")


async def test_the_keyboard_reaches_every_row_and_its_actions(page: Page, push: Push) -> None:
    ids = await push("greet", times=3, name="Jo")
    await live(page, "/tasks")
    await page.keyboard.press("j")
    await expect(page.locator(f"#task-{ids[2]} a.task-name")).to_be_focused()
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(page.locator(f"#task-{ids[1]} input[type=checkbox]")).to_be_checked()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"{ids[1]}$"))
    await page.keyboard.press("g")
    await page.keyboard.press("q")
    await expect(page.locator("h1")).to_have_text("Queues")
