"""Starting the demo's world and ending it."""

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from board._resources import STATIC, require_vendored
from board.app import Board
from board.demo import files
from board.serve import address, listening, serve
from queue_core.cli.failure import OK
from queue_core.expose import Actor, NewTask, QueueName, connect

WORKERS: Final = ("ada", "grace")
PATIENCE: Final = 15.0
"""Seconds that the children get to end."""
PAUSED: Final = QueueName("newsletter")


def run(args: argparse.Namespace) -> int:
    """Make the files, start the children, serve the board until Ctrl-C, end the children."""
    require_vendored(STATIC)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listening(args.host, args.port) as listener, home(args.dir) as folder:
        store = f"sqlite:///{folder / 'tasks.db'}"
        files.make_all(folder / "files")
        asyncio.run(prepare(store))
        where = address(args.host, listener)
        with children(folder, store, poison=args.poison):
            with contextlib.suppress(KeyboardInterrupt):
                print(banner(where, store, folder, kept=args.dir is not None), flush=True)
                open_browser(where, wanted=not args.no_browser)
                serve(Board(store, title="Prinia demo", environment="demo"), listener)
            end_undisturbed()
    print("Everything has ended." + ("" if args.dir else " The folder is gone."), flush=True)
    return OK


def end_undisturbed() -> None:
    """From here on signals change nothing: the end is short, and a second Ctrl-C must not leave children or files behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    print("\nStopping the workers …", flush=True)


@contextlib.contextmanager
def home(chosen: str | None) -> Iterator[Path]:
    """The chosen folder, or a temporary one that goes at the end."""
    if chosen is not None:
        folder = Path(chosen).expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="prinia-demo-", ignore_cleanup_errors=True) as name:
            yield Path(name).resolve()


async def prepare(store: str) -> None:
    """Make the store, and pause the queue that the reader may resume."""
    expose = connect(store).expose
    await expose.open()
    try:
        if await expose.fetch_queue(PAUSED) is None:
            greeting = NewTask(name="send_newsletter", queue=PAUSED, args=b'{"issue":0}')
            await expose.push([greeting], actor=Actor(name="demo"))
            await expose.pause(PAUSED, actor=Actor(name="demo", reason="proof-reading: resume me"))
    finally:
        await expose.close()


@contextlib.contextmanager
def children(folder: Path, store: str, *, poison: bool) -> Iterator[None]:
    """Two workers and the producer; restarted when they die, ended when the block ends."""
    world = World(folder, store, poison=poison)
    world.start()
    try:
        yield
    finally:
        world.stop()


class World:
    """The demo's child processes, watched over by a thread."""

    def __init__(self, folder: Path, store: str, *, poison: bool) -> None:
        self._folder = folder
        self._env = os.environ | {"PRINIA_DEMO_STORE": store, "PRINIA_DEMO_FILES": str(folder / "files")}
        queues = "files,images,text,orders,mail,etl,reports,newsletter" + (",poison" if poison else "")
        worker = ["worker", "board.demo.tasks:app", "--queues", queues, "--concurrency", "6", "--name"]
        self._commands = {name: [*worker, name] for name in WORKERS}
        self._commands["producer"] = ["producer", *(["--poison"] if poison else [])]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="demo", daemon=True)

    def start(self) -> None:
        """Start every child, and what starts it again."""
        for name in self._commands:
            self._launch(name)
        self._watcher.start()

    def stop(self) -> None:
        """Ask every child to end; kill what does not."""
        self._stopping.set()
        self._watcher.join()
        for child in self._running.values():
            child.terminate()
        for child in self._running.values():
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _launch(self, name: str) -> None:
        """In a process group of its own: a Ctrl-C in the terminal is for the demo, which then ends its children in order."""
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "board.demo.child", *self._commands[name]],
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.PIPE,  # its end tells the child that this process is gone
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _watch(self) -> None:
        while not self._stopping.wait(0.5):
            for name, child in list(self._running.items()):
                if child.poll() is not None:
                    print(f"  {name} ended with {child.returncode} and is started again; the board shows what became of its tasks", flush=True)
                    self._launch(name)


def banner(where: str, store: str, folder: Path, *, kept: bool) -> str:
    """What is running, and where to look."""
    return f"""
  Prinia demo

    board    {where}
    store    {store}
    files    {folder}{"" if kept else "  (removed at the end)"}
    workers  {", ".join(WORKERS)}: checksums, thumbnails, word counts, orders, an ETL fan-out, some honest failures
    to try   resume the queue {PAUSED}; retry a Killed task; kill a running checksum
    shell    prinia tasks list --store {store}

  Ctrl-C ends it all.
"""


def open_browser(where: str, *, wanted: bool) -> None:
    """Open the board where a person would see it: on a desktop, from a terminal."""
    desktop = os.name == "nt" or sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if wanted and desktop and sys.stdout.isatty():
        webbrowser.open(where)
