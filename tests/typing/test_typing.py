"""That type checkers see what push takes and gives."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ACCEPTED, REJECTED = HERE / "accepted.py", HERE / "rejected.py"


def marked(path: Path) -> set[int]:
    return {number for number, line in enumerate(path.read_text().splitlines(), 1) if line.endswith("# rejected")}


def run(*command: str) -> str:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=110).stdout


def mypy(path: Path) -> set[int]:
    out = run("mypy", "--strict", "--follow-imports=silent", "--output=json", str(path))
    reports = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {report["line"] for report in reports if Path(report["file"]).name == path.name and report["severity"] == "error"}


def pyright(path: Path) -> set[int]:
    reports = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable, str(path)))["generalDiagnostics"]
    return {report["range"]["start"]["line"] + 1 for report in reports if report["severity"] == "error"}


@pytest.mark.slow
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_type_checkers_accept_right_pushes_and_reject_wrong_ones(checker: object) -> None:
    assert callable(checker)
    assert checker(ACCEPTED) == set()
    assert checker(REJECTED) == marked(REJECTED)
