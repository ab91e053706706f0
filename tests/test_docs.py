"""What the README and the docs say is true: their code runs, their commands exist, their links lead somewhere."""

import ast
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import pytest

from board.cli import make_parser
from queue_core import App
from tests.cli.commands import commands

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE: Final = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text()
        for found in FENCE.finditer(text):
            yield Block(page, text.count("\n", 0, found.start()) + 1, found["kind"].strip(), found["text"])


BLOCKS: Final = list(blocks())
CONSOLE: Final = [(block, line[2:]) for block in BLOCKS if block.kind == "console" for line in block.text.splitlines() if line.startswith("$ ")]


def of_kind(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == kind], ids=str)


@of_kind("python runnable")
def test_code_that_is_marked_runnable_runs(block: Block, tmp_path: Path) -> None:
    run(block, tmp_path)


@of_kind("python runnable on postgres")
def test_code_that_needs_a_server_runs(block: Block, tmp_path: Path, database: str) -> None:
    run(block, tmp_path, DATABASE_URL=database)


def run(block: Block, folder: Path, **env: str) -> None:
    command = [sys.executable, "-W", "error", "-c", block.text]
    ran = subprocess.run(command, cwd=folder, env=os.environ | env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "Warning" not in ran.stderr


@of_kind("sql")
async def test_sql_is_understood_by_a_database_with_a_store(block: Block, database: str) -> None:
    async with App(database):
        pass
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.execute(block.text)
            raise Undone
    except Undone:
        pass
    finally:
        await connection.close()


class Undone(Exception):
    """Rolls back what a block did, for roles belong to the whole server."""


@pytest.fixture
async def database(pg_url: str) -> AsyncIterator[str]:
    """The URL of a database that is dropped after the test."""
    name = f"docs_{time.monotonic_ns()}"
    connection = await asyncpg.connect(pg_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    yield urlsplit(pg_url)._replace(path=f"/{name}").geturl()
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "python"], ids=str)
def test_other_code_is_python_and_its_imports_exist(block: Block) -> None:
    tree = compile(block.text, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in {"queue_core", "board"}:
            exec(compile(ast.Module([node], []), str(block), "exec"), {})


@pytest.mark.parametrize(("block", "line"), CONSOLE, ids=lambda value: str(value))
def test_a_command_line_is_one_that_prinia_understands(block: Block, line: str) -> None:
    words = shlex.split(line, comments=True)
    assert words[0] == "prinia", f"{block}: what runs {words[0]}?"
    assert make_parser().parse_args(words[1:]).run


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if not target.startswith(("http:", "https:", "#")):
            assert (document.parent / target.partition("#")[0]).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_links_to_a_part_of_a_page_find_it(document: Path) -> None:
    for path, part in re.findall(r"\]\(([^)\s#:]*)#([^)\s]+)\)", document.read_text()):
        page = document.parent / path if path else document
        assert part in anchors(page), f"{document.name} links to {path}#{part}, and there is {', '.join(sorted(anchors(page)))}"


def anchors(page: Path) -> set[str]:
    """The names of its headings, as links write them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target).resolve() for target in re.findall(r"\]\(([^)\s#]+)\)", index.read_text())}
    assert {page for page in PAGES if page.is_relative_to(index.parent)} - listed == {index}
    assert (ROOT / "README.md").read_text().count("](docs/README.md)") == 1


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_commands_in_running_text_exist(document: Path) -> None:
    known = {command.split()[0] for command in commands()} | {"--help", "--version"}
    for command in re.findall(r"`prinia ([^`\s]+)", document.read_text()):
        assert command in known, f"{document.name} names prinia {command}"


def test_the_readme_begins_with_the_two_commands_that_are_tested() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/prinia demo" in readme
    assert "python3 tests/run.py" in readme
    assert "python3 tests/run.py" in (ROOT / ".ci" / "run").read_text()
