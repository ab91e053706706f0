"""The command line explains itself."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.commands import commands
from tests.cli.conftest import Prinia


@pytest.mark.parametrize("command", ["", *commands()])
def test_every_command_explains_itself_with_examples(run: Prinia, command: str) -> None:
    told = run(*command.split(), "--help")
    assert (told.returncode, told.stderr) == (0, "")
    assert f"prinia {command}".strip() in told.stdout.partition("examples:")[2]


def test_help_is_as_wide_as_the_terminal_but_for_its_examples(run: Prinia) -> None:
    for command in commands():
        words, _, _ = run(*command.split(), "--help", COLUMNS="60").stdout.partition("examples:")
        assert max(map(len, words.splitlines())) <= 60, command


def test_the_version_is_that_of_the_installed_package(run: Prinia) -> None:
    assert run("--version").stdout == f"prinia {version('prinia')}\n"


def test_help_needs_no_store_and_no_web_framework(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['prinia', '--help']; from board.cli import main\ntry: main()\nexcept SystemExit: print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True).stdout.split()
    assert not {"starlette", "aiosqlite", "uvicorn", "jinja2"} & set(loaded)
