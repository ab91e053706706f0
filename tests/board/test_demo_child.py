"""A child of the demo, alone."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
PATIENCE = 30.0


def child(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "board.demo.child", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_child_that_ends_by_itself_ends_quietly_while_its_parent_lives() -> None:
    """The thread that waits for the parent must not hold a lock that the ending interpreter wants."""
    for _ in range(3):
        with child("--version") as process:
            assert process.wait(PATIENCE) == 0
            assert process.stderr and process.stderr.read() == ""


def test_a_child_ends_when_its_parent_is_gone() -> None:
    with child("worker", "tests.faults.tasks:app", "--name", "orphan") as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(PATIENCE) in {0, -signal.SIGTERM}
