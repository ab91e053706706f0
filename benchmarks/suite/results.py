"""What a run found out."""

import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One contender, one measurement, one round. One of ``numbers``, ``not_offered`` and ``error`` is set."""

    measurement: str
    size: int
    contender: str
    round: int
    numbers: dict[str, float] = field(default_factory=dict)
    durability: str = ""
    note: str = ""
    not_offered: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where and when it was measured."""

    when: str
    system: str
    processor: str
    cores: int
    load: float
    """Of the machine, in the minute before."""
    python: str
    sqlite: str
    commit: str

    @classmethod
    def here(cls) -> "Machine":
        """This machine, now."""
        return cls(
            when=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            processor=_processor(),
            cores=os.cpu_count() or 1,
            load=round(os.getloadavg()[0], 2),
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
            commit=_commit(),
        )


@dataclass(slots=True, kw_only=True)
class Run:
    """All results of one run."""

    suite: str
    rounds: int
    quick: bool
    machine: Machine
    peers: dict[str, str] = field(default_factory=dict)
    """Package to version."""
    peers_python: str = ""
    postgres: str = ""
    """The version of the server, where there was one."""
    missing: dict[str, str] = field(default_factory=dict)
    """Package to the reason why it was not measured."""
    results: list[Result] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Whether one of our own measurements failed."""
        return any(result.error for result in self.results if result.contender.startswith("prinia"))

    def of(self, measurement: str, contender: str, size: int | None = None) -> list[Result]:
        """The rounds of one contender in one measurement."""
        wanted = (measurement, contender)
        return [each for each in self.results if (each.measurement, each.contender) == wanted and size in {None, each.size}]

    def values(self, measurement: str, contender: str, metric: str, size: int | None = None) -> list[float]:
        """One number, by round."""
        return [each.numbers[metric] for each in self.of(measurement, contender, size) if metric in each.numbers]

    def contenders(self, measurement: str) -> Iterator[str]:
        """Who took part, in the order of first appearance."""
        yield from dict.fromkeys(result.contender for result in self.results if result.measurement == measurement)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Run":
        """The reverse of ``to_json``."""
        results = [Result(**result) for result in data["results"]]
        return cls(**{**data, "machine": Machine(**data["machine"]), "results": results})


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    answer = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"
