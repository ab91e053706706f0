"""``prinia`` as a test calls it: in this process, in a folder of its own, with everything it says."""

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from board.cli import main
from tests.stores import kinds


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


Prinia = Callable[..., Ran]
ON_EVERY_STORE = pytest.mark.parametrize("url", kinds("sqlite", "postgres"), indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """What PRINIA_STORE names: a file in the folder of the test, unless a test is marked with ON_EVERY_STORE."""
    if getattr(request, "param", "sqlite") == "postgres":
        return str(request.getfixturevalue("fresh_postgres_store"))
    return "sqlite:///tasks.db"


def place_of(url: str) -> str:
    """What commands call the store."""
    return "SQLite tasks.db" if url.startswith("sqlite") else f"PostgreSQL {url}"


@pytest.fixture
def run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Prinia]:
    """``run("tasks", "list")``: in an empty folder, with PRINIA_STORE naming a store that does not exist yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(*words: object, stdin: str = "", **env: str) -> Ran:
        for name, value in {"PRINIA_STORE": url, **env}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["prinia", *(str(word) for word in words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            code = main()
        except SystemExit as end:  # argparse ends so, after --help and after errors
            code = int(end.code or 0)
        said = capfd.readouterr()
        return Ran(code, said.out, said.err)

    yield run
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def run_script(text: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run ``text`` as a script of its own in ``folder``."""
    script = folder / "script.py"
    script.write_text(text)
    return subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def store(run: Prinia) -> Prinia:
    """As ``run``, with the store made."""
    assert run("migrate").returncode == 0
    return run


@pytest.fixture
def app(url: str, tmp_path: Path) -> Path:
    """A module with an app of three tasks."""
    module = tmp_path / "shop.py"
    module.write_text(
        """
import asyncio
from queue_core import App

app = App("URL")
not_an_app = 3

@app.task(queue="mail")
async def greet(name: str) -> str:
    return f"Hello, {name}."

@app.task(queue="files", max_attempts=1)
def broken(path: str) -> int:
    return len(open(path).read())

@app.task(queue="slow")
async def slow() -> str:
    print("slow has begun", flush=True)
    await asyncio.sleep(1)
    return "slow but done"
""".replace("URL", url)
    )
    return module
