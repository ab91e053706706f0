"""The suite as those get it who write a store: a package of their own, two lines of settings, one command."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

ROOT: Final = Path(__file__).parent.parent
BACKEND: Final = '''
"""A store of somebody else's, who knows the documentation only."""

from queue_core.backends.custom import Ledger, custom_backend

_places = {}


class Place:
    def __init__(self, clock):
        self.waiting, self.ledger = [], Ledger(clock)

    def push(self, tasks):
        self.waiting.extend(tasks)

    def claim(self, queues, limit):
        taken = [task for task in self.waiting if task.queue in queues][:limit]
        self.waiting = [task for task in self.waiting if task not in taken]
        return taken


def connect(url, *, clock=None, codecs, **options):
    place = _places.setdefault(url, Place(clock))
    return custom_backend(push=place.push, claim=place.claim, ledger=place.ledger, location=url, codecs=codecs)


def url(folder):
    return f"shelf://{folder}"
'''
FORGETFUL: Final = BACKEND.replace("self.waiting.extend(tasks)", "self.waiting.extend(tasks[:1])")
PART: Final = "test_claim"
OWN: Final = {
    "schedules": "test_schedules",
    "logs": "test_logs",
    "checkpoints": "test_checkpoint",
    "updates": "test_update",
    "key_rules": "test_unique",
}
"""Which module tests a part of the contract; test_limits is also about two others."""


def suite(folder: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the suite on the backend that ``code`` is, as an installed package."""
    (folder / "shelf.py").write_text(code)
    about = folder / "shelf-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[prinia.backends]\nshelf = shelf:connect\n")
    return run(folder, *words)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the suite in a folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "queue_core.conformance", *words]
    if "board.pytest_plugin" not in _installed_plugins():
        command += ["-p", "board.pytest_plugin"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=110)


def skipped(report: Path) -> dict[str, set[str]]:
    """From each module with tests that were skipped to the reasons."""
    found: dict[str, set[str]] = {}
    for test in ElementTree.parse(report).iter("testcase"):
        for skip in test.iter("skipped"):
            found.setdefault(test.attrib["classname"].rpartition(".")[2], set()).add(skip.attrib["message"])
    return found


def reason(part: str) -> str:
    return f"the store has no {part.replace('_', ' ')}: Capabilities.{part} is False"


def _installed_plugins() -> set[str]:
    from importlib.metadata import entry_points

    return {point.value for point in entry_points(group="pytest11")}


@pytest.mark.slow
@pytest.mark.parametrize("store", ["shelf:url", "shelf://{folder}"])
def test_a_store_of_somebody_else_is_found_to_keep_the_contract(tmp_path: Path, store: str) -> None:
    ran = suite(tmp_path, BACKEND, "--prinia-store", store, "-k", PART)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout


@pytest.mark.slow
def test_of_a_store_that_lacks_parts_the_tests_of_these_are_skipped_and_no_other(tmp_path: Path) -> None:
    ran = run(tmp_path, "--prinia-store", "tests.partial:lacking", "--junitxml", "report.xml")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    told = skipped(tmp_path / "report.xml")
    assert told.pop("test_limits") == {reason(part) for part in ("limits", "updates", "key_rules")}
    assert told == {module: {reason(part)} for part, module in OWN.items()}


def test_a_part_that_is_there_is_tested_beside_one_that_is_not(tmp_path: Path) -> None:
    words = "-k", "test_update or test_acts_keep or test_a_task_that_was_changed_keeps", "--junitxml", "report.xml"
    ran = run(tmp_path, "--prinia-store", "tests.partial:without_updates", *words)
    assert skipped(tmp_path / "report.xml") == {"test_update": {reason("updates")}, "test_limits": {reason("updates")}}
    assert ran.returncode == 0, ran.stdout
    assert "failed" not in ran.stdout


def test_one_that_loses_tasks_is_found_out(tmp_path: Path) -> None:
    ran = suite(tmp_path, FORGETFUL, "--prinia-store", "shelf:url", "-k", PART, "-x")
    assert ran.returncode == 1, ran.stdout
    assert "FAILED" in ran.stdout or "ERROR" in ran.stdout


def test_the_store_may_be_named_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nprinia_store = shelf:url\n")
    ran = suite(tmp_path, BACKEND, "-c", str(tmp_path / "pytest.ini"), "-k", "test_start")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_without_a_store_it_says_how_to_name_one(tmp_path: Path) -> None:
    ran = suite(tmp_path, BACKEND, "-k", PART)
    assert ran.returncode in {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR}, ran.stdout
    assert "Say which store to test: --prinia-store URL" in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        ("book://here", "No backend serves book:// here. Install the package that offers it"),
        ("nowhere:url", "names a module that cannot be imported: No module named 'nowhere'. Install it, or set PYTHONPATH."),
        ("shelf:nothing", "--prinia-store shelf:nothing is no function. Say which store to test"),
        ("shelf", "--prinia-store shelf is no function. Say which store to test"),
        (":url", "names a module that cannot be imported"),
    ],
)
def test_a_store_that_is_not_there_is_said_once_and_before_anything_runs(tmp_path: Path, store: str, sentence: str) -> None:
    ran = suite(tmp_path, BACKEND, "--prinia-store", store)
    said = ran.stdout + ran.stderr
    assert sentence in said
    assert "Traceback" not in said
    assert " passed" not in said


def test_a_pytest_that_does_not_run_it_does_not_import_it(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("import sys\ndef test_own():\n    assert 'queue_core' not in sys.modules\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:prinia", "-p", "board.pytest_plugin", "test_own.py"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
