"""A built wheel, installed alone in a fresh virtual environment, has everything that Prinia needs at run time."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from board import _resources

ROOT: Final = Path(__file__).parent.parent
DATA: Final = {"templates": "board/templates", "static": "board/static", "queue_core": "queue_core"}
"""Folder of the checkout to where its files are in the wheel."""
TOOLS: Final = {".py", ".pyc"}
SHOP: Final = """
import asyncio
from queue_core import App
from queue_core.testing import drain

app = App("shelf://shop")

@app.task
async def greet(name: str) -> str:
    return f"Hello, {name}."

def test_the_fixtures_are_here(prinia_app, prinia_clock, prinia_eager):
    assert prinia_app is prinia_eager

def test_the_store_serves_an_app():
    async def work():
        async with app:
            task = await greet.push(name="Ada")
            await drain(app)
            return await task.result()

    assert asyncio.run(work()) == "Hello, Ada."
"""
"""Tests of somebody who uses the store."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment; its python."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@pytest.fixture(scope="module")
def wheel(venv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the checkout builds."""
    folder = tmp_path_factory.mktemp("wheel")
    run(venv, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(venv: Path, wheel: Path) -> Path:
    """The python of an environment with the wheel and what it requires, and nothing else."""
    run(venv, "-m", "pip", "install", "-q", wheel, cwd=wheel.parent)
    return venv


@pytest.fixture(scope="module")
def third_party(installed: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of docs/writing-a-backend.md, as a newcomer makes it there, installed by the command that the page gives."""
    folder = tmp_path_factory.mktemp("shelf")
    page = (ROOT / "docs" / "writing-a-backend.md").read_text()
    program, settings, commands = (next(iter(fenced(page, kind))) for kind in ("python runnable", "toml", "sh"))
    module, _, rest = program.partition('register_backend("shelf", connect)\n')
    assert rest
    (folder / "shelf.py").write_text(module)
    (folder / "pyproject.toml").write_text(settings)
    _, install, test = commands.splitlines()
    assert install == '.venv/bin/pip install "prinia[conformance]" -e .'
    assert test == '.venv/bin/pytest --pyargs queue_core.conformance --prinia-store "shelf://{folder}"'
    run(installed, "-m", "pip", "install", "-q", f"{wheel}[conformance]", "-e", ".", cwd=folder)
    return folder


def fenced(page: str, kind: str) -> list[str]:
    return [block.partition("\n```")[0] + "\n" for block in page.split(f"\n```{kind}\n")[1:]]


def run(*command: object, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def test_the_wheel_carries_every_template_style_script_and_statement(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for source, target in DATA.items():
        files = {path.relative_to(ROOT / source) for path in (ROOT / source).rglob("*") if path.is_file() and path.suffix not in TOOLS}
        assert files
        assert {f"{target}/{path.as_posix()}" for path in files} <= inside


def test_the_wheel_carries_no_tests_no_hook_and_no_secret_passengers(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in inside if ".dist-info" not in name} == {"board", "queue_core"}
    assert "board/_build.py" not in inside


def test_an_installed_prinia_serves_the_board_from_any_folder(installed: Path, tmp_path: Path) -> None:
    assert run(installed.with_name("prinia"), "--version", cwd=tmp_path).startswith("prinia ")
    code = "import board._resources as r; r.require_vendored(r.STATIC); print(r.TEMPLATES); print(r.STATIC)"
    templates, static = run(installed, "-c", code, cwd=tmp_path).split()
    assert templates.startswith(str(installed.parents[1]))
    assert static.startswith(str(installed.parents[1]))


def test_an_installed_prinia_makes_a_store_and_answers_from_it(installed: Path, tmp_path: Path) -> None:
    prinia = installed.with_name("prinia")
    run(prinia, "migrate", "--store", "sqlite:///tasks.db", cwd=tmp_path)
    run(prinia, "push", "email", "greet", '{"name": "Ada"}', "--store", "sqlite:///tasks.db", cwd=tmp_path)
    assert "greet" in run(prinia, "tasks", "list", "--store", "sqlite:///tasks.db", cwd=tmp_path)


def test_an_installed_prinia_offers_its_fixtures_to_pytest(installed: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import entry_points; print(*(point.value for point in entry_points(group='pytest11', name='prinia')))"
    assert run(installed, "-c", code, cwd=tmp_path).strip() == "board.pytest_plugin"


def test_the_plain_install_brings_neither_a_database_driver_nor_django(installed: Path, tmp_path: Path) -> None:
    packages = run(installed, "-m", "pip", "list", "--format=freeze", cwd=tmp_path).lower()
    assert "asyncpg" not in packages
    assert "django" not in packages


def test_the_vendored_scripts_are_the_pinned_ones() -> None:
    text = (ROOT / "board" / "_build.py").read_text()
    for name in _resources.VENDORED:
        assert hashlib.sha256((_resources.STATIC / "vendor" / name).read_bytes()).hexdigest() in text


def test_a_checkout_without_vendored_scripts_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(_resources.BrokenInstall, match="pip install -e"):
        _resources.require_vendored(tmp_path)


def test_a_broken_install_names_the_folder_and_the_cure() -> None:
    with pytest.raises(_resources.BrokenInstall, match="Install Prinia again"):
        _resources.data_folder("nowhere")


# --- last, because more is installed for it ---------------------------------------------------------------


def test_whoever_follows_the_page_on_backends_runs_the_published_suite_on_a_store_of_their_own(installed: Path, third_party: Path) -> None:
    """A part of it: the whole takes a minute, and tests/test_conformance.py runs all of it on a store of somebody else's."""
    suite = "--pyargs", "queue_core.conformance", "--prinia-store", "shelf://{folder}", "-p", "no:cacheprovider", "-q"
    said = run(installed.with_name("pytest"), *suite, "-k", "test_claim or test_schedules or test_open", cwd=third_party)
    assert " passed" in said
    assert "skipped" not in said


def test_the_fixtures_for_users_are_found_without_being_named(installed: Path, third_party: Path) -> None:
    (third_party / "test_shop.py").write_text(SHOP)
    said = run(installed.with_name("pytest"), "-q", "-p", "no:cacheprovider", "test_shop.py", cwd=third_party)
    assert "2 passed" in said
