"""The environment in which the peers live, beside ours and made on demand from ``peers.txt``."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
LIST = HERE / "peers.txt"
VENV = HERE / ".venv"
RECORD = VENV / "peers.json"
PYTHONS = ("python3.13", "python3.12")
"""Some peers need a newer Python than Prinia does. All of them get the newest one found here, which is to their advantage."""


@dataclass(frozen=True, slots=True)
class Peers:
    """What is installed."""

    python: Path
    python_version: str
    versions: dict[str, str]
    """Package to version."""
    missing: dict[str, str]
    """Package to the reason why it is not installed."""


def install() -> Peers:
    """The peers' environment, made now if it is not there or ``peers.txt`` changed."""
    wanted = LIST.read_text()
    if RECORD.exists():
        record = json.loads(RECORD.read_text())
        if record.pop("wanted") == wanted:
            return _peers(record)
    print(f"Installing the peers into {VENV} …", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([_interpreter(), "-m", "venv", VENV], check=True)
    record = {"missing": _install_each(wanted.splitlines())}
    record |= {"versions": _versions(wanted.splitlines()), "python": _ask("import platform; print(platform.python_version())")}
    RECORD.write_text(json.dumps({"wanted": wanted} | record))
    return _peers(record)


def _peers(record: dict[str, Any]) -> Peers:
    return Peers(_python(), record["python"], record["versions"], record["missing"])


def _python() -> Path:
    return VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _interpreter() -> str:
    """The newest of ``PYTHONS`` that works here, else our own."""
    managed = (".pyenv/versions/*/bin/", ".local/share/uv/python/*/bin/")
    for name in PYTHONS:
        for path in (shutil.which(name), *(str(each) for folder in managed for each in Path.home().glob(folder + name))):
            if path and subprocess.run([path, "-c", "import venv, ensurepip, sqlite3"], capture_output=True, check=False).returncode == 0:
                return path
    return sys.executable


def _install_each(lines: list[str]) -> dict[str, str]:
    """Install line by line; ``a | b`` means b where a cannot be had. Returns what could not be installed, and why."""
    missing = {}
    for line in lines:
        reasons = []
        for choice in line.split("|"):
            reasons.append(_pip(*choice.split()))
            if not reasons[-1]:
                break
        else:
            missing[_package(line)] = reasons[-1]
    return missing


def _package(line: str) -> str:
    return line.partition("==")[0]


def _pip(*packages: str) -> str:
    """Why it failed; empty when it did not."""
    command = [str(_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return "pip took more than 300 s"
    return "" if result.returncode == 0 else (result.stderr.strip().splitlines() or ["pip failed"])[-1]


def _versions(lines: list[str]) -> dict[str, str]:
    names = [_package(line) for line in lines]
    found = _ask(
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}))"
    )
    installed = json.loads(found)
    return {name: installed[name] for name in names if name in installed}


def _ask(code: str) -> str:
    return subprocess.run([_python(), "-c", code], capture_output=True, text=True, check=True).stdout.strip()
