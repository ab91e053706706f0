"""The fixtures for the tests of users, in a pytest of their own."""

import subprocess
import sys
from pathlib import Path

APP = """
from queue_core import App

app = App("sqlite:///not-to-be-made.db")

@app.task
async def greet(name: str) -> str:
    return f"Hello, {name}."
"""

TESTS = """
import pytest
import shop
from queue_core import Status
from queue_core.testing import assert_pushed, drain

@pytest.mark.asyncio
async def test_a_push_is_seen(prinia_app, prinia_clock):
    assert prinia_app is shop.app
    await shop.greet.using(run_after=60).push(name="Ada")
    await assert_pushed(prinia_app, shop.greet, name="Ada")
    assert await drain(prinia_app) == []
    prinia_clock.advance(60)
    assert [task.status for task in await drain(prinia_app)] == [Status.DONE]

@pytest.mark.asyncio
async def test_every_test_has_a_fresh_store(prinia_app):
    assert await drain(prinia_app) == []

@pytest.mark.asyncio
async def test_a_push_runs(prinia_eager):
    task = await shop.greet.push(name="Ada")
    assert await task.result() == "Hello, Ada."
"""

NO_APP = """
import pytest
from queue_core.testing import run_inline

@pytest.mark.asyncio
async def test_an_app_of_the_test_itself(prinia_eager):
    @prinia_eager.task
    async def double(n: int) -> int:
        return 2 * n

    assert await (await double.push(21)).result() == 42
"""

UNTOUCHED = """
import sys

def test_the_queue_is_not_imported_for_tests_that_do_not_use_it():
    assert "board.pytest_plugin" in sys.modules
    assert not [name for name in sys.modules if name.partition(".")[0] in {"queue_core", "starlette", "jinja2"}]
"""


def pytest_says(folder: Path, tests: str, *options: str) -> str:
    (folder / "test_shop.py").write_text(tests)
    plugin = ["-p", "no:prinia", "-p", "board.pytest_plugin"]  # by its name, so that it is there without an install too
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-o",
        "asyncio_default_fixture_loop_scope=function",
        *plugin,
        "-p",
        "no:cacheprovider",
        *options,
    ]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    return ran.stdout + ran.stderr


def test_the_app_of_the_setting_runs_on_memory_with_a_clock_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "pytest.ini").write_text("[pytest]\nprinia_app = shop:app\npythonpath = .\n")
    assert "3 passed" in (said := pytest_says(tmp_path, TESTS)), said
    assert not (tmp_path / "not-to-be-made.db").exists()


def test_without_the_setting_there_is_an_app_without_tasks(tmp_path: Path) -> None:
    assert "1 passed" in (said := pytest_says(tmp_path, NO_APP)), said


def test_a_setting_that_names_no_app_is_an_error_that_says_so(tmp_path: Path) -> None:
    said = pytest_says(tmp_path, NO_APP, "-o", "prinia_app=nowhere:app")
    assert "There is no module 'nowhere'" in said


def test_the_plugin_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    assert "1 passed" in (said := pytest_says(tmp_path, UNTOUCHED)), said
