"""A script without ``if __name__ == "__main__":`` whose tasks run in child processes, which import it again."""

from pathlib import Path

from queue_core.errors import GUARD, ChildDied
from tests.cli.conftest import Prinia, run_script

SCRIPT = """
import asyncio
from queue_core import App

app = App("sqlite:///tasks.db")

@app.task(executor="process", max_attempts=1)
def square(n: int) -> int:
    return n * n

async def main() -> None:
    async with app.running():
        print(await (await square.push(n=3)).result(timeout=30))

"""


def test_a_script_that_forgot_its_guard_is_told_so(run: Prinia, tmp_path: Path) -> None:
    ran = run_script(SCRIPT + "asyncio.run(main())\n", tmp_path)
    assert ran.returncode != 0
    assert f"It ended while it started. {GUARD}" in ran.stderr
    listed = run("tasks", "list", "--json").stdout
    assert "It ended while it started." in listed
    assert "This process is itself being started as a child." in listed


def test_a_script_with_its_guard_runs(run: Prinia, tmp_path: Path) -> None:
    ran = run_script(SCRIPT + "if __name__ == '__main__':\n    asyncio.run(main())\n", tmp_path)
    assert (ran.returncode, ran.stdout.strip()) == (0, "9"), ran.stderr


def test_a_signal_is_not_blamed_on_the_guard() -> None:
    assert GUARD in str(ChildDied("resize", 1, began=False))
    assert GUARD not in str(ChildDied("resize", -9, began=False))
    assert GUARD not in str(ChildDied("resize", 1))
