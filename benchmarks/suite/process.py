"""Other processes: starting them, what they cost, ending them."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROC = Path("/proc")


@contextmanager
def running(command: list[str], *, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives as long as the block, and no longer than this one; what it says goes to ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        end(process)


def end_with_parent() -> None:
    """End this process when the one that started it is gone, however that ended: then nobody holds the other end of standard input."""

    def wait() -> None:
        while os.read(0, 1_024):  # not through sys.stdin, whose lock the interpreter wants when it ends
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the process to end, and end it when it does not within five seconds."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def wait_until(true: Callable[[], bool], *, process: "subprocess.Popen[bytes]", log: Path, seconds: float, every: float = 0.01) -> float:
    """Wait for a condition that ``process`` is to bring about; return the monotonic time at which it held.

    Raises RuntimeError with the end of the log when the process ends first, TimeoutError when the time is over.
    """
    deadline = time.monotonic() + seconds
    while True:
        if true():
            return time.monotonic()
        if process.poll() is not None:
            raise RuntimeError(f"The process ended with {process.returncode}: {tail(log)}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not done after {seconds:.0f} s. {tail(log)}".strip())
        time.sleep(every)


def tail(log: Path) -> str:
    """The end of what a process said, on one line."""
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])[-400:]


def cpu_seconds(pid: int) -> float | None:
    """Processor time that the living threads of a process and of its children used so far, to the nanosecond; None where the system does not say."""
    if not (PROC / str(pid) / "task").is_dir():
        return None
    return sum(_cpu(each) for each in family(pid))


def server_cpu_seconds(pid: int) -> float | None:
    """Processor time that a server used so far, with its children that ended; of those the system tells hundredths of a second only."""
    living = cpu_seconds(pid)
    if living is None:
        return None
    ended = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[13:15]
    return living + sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int | None:
    """Resident memory of a process and its children; None where the system does not say."""
    if not (PROC / str(pid) / "statm").exists():
        return None
    return sum(int((PROC / str(each) / "statm").read_text().split()[1]) for each in family(pid)) * resource.getpagesize()


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    try:
        children = [int(child) for task in (PROC / str(pid) / "task").iterdir() for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return []
    return [pid, *(each for child in children for each in family(child))]


def is_quiet(pid: int) -> bool:
    """Whether the process takes less than a quarter of a core for a third of a second; always where the system does not say."""
    before = cpu_seconds(pid)
    time.sleep(0.3)
    after = cpu_seconds(pid)
    return before is None or after is None or after - before < 0.075


@contextmanager
def paused(processes: "list[subprocess.Popen[bytes]]") -> Iterator[None]:
    """Let the processes stand still during the block."""
    try:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def raise_file_limit() -> None:
    """Allow this process as many open files as the system lets it; each viewer takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def python(script: str, *arguments: object) -> list[str]:
    """The command that runs a script of this folder with this interpreter."""
    return [sys.executable, str(Path(__file__).parents[1] / script), *map(str, arguments)]


def _cpu(pid: int) -> float:
    used = 0
    with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        for task in (PROC / str(pid) / "task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # the thread did
                used += int((task / "schedstat").read_text().split()[0])
    return used / 1e9
