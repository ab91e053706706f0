"""A run: every measurement, every contender in turn, round after round."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite import peers, plan
from suite.plan import Entrant, Measurement
from suite.results import Machine, Result, Run

HERE = Path(__file__).parents[1]
FOLDER = HERE / ".run"
"""Beside the code and not in the system's folder for temporary files, which may live in memory where a flush to disk costs nothing."""
TIME_LIMIT = 300


def run(suite: str, *, quick: bool, rounds: int) -> Run:
    """Measure one suite."""
    found = Run(suite=suite, rounds=rounds, quick=quick, machine=Machine.here())
    _warn_if_busy(found.machine)
    pythons = _prepare(found, with_peers=suite in {"peers", "all"})
    for number in range(1, rounds + 1):
        for measurement, entrant in _turns(suite, number):
            if entrant.name in pythons:
                _record(found, _measure(measurement, entrant, pythons[entrant.name], number, quick=quick))
    if suite in {"board", "all"}:
        from suite import boards

        for result in boards.results(quick=quick, rounds=rounds):
            _record(found, result)
    return found


def _prepare(found: Run, *, with_peers: bool) -> dict[str, str]:
    """The interpreter for each entrant that can run."""
    pythons = {entrant.name: sys.executable for entrant in plan.ENTRANTS if entrant.package is None}
    if not with_peers:
        return pythons
    installed = peers.install()
    found.peers, found.peers_python, found.missing = installed.versions, installed.python_version, installed.missing
    present = [entrant for entrant in plan.ENTRANTS if entrant.package in installed.versions]
    return pythons | {entrant.name: str(installed.python) for entrant in present}


def _turns(suite: str, number: int) -> Iterator[tuple[Measurement, Entrant]]:
    """Measurement by measurement, contender by contender; who begins changes with the round."""
    if suite == "board":
        return
    start = (number - 1) % len(plan.ENTRANTS)
    for measurement in plan.QUEUE:
        if suite == "peers" and measurement.ours_only:
            continue
        for entrant in (*plan.ENTRANTS[start:], *plan.ENTRANTS[:start]):
            if _takes_part(entrant, measurement):
                yield measurement, entrant


def _takes_part(entrant: Entrant, measurement: Measurement) -> bool:
    return entrant.name == plan.OURS if measurement.ours_only else measurement.name not in entrant.skips


def _measure(measurement: Measurement, entrant: Entrant, python: str, number: int, *, quick: bool) -> Result:
    """One measurement in a fresh folder and a fresh process."""
    size = measurement.quick if quick else measurement.size
    with fresh_folder() as folder:
        outcome = call([python, str(HERE / "measure.py"), measurement.name, entrant.name, str(folder), str(size)])
    return Result(measurement=measurement.name, size=size, contender=entrant.name, round=number, **outcome)


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """An empty folder that is removed again, whatever happens."""
    FOLDER.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def call(command: list[str], time_limit: float = TIME_LIMIT) -> dict:
    """Run a measuring process; what it printed last, or the error that it ended in."""
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
    return json.loads(output.strip().splitlines()[-1])


def _record(found: Run, result: Result) -> None:
    found.results.append(result)
    numbers = ", ".join(f"{value:,.6g} {name}" for name, value in result.numbers.items())
    words = numbers or (f"not offered: {result.not_offered}" if result.not_offered else f"failed: {result.error}")
    print(f"round {result.round}  {result.measurement:<15} {result.contender:<14} {words}", flush=True)


def _warn_if_busy(machine: Machine) -> None:
    if machine.load > 0.5:
        print(f"The load of this machine is {machine.load}: other work disturbs the measuring.", flush=True)
