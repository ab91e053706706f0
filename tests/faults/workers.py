"""Worker processes for the fault tests: started, struck, and always ended."""

import collections
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Site:
    """One store, one diary, and the worker processes that serve it."""

    url: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def diary(self) -> Path:
        return self.folder / "diary"

    def worker(self, name: str, *, concurrency: int = 10, lease_ttl: float = 2.0, shutdown_timeout: float = 10.0) -> subprocess.Popen[bytes]:
        """Start a worker process; its output goes to a file named after it."""
        times = ("--lease-ttl", str(lease_ttl), "--shutdown-timeout", str(shutdown_timeout))
        return self._start(name, "tests.faults.serve", "--name", name, "--concurrency", str(concurrency), *times)

    def prinia_worker(self, name: str) -> subprocess.Popen[bytes]:
        """Start a worker as people do: ``prinia worker``, with its own settings."""
        return self._start(name, "board.cli", "worker", "tests.faults.tasks:app", "--name", name)

    def ticking_worker(self, name: str) -> subprocess.Popen[bytes]:
        """Start a worker of the app that has a schedule."""
        return self._start(name, "board.cli", "worker", "tests.faults.ticking:app", "--name", name)

    def _start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=self.environment(), stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def environment(self) -> dict[str, str]:
        return os.environ | {"FAULTS_STORE": self.url, "FAULTS_DIARY": str(self.diary), "PYTHONPATH": str(ROOT)}

    def events(self, kind: str) -> list[tuple[int, int, str]]:
        """(number, attempt, worker) of every line of one kind."""
        if not self.diary.exists():
            return []
        lines = [line.split() for line in self.diary.read_text().splitlines()]
        return [(int(number), int(attempt), worker) for event, number, attempt, worker in lines if event == kind]

    def runs(self, kind: str = "start") -> collections.Counter[int]:
        """How often the handler of each number started, or ended."""
        return collections.Counter(number for number, _, _ in self.events(kind))

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.folder.glob("*.log")))

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)


@contextmanager
def site(url: str, folder: Path) -> Iterator[Site]:
    """A site whose processes do not outlive the test."""
    place = Site(url, folder)
    try:
        yield place
    finally:
        place.end()


def eventually(what: str, condition: Callable[[], bool], *, within: float = 30.0, site: Site | None = None) -> None:
    """Wait until ``condition`` holds; fail with ``what`` if it does not in time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {within:g} s\n{site.logs() if site else ''}"
        time.sleep(0.02)
