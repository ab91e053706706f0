"""Ctrl-C before a command has begun: it ends in silence, with 130."""

import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPTED_AT_IMPORT = """
import sys

module, sys.argv = sys.argv[1], ["prinia", "worker", "shop:app"]

class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == module:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
from board.cli import main
sys.exit(main())
"""
INTERRUPTED_IN_ARGPARSE = """
import argparse, sys
from board.cli import main

def interrupt(*_, **__):
    raise KeyboardInterrupt

setattr(argparse.ArgumentParser, sys.argv[1], interrupt)
sys.argv = ["prinia", "worker", "shop:app"]
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("program", "where"),
    [
        *((INTERRUPTED_AT_IMPORT, module) for module in ("argparse", "queue_core", "queue_core.cli.parser", "queue_core.cli.worker", "shop")),
        *((INTERRUPTED_IN_ARGPARSE, function) for function in ("add_subparsers", "parse_args")),
    ],
    ids=lambda value: value if "\n" not in value else "",
)
def test_ctrl_c_while_a_command_begins_is_no_traceback(tmp_path: Path, program: str, where: str) -> None:
    ran = subprocess.run([sys.executable, "-c", program, where], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")
