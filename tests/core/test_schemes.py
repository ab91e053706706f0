"""Backends of other people: found by the scheme of a URL, and used by everything that takes one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from board import Board
from queue_core import App, InvalidValue, register_backend, schemes
from queue_core.backends import memory
from queue_core.errors import UnknownScheme
from queue_core.expose import Connected, connect
from queue_core.testing import drain
from tests.board.helpers import client_of
from tests.cli.commands import prinia

MINE: Final = """
from queue_core.backends import sqlite


def connect(url, **options):
    return sqlite.connect(url.replace("mine://", "sqlite://"), **options)
"""
TASKS: Final = """
from queue_core import App, WorkerContext

app = App("mine:///tasks.db")


@app.task
async def double(n: int, context: WorkerContext) -> int:
    context.stop_worker()
    return 2 * n
"""


@pytest.fixture(autouse=True)
def nothing_stays_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemes, "_registered", {})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    return site


def install(site: Path, name: str, code: str, offers: str) -> None:
    """A package with one module that offers a backend."""
    (site / f"{name}.py").write_text(code)
    about = site / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[prinia.backends]\n{offers}\n")


async def test_a_registered_backend_serves_its_scheme_everywhere() -> None:
    register_backend("scratch", memory.connect)
    app = App("scratch://shared")

    @app.task
    async def double(n: int) -> int:
        return 2 * n

    async with app:
        handle = await double.push(21)
        await drain(app)
        assert await handle.result() == 42
        assert "double" in (await client_of(Board(app)).get("/tasks")).text


async def test_a_backend_gets_the_url_the_options_and_the_codecs() -> None:
    given: dict[str, Any] = {}

    def factory(url: str, **options: Any) -> Connected:
        given.update(options, url=url)
        return memory.connect("memory://")

    register_backend("kept+tls", factory)
    app = App("kept+tls://user@host/name?x=1", color="red")
    assert (given["url"], given["color"]) == ("kept+tls://user@host/name?x=1", "red")
    assert given["codecs"] is app.codecs


@pytest.mark.parametrize("scheme", ["sqlite", "scratch"])
def test_a_scheme_has_one_backend(scheme: str) -> None:
    register_backend("scratch", memory.connect)
    register_backend("scratch", memory.connect)
    with pytest.raises(InvalidValue, match=f"URLs with {scheme}:// have a backend already"):
        register_backend(scheme, lambda url, **options: memory.connect(url))


@pytest.mark.parametrize("scheme", ["", "Redis", "redis://", "1st", 5])
def test_what_is_no_scheme_is_refused(scheme: Any) -> None:
    with pytest.raises(InvalidValue, match="A scheme is lower-case letters"):
        register_backend(scheme, memory.connect)


def test_what_is_no_factory_is_refused() -> None:
    with pytest.raises(InvalidValue, match="must be a function from a URL to a Connected"):
        register_backend("scratch", "queue_core.backends.memory:connect")  # type: ignore[arg-type]
    register_backend("scratch", lambda url, **options: url)
    with pytest.raises(InvalidValue, match="must return a Connected, got str"):
        connect("scratch://")


def test_an_unknown_scheme_is_answered_with_all_that_are_known(site: Path) -> None:
    install(site, "mine_backend", MINE, "mine = mine_backend:connect")
    register_backend("scratch", memory.connect)
    with pytest.raises(UnknownScheme, match=r"memory://, mine://, postgres://, postgresql://, scratch://, sqlite://, got 'redis://…?h'"):
        connect("redis://h")


@pytest.mark.parametrize(
    ("code", "offers", "said"),
    [
        ("import nothing_of_that_name", "mine = broken:connect", "which cannot be imported: ModuleNotFoundError: No module named 'nothing_of"),
        ("", "mine = broken:connect", "which cannot be imported: AttributeError"),
        ("connect = 5", "mine = broken:connect", "which must be a function from a URL"),
    ],
)
def test_a_package_whose_backend_is_broken_is_named(site: Path, code: str, offers: str, said: str) -> None:
    install(site, "broken", code, offers)
    sys.modules.pop("broken", None)
    with pytest.raises(InvalidValue, match=f"The backend for mine:// is broken:connect, {said}"):
        connect("mine://")


def test_two_packages_with_one_scheme_are_both_named(site: Path) -> None:
    install(site, "mine_backend", MINE, "mine = mine_backend:connect")
    install(site, "rival", MINE, "mine = rival:connect")
    with pytest.raises(InvalidValue, match="mine_backend:connect and rival:connect"):
        connect("mine://")


def test_the_backend_of_an_installed_package_serves_commands_workers_and_boards(site: Path, tmp_path: Path) -> None:
    install(site, "mine_backend", MINE, "mine = mine_backend:connect")
    (tmp_path / "tasks.py").write_text(TASKS)
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", ""), str(Path(schemes.__file__).parent.parent)])
    env = {"PYTHONPATH": path, "PRINIA_STORE": "mine:///tasks.db"}

    assert prinia("migrate", cwd=tmp_path, **env).returncode == 0
    assert prinia("push", "default", "double", '{"n": 21}', cwd=tmp_path, **env).returncode == 0
    worked = prinia("worker", "tasks:app", cwd=tmp_path, **env)
    assert worked.returncode == 0, worked.stderr
    listed = prinia("tasks", "list", "--status", "Done", cwd=tmp_path, **env)
    assert (listed.returncode, "double" in listed.stdout) == (0, True), listed.stderr
    board = "from board import Board; from board.opening import stores_of; print(stores_of('mine:///tasks.db')[''].kind)"
    shown = subprocess.run([sys.executable, "-c", board], cwd=tmp_path, env=os.environ | env, capture_output=True, text=True, timeout=60)
    assert shown.stdout == "SQLite\n", shown.stderr


def test_our_own_schemes_cost_no_search_through_what_is_installed(tmp_path: Path) -> None:
    code = "import sys; from queue_core import App; App('sqlite:///tasks.db'); print('importlib.metadata' in sys.modules)"
    asked = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert asked.stdout == "False\n", asked.stderr


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (lambda url: None, r"is called as <lambda>\(url, create=…, codecs=…\), and cannot be: got an unexpected keyword argument 'create'\."),
        (lambda: None, r"and cannot be: too many positional arguments\."),
        (lambda url, size, **options: None, r"and cannot be: missing a required argument: 'size'\."),
    ],
)
def test_a_backend_that_cannot_be_called_as_it_is_says_how_it_is_called(factory: Any, sentence: str) -> None:
    register_backend("mine", factory)
    with pytest.raises(InvalidValue, match=r"The backend of mine:// .*" + sentence):
        connect("mine://here")


def test_an_option_that_a_backend_does_not_know_is_named() -> None:
    def mine(url: str, *, create: bool, codecs: Any) -> Connected:
        return memory.connect("memory://")

    register_backend("mine", mine)
    assert connect("mine://").expose.kind == "Memory"
    with pytest.raises(InvalidValue, match="unexpected keyword argument 'colour'"):
        App("mine://", colour="red")
