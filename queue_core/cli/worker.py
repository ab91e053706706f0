"""``prinia worker``: run the tasks of an app until somebody says stop."""

import argparse
import logging
from collections.abc import Sequence

from queue_core.app import App
from queue_core.cli import loop
from queue_core.cli.failure import OK, UsageError
from queue_core.cli.load import load_app
from queue_core.cli.words import harmless, octets
from queue_core.errors import InvalidValue


def run(args: argparse.Namespace) -> int:
    """Load the app, run it."""
    if args.concurrency < 1:
        raise UsageError(f"--concurrency must be 1 or more, got {args.concurrency}.")
    if args.max_tasks is not None and args.max_tasks < 1:
        raise UsageError(f"--max-tasks must be 1 or more, got {args.max_tasks}.")
    max_memory = most_memory(args.max_memory)
    app = load_app(args.app)
    queues = chosen_queues(app, args.queues)
    log_to_stderr()
    loop.run(_work(app, args, queues, max_memory))
    print("Stopped: nothing is left running.", flush=True)
    return OK


async def _work(app: App, args: argparse.Namespace, queues: Sequence[str], max_memory: int | None) -> None:
    async with app:  # first, so that nothing is said to run on a store that cannot be used
        print(banner(app, args.app, queues, args.concurrency), flush=True)
        await app.work(name=args.name, queues=queues, concurrency=args.concurrency, max_tasks=args.max_tasks, max_memory=max_memory)


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


def log_to_stderr() -> None:
    """Show what is logged, unless the app's module has seen to that."""
    handler = logging.StreamHandler()
    handler.setFormatter(HarmlessFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


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


def banner(app: App, spec: str, queues: Sequence[str], concurrency: int) -> str:
    """What a person wants to check before walking away."""
    names = sorted(handler.name for handler in app.registry if handler.queue in queues)
    lines = {
        "app": spec,
        "store": f"{app.expose.kind} {app.expose.location}",
        "queues": ", ".join(queues),
        "tasks": ", ".join(names),
        "at once": str(concurrency),
        "loop": loop.name(),
        "stop": "Ctrl-C or SIGTERM lets running tasks finish; a second one gives them back",
    }
    return "Prinia worker\n" + "\n".join(f"  {title:<8} {harmless(text)}" for title, text in lines.items())
