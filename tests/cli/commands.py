"""Which commands ``prinia`` has, asked of its own parser, and how to run one in a process of its own."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from board.cli import make_parser


def commands() -> list[str]:
    """Every command that can be run, as ``tasks list``."""
    return list(_below(make_parser(), ""))


def _below(parser: argparse.ArgumentParser, path: str) -> Iterator[str]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield path.strip()
    for group in groups:
        for name, child in group.choices.items():
            yield from _below(child, f"{path} {name}")


def prinia(*words: object, cwd: Path, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``prinia`` with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "board.cli", *(str(word) for word in words)]
    clean = {key: value for key, value in os.environ.items() if key != "PRINIA_STORE"}
    return subprocess.run(command, cwd=cwd, env=clean | env, input=stdin, capture_output=True, text=True, timeout=60)
