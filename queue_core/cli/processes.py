"""``prinia worker --processes``: starts several processes, each with a worker of its own, and starts those anew that die."""

import asyncio
import logging
import signal
import sys
from dataclasses import replace
from typing import Final

import msgspec

from queue_core.app import App
from queue_core.cli import loop, supervised
from queue_core.cli.failure import OK, CommandFailed, UsageError
from queue_core.cli.worker import Work, banner
from queue_core.errors import PriniaError, leaves
from queue_core.events import StopReason
from queue_core.monitor import FORCED, Monitor
from queue_core.task import check_name
from queue_core.worker.settings import unique_name

INSIST: Final = FORCED - 2.0
"""Seconds that a process may take to end after it was told to do so at once; then it is killed."""
_log = logging.getLogger("prinia.processes")


def run(app: App, work: Work, count: int) -> None:
    """Run ``count`` processes until a signal stops them, or until every worker was stopped by its handlers.

    Raises UsageError for a store that processes cannot share, what keeps a worker from being made, and CommandFailed when a process did not
    end as it should.
    """
    if count > 1 and not app.backend.capabilities.cross_process:
        scheme = app.url.partition("://")[0]
        raise UsageError(f"{scheme}:// lives inside one process, and --processes asks for {count}. Use sqlite:///tasks.db to share a store.")
    name = unique_name() if work.name is None else work.name
    check_name("worker name", name)
    loop.run(_supervise(app, [replace(work, name=f"{name}-{number}") for number in range(1, count + 1)]))


async def _supervise(app: App, works: list[Work]) -> None:
    async with app:  # first, as without processes
        app.worker(**works[-1].options)  # raises what would keep each of them from starting
        print(banner(app, works[0], _names(works)), flush=True)
    monitor = Monitor(shutdown_timeout=supervised.PATIENCE, should_restart=lambda name, error, run: True)
    for work in works:
        monitor.register(lambda run, work=work: WorkerProcess(work), name=str(work.name))  # type: ignore[misc]  # mypy sees no default in a lambda
    try:
        await monitor.run(signals=True)
    except BaseExceptionGroup as group:
        raise CommandFailed(" ".join(dict.fromkeys(str(error) for error in leaves(group)))) from None


def _names(works: list[Work]) -> str:
    first, last = works[0].name, works[-1].name
    return f"{first}, in a process of its own" if len(works) == 1 else f"{first} to {last}, each in a process of its own"


class ProcessEnded(PriniaError):
    """A worker process ended though nobody asked it to, or not in the way in which it was asked to."""

    def __init__(self, worker: str | None, pid: int, code: int) -> None:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        super().__init__(f"Process {pid} of worker {worker} {how}.")


class WorkerProcess:
    """A worker in another process, as a monitor runs it."""

    def __init__(self, work: Work) -> None:
        self.is_working = False
        """Whether it was started, and has not ended."""
        self.stop_reason: StopReason | None = None
        """Why it ended."""
        self._work = work
        self._process: asyncio.subprocess.Process | None = None
        self._unsaid = b""
        self._insisting: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Start the process and wait for its end. Raises ProcessEnded when that is not the end of a worker."""
        self.is_working = True
        try:
            self._process = process = await self._start()
            _log.info("Worker %s is process %d.", self._work.name, process.pid)
            code = await self._ended(process)
        finally:
            self.is_working = False
            if self._insisting is not None:
                self._insisting.cancel()
        if code not in ENDS:
            raise ProcessEnded(self._work.name, process.pid, code)
        self.stop_reason = ENDS[code]

    def stop(self, *, at_once: bool = False) -> None:
        """Tell the process to end gracefully, or at once, and then kill it if it does not."""
        self._unsaid += supervised.AT_ONCE if at_once else supervised.STOP
        self._speak()
        if at_once and self._insisting is None:
            self._insisting = asyncio.get_running_loop().call_later(INSIST, self._kill)

    async def _start(self) -> asyncio.subprocess.Process:
        """In a session of its own: a Ctrl-C in the terminal is for the supervisor, which then ends its processes in order."""
        order = msgspec.json.encode(supervised.Order(work=self._work)).decode()
        command = [sys.executable, "-m", supervised.__name__, order]
        return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, start_new_session=True)

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        self._speak()
        try:
            return await process.wait()
        except asyncio.CancelledError:
            self._kill()
            raise

    def _speak(self) -> None:
        if self._process is not None and self._process.stdin is not None and self._process.returncode is None:
            self._process.stdin.write(self._unsaid)
            self._unsaid = b""

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            _log.error("Worker %s did not end, although it was stopped at once; process %d is killed.", self._work.name, self._process.pid)
            self._process.kill()


ENDS: Final = {
    OK: StopReason.ASKED,
    supervised.REPLACE: StopReason.RESTART,
    -signal.SIGTERM: StopReason.RESTART,  # before it could see to signals, so before it claimed anything
}
"""How a worker process ends, when all is well, and why."""
