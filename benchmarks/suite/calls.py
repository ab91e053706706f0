"""Calling one measurement in a process and a folder of its own."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
FOLDER = HERE / ".run"
"""Beside the code and not in the system's folder for temporary files, which may live in memory where a flush to disk costs nothing."""
TIME_LIMIT = 300
QUICK_TIME_LIMIT = 60


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """An empty folder that is removed again, whatever happens."""
    FOLDER.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(python: str, measurement: str, contender: str, folder: Path, size: int, *, quick: bool = False) -> dict[str, Any]:
    """Run one measurement in its own process: the fields of ``Result`` that it found, or the error that it ended in."""
    command = [python, str(HERE / "measure.py"), measurement, contender, str(folder), str(size)]
    time_limit = QUICK_TIME_LIMIT if quick else TIME_LIMIT
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE)
    try:
        output, errors = process.communicate(timeout=time_limit)
    except BaseException as error:
        process.terminate()  # it ends its own children on the way
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
        if isinstance(error, subprocess.TimeoutExpired):
            return {"error": f"not done after {time_limit:.0f} s"}
        raise
    if process.returncode or not output.strip():
        return {"error": (errors.strip().splitlines() or [f"ended with {process.returncode}"])[-1][:300]}
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return found
