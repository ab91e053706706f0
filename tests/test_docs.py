"""What the README and the docs say is true: their code runs, their commands exist, their links lead somewhere."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from board.cli import make_parser
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


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "python runnable"], ids=str)
def test_code_that_is_marked_runnable_runs(block: Block, tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-W", "error", "-c", block.text], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "Warning" not in ran.stderr


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
def test_commands_in_running_text_exist(document: Path) -> None:
    known = {command.split()[0] for command in commands()} | {"--help", "--version"}
    for command in re.findall(r"`prinia ([^`\s]+)", document.read_text()):
        assert command in known, f"{document.name} names prinia {command}"


def test_the_readme_begins_with_the_two_commands_that_are_tested() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/prinia demo" in readme
    assert "python3 tests/run.py" in readme
    assert "python3 tests/run.py" in (ROOT / ".ci" / "run").read_text()
