"""A run: every measurement, every contender in turn, round after round."""

import sys
from collections.abc import Iterator

from suite import boards, peers, plan
from suite.calls import fresh_folder, measure
from suite.plan import Entrant, Measurement
from suite.results import Machine, Result, Run


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
        for result in boards.results(quick=quick, rounds=rounds, flexiq_python=pythons.get(boards.FLEXIQ)):
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
        if (suite == "peers" and measurement.ours_only) or (measurement.once and number > 1):
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
        outcome = measure(python, measurement.name, entrant.name, folder, size, quick=quick)
    return Result(measurement=measurement.name, size=size, contender=entrant.name, round=number, **outcome)


def _record(found: Run, result: Result) -> None:
    found.results.append(result)
    numbers = ", ".join(f"{value:,.6g} {name}" for name, value in result.numbers.items())
    words = numbers or (f"not offered: {result.not_offered}" if result.not_offered else f"failed: {result.error}")
    print(f"round {result.round}  {result.measurement:<15} {result.contender:<14} {words}", flush=True)


def _warn_if_busy(machine: Machine) -> None:
    if machine.load > 0.5:
        print(f"The load of this machine is {machine.load}: other work disturbs the measuring.", flush=True)
