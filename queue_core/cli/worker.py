"""``prinia worker``: run the tasks of an app until somebody says stop."""

import argparse
import logging
import os
from dataclasses import dataclass
from typing import Any, Final

from queue_core.app import App
from queue_core.cli import loop
from queue_core.cli.failure import OK, UsageError
from queue_core.cli.load import load_app
from queue_core.cli.words import harmless, level, octets
from queue_core.errors import InvalidValue

OFF: Final = "off"
ENDED: Final = "Stopped: nothing is left running."
LEFT: Final = "Stopped: what did not end when it was cancelled ends with this process."


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one worker is to do."""

    app: str
    """Where the App is, as ``tasks:app``."""
    name: str | None
    queues: list[str]
    concurrency: int
    max_tasks: int | None = None
    max_memory: int | None = None
    capture_logs: int | None = logging.INFO

    @property
    def options(self) -> dict[str, Any]:
        """What ``App.worker`` takes."""
        names = ("name", "queues", "concurrency", "max_tasks", "max_memory", "capture_logs")
        return {name: getattr(self, name) for name in names}


def run(args: argparse.Namespace) -> int:
    """Load the app, run it, in this process or in several."""
    if args.concurrency < 1:
        raise UsageError(f"--concurrency must be 1 or more, got {args.concurrency}.")
    if args.max_tasks is not None and args.max_tasks < 1:
        raise UsageError(f"--max-tasks must be 1 or more, got {args.max_tasks}.")
    processes, max_memory, capture_logs = how_many(args.processes), most_memory(args.max_memory), captured(args.capture_logs)
    app = load_app(args.app)
    work = Work(
        app=args.app,
        name=args.name,
        queues=chosen_queues(app, args.queues),
        concurrency=args.concurrency,
        max_tasks=args.max_tasks,
        max_memory=max_memory,
        capture_logs=capture_logs,
    )
    log_to_stderr(work)
    if processes is None:
        is_all_ended = loop.run(_work(app, work))
    else:
        from queue_core.cli import processes as supervisor  # only here: most workers are one process

        supervisor.run(app, work, processes)
        is_all_ended = True
    print(ENDED if is_all_ended else LEFT, flush=True)
    return OK


async def _work(app: App, work: Work) -> bool:
    """Work until the end; whether every handler has ended too."""
    async with app:  # first, so that nothing is said to run on a store that cannot be used
        print(banner(app, work), flush=True)
        worker = app.worker(**work.options)
        await worker.run(signals=True)
    await loop.leave_behind(OK, LEFT)
    return not worker.running


def how_many(text: str | None) -> int | None:
    """The number of ``--processes``; None without it. Raises UsageError."""
    if text is None:
        return None
    if text == "auto":
        return usable_cpus()
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--processes must be a whole number of at least 1, or auto for one on each CPU, got {text!r}.")
    return int(text)


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_memory(text: str | None) -> int | None:
    """The bytes of ``--max-memory``. Raises UsageError for no size, and for none at all."""
    if text is None:
        return None
    try:
        most = octets(text)
    except InvalidValue as error:
        raise UsageError(f"--max-memory: {error}") from error
    if most < 1:
        raise UsageError(f"--max-memory must be more than nothing, got {text!r}.")
    return most


def captured(text: str) -> int | None:
    """The level of ``--capture-logs``; None for ``off``. Raises UsageError."""
    if text.lower() == OFF:
        return None
    number = level(text)
    if number is None:
        raise UsageError(f"--capture-logs must be debug, info, warning, error, critical or {OFF}, got {text!r}.")
    return number


def log_to_stderr(work: Work, layout: str = "%(asctime)s %(levelname)s %(message)s") -> None:
    """Show what is logged, from INFO on, and let through what is captured, unless the app's module has seen to that."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.INFO)
    handler.setFormatter(HarmlessFormatter(layout, defaults={"worker": work.name}))
    logging.basicConfig(level=min(logging.INFO, logging.INFO if work.capture_logs is None else work.capture_logs), handlers=[handler])


class HarmlessFormatter(logging.Formatter):
    """Makes lines fit for a terminal: the names and errors in them may be a stranger's."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of ``record``."""
        return harmless(super().format(record), lines=True)


def chosen_queues(app: App, text: str | None) -> list[str]:
    """The queues to serve. Raises UsageError when none is named, when one of them has no task in the app, or when the app has no task at all."""
    served = sorted(str(queue) for queue in app.registry.queues)
    if not served:
        raise UsageError("The app has no task to run. Add one with @app.task above a function, in a module that the app's module imports.")
    if text is None:
        return served
    asked = [name.strip() for name in text.split(",") if name.strip()]
    if not asked:
        raise UsageError(f"--queues names no queue, got {text!r}. Name some of {', '.join(served)}, or leave it out to serve them all.")
    for name in asked:
        if name not in served:
            raise UsageError(f"No task of the app is in the queue {name!r}. Its queues are {', '.join(served)}.")
    return asked


def banner(app: App, work: Work, processes: str | None = None) -> str:
    """What a person wants to check before walking away."""
    names = sorted(handler.name for handler in app.registry if handler.queue in work.queues)
    lines = {
        "app": work.app,
        "store": f"{app.expose.kind} {app.expose.location}",
        "queues": ", ".join(work.queues),
        "tasks": ", ".join(names),
        "workers": processes,
        "at once": str(work.concurrency) + ("" if processes is None else " in each"),
        "loop": loop.name(),
        "stop": "Ctrl-C or SIGTERM lets running tasks finish; a second one gives them back",
    }
    return "Prinia worker\n" + "\n".join(f"  {title:<8} {harmless(text)}" for title, text in lines.items() if text is not None)
