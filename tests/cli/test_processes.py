"""``prinia worker --processes``: several processes as one command; none is lost when one dies, and none is left when all shall end."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from queue_core.cli import processes, supervised
from queue_core.cli.processes import ProcessEnded, WorkerProcess
from queue_core.cli.supervised import Order
from queue_core.cli.worker import Work, usable_cpus
from queue_core.events import StopReason
from tests.cli.conftest import ON_EVERY_STORE, Prinia, Ran, place_of

PATIENCE = 60.0
USAGE = 2
DIARY = '''
import asyncio
import logging
import os
import time
from pathlib import Path
from queue_core import App, WorkerContext

app = App("URL")

@app.task(queue="work")
async def who() -> int:
    logging.getLogger("shop").warning("who is asked")
    return os.getpid()

@app.task(queue="work")
async def held(n: int) -> int:
    """Runs until a file says that it may end; begins a file of its own."""
    Path(f"began-{n}").write_text(str(os.getpid()))
    while not Path("go").exists():
        await asyncio.sleep(0.02)
    return os.getpid()

@app.task(queue="work", max_attempts=1)
async def blocking() -> None:
    Path("began-0").write_text(str(os.getpid()))
    time.sleep(120)

@app.task(queue="work")
async def leave(ctx: WorkerContext) -> None:
    ctx.stop_worker()
'''


@dataclass(frozen=True, slots=True)
class Supervisor:
    """A running ``prinia worker --processes`` and what it and its processes say."""

    process: "subprocess.Popen[str]"
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    def says(self, pattern: str, times: int = 1) -> "list[re.Match[str]]":
        """Wait until ``pattern`` was said so often."""
        wait_until(lambda: len(list(re.finditer(pattern, self.said))) >= times or self.process.poll() is not None, lambda: self.said)
        found = list(re.finditer(pattern, self.said))
        assert len(found) >= times, self.said
        return found

    def pids(self, count: int) -> list[int]:
        """The processes that were started, in order, once there are so many and they serve."""
        self.says(r"Worker \S+ serves", count)
        return [int(found[1]) for found in self.says(r"is process (\d+)\.", count)]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def supervisor(folder: Path, *words: str) -> Iterator[Supervisor]:
    """One of the module ``diary``; it and all its processes are gone at the end."""
    log = folder / "said"
    with log.open("w") as file:
        command = [sys.executable, "-u", "-m", "board.cli", "worker", "diary:app", *words]
        child = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, text=True)
    it = Supervisor(child, log)
    try:
        yield it
    finally:
        child.kill()
        child.wait()
        for found in re.finditer(r"is process (\d+)\.", it.said):
            with contextlib.suppress(ProcessLookupError):
                end_leader(int(found[1]))


def end_leader(pid: int) -> None:
    if os.getsid(pid) == pid:  # as our processes are; a stranger with the same number hardly is
        os.kill(pid, signal.SIGKILL)


def wait_until(condition: Callable[[], object], tell: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, tell()
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has waited for counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def status_of(run: Prinia, id: str) -> str:
    return str(json.loads(run("tasks", "show", id, "--json").stdout)["status"])


def states(run: Prinia) -> set[str]:
    """What the workers of the store do."""
    return {worker["state"] for worker in json.loads(run("workers", "list", "--json").stdout)}


def result_of(run: Prinia, id: str) -> str:
    wait_until(lambda: status_of(run, id) == "Done", lambda: run("tasks", "show", id).stdout)
    return run("tasks", "show", id).stdout


@pytest.fixture
def diary(store: Prinia, url: str, tmp_path: Path) -> Path:
    """The folder with the module, and the store made."""
    (tmp_path / "diary.py").write_text(DIARY.replace("URL", url))
    return tmp_path


def pushed(run: Prinia, name: str, **args: object) -> str:
    return run("push", "work", name, json.dumps(args)).stdout.split()[0]


# --- starting ------------------------------------------------------------------------------------------------


@ON_EVERY_STORE
def test_each_process_has_a_worker_of_its_own_name_and_says_so_in_each_line(store: Prinia, diary: Path, url: str) -> None:
    with supervisor(diary, "--processes", "2", "--name", "ada") as it:
        first, second = it.pids(2)
        for words in ("diary:app", place_of(url), "work", "ada-1 to ada-2, each in a process of its own", "10 in each"):
            assert words in it.said
        listed = {worker["name"]: worker["pid"] for worker in json.loads(store("workers", "list", "--json").stdout)}
        assert listed.keys() == {"ada-1", "ada-2"}
        assert set(listed.values()) == {first, second} and it.process.pid not in listed.values()
        result_of(store, pushed(store, "who"))
        it.says(r"WARNING ada-[12]: who is asked")
        it.signal(signal.SIGTERM)
        assert it.ended() == 0
    assert "Stopped: nothing is left running." in it.said
    assert "Traceback" not in it.said
    assert states(store) == {"stopped"}


def says(ran: Ran, *parts: str) -> None:
    assert ran.returncode == USAGE, ran.stderr
    assert (ran.stdout, len(ran.stderr.splitlines())) == ("", 1), ran.stderr
    for part in parts:
        assert part in ran.stderr


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5", "", "²"])
def test_a_number_of_processes_that_is_none_is_refused(run: Prinia, diary: Path, count: str) -> None:
    says(run("worker", "diary:app", "--processes", count), "--processes must be a whole number of at least 1, or auto", repr(count))


@pytest.mark.parametrize("url", ["memory://", "jsonfile:///tasks.json"])
def test_a_store_that_lives_inside_one_process_is_refused_for_several(run: Prinia, tmp_path: Path, url: str) -> None:
    (tmp_path / "diary.py").write_text(DIARY.replace("URL", url))
    says(run("worker", "diary:app", "--processes", "2"), url.partition(":")[0], "one process", "asks for 2", "sqlite:///tasks.db")
    assert not (tmp_path / "tasks.json").exists()


def test_a_name_that_breaks_a_rule_is_refused_before_anything_starts(run: Prinia, diary: Path) -> None:
    says(run("worker", "diary:app", "--processes", "2", "--name", ""), "worker name")


def test_auto_is_as_many_as_there_are_usable_cpus(run: Prinia, diary: Path) -> None:
    with supervisor(diary, "--processes", "auto", "--name", "ada") as it:
        it.pids(usable_cpus())
        it.signal(signal.SIGINT)
        assert it.ended() == 0
    assert len(re.findall("is process", it.said)) == usable_cpus()


# --- when one of them ends -----------------------------------------------------------------------------------


@ON_EVERY_STORE
def test_a_process_that_is_killed_is_started_anew_and_its_task_is_not_lost(store: Prinia, diary: Path) -> None:
    ids = [pushed(store, "held", n=n) for n in range(4)]
    with supervisor(diary, "--processes", "2", "--name", "ada", "--concurrency", "2") as it:
        it.pids(2)
        wait_until(lambda: len(list(diary.glob("began-*"))) == 4)
        struck = int((diary / "began-0").read_text())
        os.kill(struck, signal.SIGKILL)
        it.says(rf"Process {struck} of worker ada-[12] was ended by signal 9")
        again = it.pids(3)[-1]
        assert again != struck
        wait_until(lambda: (diary / "began-0").read_text() == str(again), lambda: it.said)
        (diary / "go").touch()
        assert {f"{status_of(store, id)}" for id in ids if result_of(store, id)} == {"Done"}
        it.signal(signal.SIGTERM)
        assert it.ended() == 0
    assert len(set(re.findall(r"Worker (\S+) serves", it.said))) == 2


def test_a_process_that_has_run_its_tasks_is_replaced_at_once(store: Prinia, diary: Path) -> None:
    ids = [pushed(store, "who") for _ in range(3)]
    with supervisor(diary, "--processes", "1", "--max-tasks", "1") as it:
        pids = {next(pid for pid in it.pids(4) if f"{pid}" in result_of(store, id)) for id in ids}
        it.signal(signal.SIGTERM)
        assert it.ended() == 0
    assert len(pids) == 3
    assert "failed in run" not in it.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_one_process_lets_its_tasks_finish_and_replaces_it(store: Prinia, diary: Path, number: signal.Signals) -> None:
    id = pushed(store, "held", n=0)
    with supervisor(diary, "--processes", "1") as it:
        [pid] = it.pids(1)
        wait_until((diary / "began-0").exists)
        os.kill(pid, number)
        os.kill(pid, number)  # to a process a second one says nothing new
        wait_until(lambda: states(store) == {"stopping"}, lambda: it.said)
        (diary / "go").touch()
        assert str(pid) in result_of(store, id)
        it.pids(2)
        it.signal(signal.SIGTERM)
        assert it.ended() == 0
    assert "failed in run" not in it.said


def test_a_worker_that_a_handler_stops_is_not_started_again_and_with_the_last_one_all_ends(store: Prinia, diary: Path) -> None:
    with supervisor(diary, "--processes", "2") as it:
        it.pids(2)
        result_of(store, pushed(store, "leave"))
        result_of(store, pushed(store, "leave"))
        assert it.ended() == 0
    assert len(re.findall("is process", it.said)) == 2


def test_a_process_that_cannot_begin_is_tried_again_until_it_can(store: Prinia, diary: Path) -> None:
    command = [sys.executable, "-m", "board.cli", "worker", "diary:app", "--name", "ada-1"]
    elder = subprocess.Popen(command, cwd=diary, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: "ada-1" in store("workers", "list").stdout)
        with supervisor(diary, "--processes", "1", "--name", "ada") as it:
            it.says(r"prinia: ada-1: A living worker is called 'ada-1'")
            it.says(r"Process \d+ of worker ada-1 ended with exit code 1")
            elder.terminate()
            elder.wait(PATIENCE)
            it.says(r"Worker ada-1 serves work")
            it.signal(signal.SIGTERM)
            assert it.ended() == 0
    finally:
        elder.kill()
        elder.wait()


# --- when all of them shall end ------------------------------------------------------------------------------


@ON_EVERY_STORE
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_lets_what_runs_in_all_processes_finish(store: Prinia, diary: Path, number: signal.Signals) -> None:
    ids = [pushed(store, "held", n=n) for n in range(2)]
    with supervisor(diary, "--processes", "2", "--concurrency", "1") as it:
        it.pids(2)
        wait_until(lambda: len(list(diary.glob("began-*"))) == 2)
        it.signal(number)
        it.says("finishing what runs")
        wait_until(lambda: states(store) == {"stopping"}, lambda: it.said)
        (diary / "go").touch()
        assert it.ended() == 0
    assert {status_of(store, id) for id in ids} == {"Done"}


def test_a_second_signal_gives_back_what_runs_in_all_processes(store: Prinia, diary: Path) -> None:
    ids = [pushed(store, "held", n=n) for n in range(2)]
    with supervisor(diary, "--processes", "2", "--concurrency", "1") as it:
        pids = it.pids(2)
        wait_until(lambda: len(list(diary.glob("began-*"))) == 2)
        it.signal(signal.SIGTERM)
        it.says("finishing what runs")
        it.signal(signal.SIGTERM)
        assert it.ended() == 0
        assert all(is_gone(pid) for pid in pids)
    assert {status_of(store, id) for id in ids} == {"Pending"}


def test_a_process_that_dies_while_all_end_shows_in_the_exit_code(store: Prinia, diary: Path) -> None:
    pushed(store, "held", n=0)
    with supervisor(diary, "--processes", "2", "--name", "ada") as it:
        it.pids(2)
        wait_until((diary / "began-0").exists)
        it.signal(signal.SIGTERM)
        it.says("finishing what runs")
        os.kill(int((diary / "began-0").read_text()), signal.SIGKILL)
        assert it.ended() == 1
    assert re.search(r"^prinia: Process \d+ of worker ada-[12] was ended by signal 9\.$", it.said, re.MULTILINE)
    assert "nothing is left running" not in it.said


def test_a_signal_to_the_whole_group_is_heard_once_by_each(store: Prinia, diary: Path) -> None:
    """As systemd sends it: to the supervisor, and to its processes too."""
    id = pushed(store, "held", n=0)
    with supervisor(diary, "--processes", "2") as it:
        pids = it.pids(2)
        wait_until((diary / "began-0").exists)
        for pid in (*pids, it.process.pid):
            os.kill(pid, signal.SIGTERM)
        it.says("finishing what runs")
        (diary / "go").touch()
        assert it.ended() == 0
    assert status_of(store, id) == "Done"


# --- when the supervisor is gone -----------------------------------------------------------------------------


@ON_EVERY_STORE
def test_processes_whose_supervisor_was_killed_finish_what_they_run_and_end(store: Prinia, diary: Path) -> None:
    ids = [pushed(store, "held", n=n) for n in range(2)]
    with supervisor(diary, "--processes", "2", "--concurrency", "1") as it:
        pids = it.pids(2)
        wait_until(lambda: len(list(diary.glob("began-*"))) == 2)
        it.signal(signal.SIGKILL)
        it.ended()
        wait_until(lambda: states(store) == {"stopping"}, lambda: it.said)
        later = pushed(store, "who")
        (diary / "go").touch()
        wait_until(lambda: all(is_gone(pid) for pid in pids), lambda: it.said)
    assert {status_of(store, id) for id in ids} == {"Done"}
    assert status_of(store, later) == "Pending"


@contextmanager
def orphan(folder: Path, patience: float) -> Iterator["subprocess.Popen[bytes]"]:
    order = Order(work=Work(app="diary:app", name="ada-1", queues=["work"], concurrency=1), patience=patience)
    command = [sys.executable, "-m", supervised.__name__, msgspec.json.encode(order).decode()]
    child = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdin is not None
        child.stdin.close()


def test_an_orphan_whose_handler_blocks_it_ends_all_the_same(store: Prinia, diary: Path) -> None:
    pushed(store, "blocking")
    with orphan(diary, patience=0.5) as child:
        wait_until((diary / "began-0").exists)
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(PATIENCE) == 1


def test_a_process_whose_supervisor_is_gone_before_it_began_claims_nothing(store: Prinia, diary: Path) -> None:
    id = pushed(store, "who")
    with orphan(diary, patience=PATIENCE) as child:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(PATIENCE) == 0
    assert status_of(store, id) == "Pending"


def worked(steer: Callable[[WorkerProcess], Awaitable[None]]) -> WorkerProcess:
    """A process that was run to its end, with ``steer`` beside it."""

    async def main() -> WorkerProcess:
        process = WorkerProcess(Work(app="diary:app", name="ada-1", queues=["work"], concurrency=1))
        async with asyncio.timeout(PATIENCE):
            running = asyncio.ensure_future(process.run())
            await asyncio.sleep(0)  # so that it begins to start
            await steer(process)
            await running
        return process

    return asyncio.run(main())


def test_a_process_that_does_not_end_when_told_to_do_so_at_once_is_killed(store: Prinia, diary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "INSIST", 0.5)
    pushed(store, "blocking")

    async def insist(process: WorkerProcess) -> None:
        while not (diary / "began-0").exists():
            await asyncio.sleep(0.02)
        process.stop()
        process.stop(at_once=True)

    with pytest.raises(ProcessEnded, match="of worker ada-1 was ended by signal 9"):
        worked(insist)


def test_a_process_that_is_told_to_stop_while_it_starts_does_so(store: Prinia, diary: Path) -> None:
    async def stop(process: WorkerProcess) -> None:
        process.stop()

    assert worked(stop).stop_reason is StopReason.ASKED
