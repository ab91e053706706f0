"""A run: every measurement, every contender in turn, round after round."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack

from suite import boards, peers
from suite.calls import fresh_folder, measure
from suite.plan import SQLITE, Contest, Entrant, Measurement
from suite.plan_postgres import POSTGRES
from suite.results import Machine, Result, Run
from suite.server import Postgres, postgres

CONTESTS = {"queue": (SQLITE,), "peers": (SQLITE,), "postgres": (POSTGRES,), "board": (), "all": (SQLITE, POSTGRES)}
"""By suite."""


def run(suite: str, *, quick: bool, rounds: int) -> Run:
    """Measure one suite."""
    found = Run(suite=suite, rounds=rounds, quick=quick, machine=Machine.here())
    _warn_if_busy(found.machine)
    pythons = _prepare(found, with_peers=suite in {"peers", "postgres", "all"})
    for contest in CONTESTS[suite]:
        for result in _contest(contest, found, pythons):
            _record(found, result)
    if suite in {"board", "all"}:
        for result in boards.results(quick=quick, rounds=rounds, flexiq_python=pythons.get(boards.FLEXIQ)):
            _record(found, result)
    return found


def _prepare(found: Run, *, with_peers: bool) -> dict[str, str]:
    """The interpreter for each entrant that can run."""
    entrants = [entrant for contest in CONTESTS[found.suite] for entrant in contest.entrants]
    pythons = {entrant.name: sys.executable for entrant in entrants if entrant.package is None}
    if not with_peers:
        return pythons
    installed = peers.install()
    found.peers, found.peers_python, found.missing = installed.versions, installed.python_version, installed.missing
    return pythons | {entrant.name: str(installed.python) for entrant in entrants if entrant.package in installed.versions}


def _contest(contest: Contest, found: Run, pythons: dict[str, str]) -> Iterator[Result]:
    with ExitStack() as stack:
        server = stack.enter_context(postgres()) if contest.has_server else None
        found.postgres = server.version if server else found.postgres
        for number in range(1, found.rounds + 1):
            for measurement, entrant in _turns(contest, found.suite, number):
                if entrant.name in pythons:
                    yield _measure(measurement, entrant, pythons[entrant.name], number, server, quick=found.quick)


def _turns(contest: Contest, suite: str, number: int) -> Iterator[tuple[Measurement, Entrant]]:
    """Measurement by measurement, contender by contender; who begins changes with the round."""
    start = (number - 1) % len(contest.entrants)
    for measurement in contest.measurements:
        if (suite == "peers" and measurement.ours_only) or (measurement.once and number > 1):
            continue
        for entrant in (*contest.entrants[start:], *contest.entrants[:start]):
            if contest.takes_part(entrant, measurement):
                yield measurement, entrant


def _measure(measurement: Measurement, entrant: Entrant, python: str, number: int, server: Postgres | None, *, quick: bool) -> Result:
    """One measurement in a fresh folder, a fresh process and, where there is a server, a fresh database."""
    size = measurement.quick if quick else measurement.size
    with ExitStack() as stack:
        folder = stack.enter_context(fresh_folder())
        if server is not None:
            stack.enter_context(server.database(folder))
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
