"""What every test may ask for: a real PostgreSQL, a served board, a real browser."""

import inspect
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
import pytest_asyncio

from queue_core.conformance.fixtures import MARKER
from tests import chromium, pg
from tests.stores import Schemas

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Page, Request

sys.path.append(str(Path(__file__).parent))  # last, so that no folder of tests hides a package

BROWSER_FIXTURES: Final = {"browser", "page"}
PATIENCE: Final = 15_000
"""Milliseconds that a browser may take for anything, also beside the other tests on a busy machine."""
POSTGRES_FIXTURES: Final = {"pg_url", "pg_schema", "pg_schemas", "postgres_store", "fresh_postgres_store"}


def pytest_configure(config: pytest.Config) -> None:
    """The published tests say which parts of the contract they are about, here as well as where other tests take from them."""
    config.addinivalue_line("markers", MARKER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they ask for. Those with a browser share one event loop, because Playwright's objects belong to theirs."""
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        if asked & BROWSER_FIXTURES and inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if asked & POSTGRES_FIXTURES:
            item.add_marker(pytest.mark.postgres)


def missing(cure: str, requirement: str) -> NoReturn:
    """Skip on a desktop; fail where nothing may be skipped (CI, and the README's test command)."""
    if os.environ.get("CI") or os.environ.get(requirement):
        pytest.fail(cure)
    pytest.skip(cure)


# --- PostgreSQL ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pg_url() -> Iterator[str]:
    """The address of a real PostgreSQL: $TEST_DATABASE_URL, else one of this test process alone."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    try:
        server = pg.Server().start()
    except LookupError as absent:
        missing(str(absent), "REQUIRE_POSTGRES")
    yield server.url
    server.stop()


@pytest.fixture
async def pg_schema(pg_url: str, request: pytest.FixtureRequest) -> AsyncIterator[dict[str, Any]]:
    """Keywords of ``asyncpg.connect`` for a fresh schema; connections made with them see only that."""
    import asyncpg

    name = f"t_{os.getpid()}_{time.monotonic_ns()}"
    connection = await asyncpg.connect(pg_url)
    try:
        await connection.execute(f'CREATE SCHEMA "{name}"')
        yield {"dsn": pg_url, "server_settings": {"search_path": name}}
        await connection.execute(f'DROP SCHEMA "{name}" CASCADE')
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def pg_schemas(pg_url: str) -> Iterator[Schemas]:
    """The schemas of this test process."""
    schemas = Schemas(pg_url)
    yield schemas
    schemas.close()


@pytest.fixture
def postgres_store(pg_schemas: Schemas) -> str:
    """The URL of an empty PostgreSQL store, whose schema earlier tests used too."""
    return pg_schemas.empty()


@pytest.fixture
def fresh_postgres_store(pg_schemas: Schemas) -> Iterator[str]:
    """The URL of a PostgreSQL store that is still to be made: for tests of that, and of processes that outlive a careless test."""
    url = pg_schemas.fresh()
    yield url
    pg_schemas.drop(url)


# --- a served board --------------------------------------------------------------------------------------


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh store: on SQLite, unless a test is marked with ON_EVERY_SERVED_STORE."""
    if getattr(request, "param", "sqlite") == "postgres":
        return str(request.getfixturevalue("fresh_postgres_store"))
    return f"sqlite:///{tmp_path / 'tasks.db'}"


@pytest.fixture
def board_url(store_url: str) -> Iterator[str]:
    """Where a board over ``store_url`` is served. Override it in a module to serve something else to ``page``."""
    from board import Board
    from tests.served import BoardServer

    with BoardServer(Board(store_url)) as server:
        yield server.url


# --- a real browser --------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator["Browser"]:
    """One Chromium for all tests of this process."""
    from playwright.async_api import async_playwright, expect

    try:
        chromium.prepare_driver()
    except LookupError as absent:
        missing(str(absent), "REQUIRE_BROWSER")
    async with async_playwright() as playwright:
        try:
            running = await chromium.launch(playwright)
        except LookupError as absent:
            missing(str(absent), "REQUIRE_BROWSER")
        expect.set_options(timeout=PATIENCE)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: "Browser", board_url: str) -> AsyncIterator["Page"]:
    """A page of a fresh browser profile at the board. The test fails on page errors, console errors and requests that leave the board."""
    context = await browser.new_context(base_url=board_url, viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(PATIENCE)
    problems: list[str] = []

    def on_request(request: "Request") -> None:
        if not request.url.startswith((board_url, "data:", "blob:")):
            problems.append(f"a request left the board: {request.url}")

    def on_console(message: "ConsoleMessage") -> None:
        if message.type == "error":
            problems.append(f"console: {message.text}")

    context.on("request", on_request)
    page = await context.new_page()
    page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
    page.on("console", on_console)
    yield page
    await context.close()
    assert not problems, problems
