"""The import direction holds, and each rule of it is one that can be broken."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
HEAVY: Final = {
    *("starlette", "uvicorn", "jinja2", "sse_starlette", "fastapi", "pydantic"),
    *("asyncpg", "aiosqlite", "opentelemetry", "prometheus_client", "sentry_sdk"),
}

VIOLATIONS: Final = {
    "queue-layers": ("queue_core/task.py", "from queue_core import outcome"),
    "board-layers": ("board/views/__init__.py", "from board import pages"),
    "one-door": ("board/views/__init__.py", "from queue_core.task import NewTask"),
    "no-front-door": ("board/views/__init__.py", "from queue_core import App"),
    "no-http": ("queue_core/worker/__init__.py", "import starlette"),
    "no-concrete-backend": ("queue_core/app.py", "from queue_core.backends import sqlite"),
    "backends-apart": ("queue_core/backends/sqlite/__init__.py", "from queue_core.backends import memory"),
}
"""Rule to a module and an import in it that breaks the rule."""


def lint(folder: Path, contract: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", *(["--contract", contract] if contract else [])]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_every_import_goes_in_the_agreed_direction() -> None:
    linted = lint(ROOT)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_the_rule_is_broken_by_the_import_that_it_forbids(contract: str, tmp_path: Path) -> None:
    for package in ("queue_core", "board"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "static", "templates"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    module, line = VIOLATIONS[contract]
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{line}\n")
    linted = lint(tmp_path, contract)
    assert linted.returncode == 1, linted.stdout
    assert "BROKEN" in linted.stdout


def test_every_rule_has_a_violation_here() -> None:
    ids = [line.partition('"')[2].rstrip('"') for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith('id = "')]
    assert ids == list(VIOLATIONS)


@pytest.mark.parametrize("module", ["queue_core", "queue_core.cli.parser", "board", "board.cli"])
def test_nothing_heavy_is_imported_before_it_is_needed(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)
