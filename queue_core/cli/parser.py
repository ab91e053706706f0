"""What one may type: every command, its options and its examples. Imports nothing that costs time."""

import argparse
import importlib
import re
import sys
import textwrap
from collections.abc import Callable
from typing import Any, Final, NoReturn, cast

from queue_core.cli.failure import USAGE
from queue_core.cli.misuse import is_about_a_command, sentence

STORE_HELP: Final = "the store, as sqlite:///tasks.db, postgresql://user@host/database or module:app (default: $PRINIA_STORE)"
_EXAMPLES: Final = "examples:\n"
Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


class Parser(argparse.ArgumentParser):
    """argparse with examples under the help and one-sentence errors."""

    def __init__(self, *args: object, examples: str = "", **options: object) -> None:
        options.setdefault("formatter_class", Help)
        options["epilog"] = _block(examples)
        options["allow_abbrev"] = False
        super().__init__(*args, **options)  # type: ignore[arg-type]  # argparse's own signature is long; it is passed on as it is
        self._negative_number_matcher = re.compile(r"-\d")  # so that -5m is a value, which its rule can refuse, and no unknown option

    def parse_known_args(self, *args: Any, **named: Any) -> Any:
        """As argparse does, but what a command does not know is told by that command and not by the one above."""
        known, unknown = super().parse_known_args(*args, **named)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is, and end with 2."""
        if is_about_a_command(message):
            self.print_help(sys.stderr)
        else:
            print(f"{self.prog}: {sentence(message, self._option_string_actions)} See {self.prog} --help", file=sys.stderr)
        sys.exit(USAGE)


class Help(argparse.RawDescriptionHelpFormatter):
    """Descriptions as wide as the terminal; examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(_EXAMPLES):
            return text
        return "\n\n".join(textwrap.fill(paragraph, width) for paragraph in text.split("\n\n"))


def _block(examples: str) -> str | None:
    lines = [line.strip() for line in examples.strip().splitlines()]
    return _EXAMPLES + "\n".join(f"  {line}" for line in lines) if lines and lines[0] else None


def runs(parser: argparse.ArgumentParser, target: str) -> argparse.ArgumentParser:
    """Let ``parser`` run the function ``module:name``, imported only then."""
    parser.set_defaults(run=target)
    return parser


def dispatch(args: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    module, _, function = str(args.run).partition(":")
    return cast("Callable[[argparse.Namespace], int]", getattr(importlib.import_module(module), function))(args)


def add_commands(commands: "Commands[Parser]") -> None:
    """The commands of the queue itself, in the order of a day's work."""
    _add_worker(commands)
    _add_push(commands)
    _add_tasks(commands)
    _add_queues(commands)
    _add_workers(commands)
    _add_schedules(commands)
    _add_upkeep(commands)


def add_store(parser: argparse.ArgumentParser, *, whole: bool = False) -> None:
    """``--store``. ``whole``: the command is about a store and nothing in it, so that its URL may be all that is written."""
    if whole:
        parser.add_argument("url", metavar="URL", nargs="?", help=STORE_HELP)
    parser.add_argument("--store", metavar="URL", help="the same" if whole else STORE_HELP)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON for scripts instead of words for people")


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="TEXT", help="why; it is kept in the audit")


def _add_worker(commands: "Commands[Parser]") -> None:
    worker = commands.add_parser(
        "worker",
        help="run the tasks of an app",
        description="Run a worker: it takes tasks from the app's store and calls your handlers, until SIGTERM or Ctrl-C. The first signal\n"
        "lets running tasks finish; a second one gives them back at once. With --max-tasks or --max-memory it ends by itself, in the same way\n"
        "and with 0, for a supervisor to start it again.\n\n"
        "With --processes it is that supervisor itself: it runs so many workers, each in a process of its own, and starts another in place of one\n"
        "that ends or dies. Its signals hold for all of them; SIGTERM to one of the processes lets that one finish and replaces it.",
        examples="""
            prinia worker tasks:app
            prinia worker shop.jobs:app --queues email,billing --concurrency 20
            prinia worker tasks:app --processes 4 --name mail
            prinia worker tasks:app --max-tasks 10000 --max-memory 500MB
        """,
    )
    worker.add_argument("app", metavar="MODULE:APP", help="where the App is: tasks:app is `app = App(…)` in tasks.py")
    worker.add_argument("--queues", metavar="A,B", help="serve only these queues (default: all that the app's tasks name)")
    worker.add_argument("--concurrency", metavar="N", type=int, default=10, help="tasks at the same time (default: %(default)s)")
    worker.add_argument("--processes", metavar="N", help="run N workers, each in a process of its own; auto: as many as there are usable CPUs")
    worker.add_argument("--name", help="the worker's name; no two living workers share one (default: from host and process); NAME-1, … of processes")
    worker.add_argument("--max-tasks", metavar="N", type=int, help="end after N tasks, for a supervisor to start a fresh process (default: never)")
    worker.add_argument("--max-memory", metavar="SIZE", help="the same once the process uses more than SIZE, as 500MB (default: never)")
    worker.add_argument(
        "--capture-logs",
        metavar="LEVEL",
        default="info",
        help="keep what handlers log beside their tasks, from this level on: debug, info, …; off keeps nothing (default: %(default)s)",
    )
    runs(worker, "queue_core.cli.worker:run")


def _add_push(commands: "Commands[Parser]") -> None:
    push = commands.add_parser(
        "push",
        help="push one task",
        description="Push one task. Its arguments are a JSON object: each key is a parameter of the handler.\n\n"
        "With --store module:app the app's definition of the task is used: its queue, its settings, its check of the arguments. With a URL\n"
        "nothing is known of the task: what is typed is stored as it is, and a mistake is found by the worker.",
        examples="""
            prinia push email send_welcome_email '{"user_id": 42}' --store tasks:app
            prinia push email send_welcome_email '{"user_id": 42}' --store sqlite:///tasks.db
            prinia push email send_welcome_email '{"user_id": 42}' --run-after 5m --key welcome-42
            echo '{"path": "big.json"}' | prinia push files checksum -
        """,
    )
    push.add_argument("queue", metavar="QUEUE", help="the queue that it goes to")
    push.add_argument("name", metavar="NAME", help="the task's name, as its handler is called")
    push.add_argument("args", metavar="JSON", nargs="?", default="{}", help="its arguments (default: none); - reads them from standard input")
    push.add_argument("--run-after", metavar="SPAN", help="wait this long first, as 90s, 5m or 1.5h")
    push.add_argument("--run-at", metavar="TIME", help="wait until then, as 2026-12-24T18:00:00Z")
    push.add_argument("--priority", metavar="N", type=int, help="higher runs first (default: the definition's; 0 with a URL)")
    push.add_argument("--max-attempts", metavar="N", type=int, help="how often it may be tried (default: the definition's; 5 with a URL)")
    push.add_argument("--timeout", metavar="SPAN", help="how long one attempt may take (default: the definition's)")
    push.add_argument("--key", help="a second push with the same key in the queue stores nothing")
    push.add_argument("--unique", metavar="RULE", help="for how long that holds: ever (the default), live (until the task ended), or 30s, 1h, …")
    push.add_argument("--debounce", metavar="SPAN", help="wait so long for another push with the key, which replaces the arguments and waits anew")
    push.add_argument("--debounce-max", metavar="SPAN", help="but at most so long from the first push")
    push.add_argument("--group", help="whose tasks share the limits that the queue has for each group")
    push.add_argument("--tag", metavar="TEXT", action="append", default=[], help="a tag for people; may be given again")
    _add_reason(push)
    add_store(push)
    _add_json(push)
    runs(push, "queue_core.cli.push:run")


def _add_tasks(commands: "Commands[Parser]") -> None:
    tasks = commands.add_parser("tasks", help="look at tasks and act on them", description="Look at tasks and act on them.")
    actions = tasks.add_subparsers(metavar="ACTION", required=True, title="actions", parser_class=Parser)
    _add_tasks_list(actions)
    _add_tasks_show(actions)
    _add_tasks_logs(actions)
    for name, words in {
        "retry": "make Failed, Killed or Done tasks wait again, due now",
        "kill": "end tasks: waiting ones at once, running ones as soon as their worker stops them",
        "delete": "remove Done or Killed tasks with their history",
        "run-now": "make waiting tasks due now",
    }.items():
        action = actions.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.", examples=f"prinia tasks {name} 019a… 019b…")
        action.add_argument("ids", metavar="ID", nargs="+", help="the ids of the tasks")
        _add_reason(action)
        add_store(action)
        _add_json(action)
        action.set_defaults(action=name)
        runs(action, "queue_core.cli.tasks:act")


def _add_tasks_list(actions: "Commands[Parser]") -> None:
    listing = actions.add_parser(
        "list",
        help="list tasks, newest first",
        description="List tasks, newest first. States: Pending, Queued, Running, Done, Failed, Killed.",
        examples="""
            prinia tasks list --status Failed,Killed
            prinia tasks list --queue email --limit 200 --json
        """,
    )
    listing.add_argument("--queue", help="only this queue")
    listing.add_argument("--status", metavar="A,B", help="only these states")
    listing.add_argument("--name", help="only tasks of this name")
    listing.add_argument("--text", help="only tasks with this text in arguments, error, id, key or a tag")
    listing.add_argument("--limit", metavar="N", type=int, default=50, help="at most so many (default: %(default)s)")
    listing.add_argument("--start", metavar="CURSOR", help="go on where an earlier page ended")
    add_store(listing)
    _add_json(listing)
    runs(listing, "queue_core.cli.tasks:show_list")


def _add_tasks_show(actions: "Commands[Parser]") -> None:
    show = actions.add_parser(
        "show",
        help="show one task: arguments, result, every attempt",
        description="Show one task: its arguments, its result, every attempt with its error.",
        examples="prinia tasks show 019a…",
    )
    show.add_argument("id", metavar="ID", help="the id of the task")
    add_store(show)
    _add_json(show)
    runs(show, "queue_core.cli.tasks:show_one")


def _add_tasks_logs(actions: "Commands[Parser]") -> None:
    logs = actions.add_parser(
        "logs",
        help="show what a task logged",
        description="Show what the handler of a task logged, oldest line first; every attempt, or one.",
        examples="""
            prinia tasks logs 019a…
            prinia tasks logs 019a… --follow
            prinia tasks logs 019a… --level warning --attempt 3
        """,
    )
    logs.add_argument("id", metavar="ID", help="the id of the task")
    logs.add_argument("--attempt", metavar="N", type=int, help="only what this attempt logged")
    logs.add_argument("--level", metavar="LEVEL", help="only this level and higher ones, as info or error")
    logs.add_argument("--limit", metavar="N", type=int, default=1000, help="at most so many, the latest (default: %(default)s)")
    logs.add_argument("--follow", action="store_true", help="go on showing lines as they come, until the task has ended")
    add_store(logs)
    _add_json(logs)
    runs(logs, "queue_core.cli.logs:show")


def _add_queues(commands: "Commands[Parser]") -> None:
    queues = commands.add_parser("queues", help="look at queues, pause and resume them", description="Look at queues, pause and resume them.")
    actions = queues.add_subparsers(metavar="ACTION", required=True, title="actions", parser_class=Parser)
    listing = actions.add_parser(
        "list", help="list queues with their numbers", description="List queues with their numbers.", examples="prinia queues list"
    )
    add_store(listing)
    _add_json(listing)
    runs(listing, "queue_core.cli.queues:show_list")
    for name, words in {
        "pause": "Let no worker take tasks from a queue; what runs goes on.",
        "resume": "End the pause of a queue.",
    }.items():
        action = actions.add_parser(name, help=words[0].lower() + words[1:-1], description=words, examples=f"prinia queues {name} email")
        action.add_argument("queue", metavar="QUEUE", help="the queue's name")
        _add_reason(action)
        add_store(action)
        _add_json(action)
        action.set_defaults(action=name)
        runs(action, "queue_core.cli.queues:act")


def _add_schedules(commands: "Commands[Parser]") -> None:
    schedules = commands.add_parser("schedules", help="look at schedules, run and pause them", description="Look at schedules, run and pause them.")
    actions = schedules.add_subparsers(metavar="ACTION", required=True, title="actions", parser_class=Parser)
    listing = actions.add_parser(
        "list", help="list schedules with their last and next ticks", description="List schedules, by name.", examples="prinia schedules list"
    )
    add_store(listing)
    _add_json(listing)
    runs(listing, "queue_core.cli.schedules:show_list")
    one = actions.add_parser("show", help="show one schedule: its arguments, its ticks", description="Show one schedule: its arguments, its ticks.",
        examples="prinia schedules show nightly",
    )  # fmt: skip
    one.add_argument("name", metavar="NAME", help="the schedule's name")
    add_store(one)
    _add_json(one)
    runs(one, "queue_core.cli.schedules:show_one")
    for name, (words, target) in {
        "run": ("Push one task of a schedule now, also while it is paused.", "run"),
        "pause": ("Let no tick of a schedule push a task.", "act"),
        "resume": ("End the pause of a schedule; ticks that came meanwhile are left out.", "act"),
        "delete": ("Forget a schedule; the tasks that it pushed stay.", "delete"),
    }.items():
        action = actions.add_parser(name, help=words[0].lower() + words[1:-1], description=words, examples=f"prinia schedules {name} nightly")
        action.add_argument("name", metavar="NAME", help="the schedule's name")
        _add_reason(action)
        add_store(action)
        _add_json(action)
        action.set_defaults(action=name)
        runs(action, f"queue_core.cli.schedules:{target}")


def _add_workers(commands: "Commands[Parser]") -> None:
    workers = commands.add_parser("workers", help="look at workers", description="Look at workers.")
    actions = workers.add_subparsers(metavar="ACTION", required=True, title="actions", parser_class=Parser)
    listing = actions.add_parser(
        "list",
        help="list workers: the living, then those that ended",
        description="List workers: the living first, then those that ended, the latest first.",
        examples="prinia workers list --queue email",
    )
    listing.add_argument("--queue", help="only those that serve this queue")
    listing.add_argument("--limit", metavar="N", type=int, default=50, help="at most so many (default: %(default)s)")
    add_store(listing)
    _add_json(listing)
    runs(listing, "queue_core.cli.workers:show_list")


def _add_upkeep(commands: "Commands[Parser]") -> None:
    migrate = commands.add_parser(
        "migrate",
        help="make a store, or bring it up to date",
        description="Make a store, or bring its schema up to date. Safe at any time, and while workers run.",
        examples="""
            prinia migrate sqlite:///tasks.db
            prinia migrate tasks:app
        """,
    )
    add_store(migrate, whole=True)
    runs(migrate, "queue_core.cli.upkeep:migrate")
    prune = commands.add_parser(
        "prune",
        help="remove finished tasks that are old, or too many",
        description="Remove finished tasks that are old, or too many, in small batches that hold up nobody. Workers remove old ones by themselves;\n"
        "this does it now.",
        examples="""
            prinia prune sqlite:///tasks.db
            prinia prune --done 1d --killed 7d
            prinia prune --keep 10000
        """,
    )
    prune.add_argument("--done", metavar="SPAN", default="7d", help="keep Done tasks so long (default: %(default)s)")
    prune.add_argument("--killed", metavar="SPAN", default="30d", help="keep Killed tasks so long (default: %(default)s)")
    prune.add_argument("--keep", metavar="N", type=int, help="keep at most N Done and N Killed tasks of each queue, those pushed last (default: all)")
    add_store(prune, whole=True)
    runs(prune, "queue_core.cli.upkeep:prune")
    doctor = commands.add_parser(
        "doctor",
        help="examine a store and say what is wrong with it",
        description="Examine a store: its file or server, its settings, its workers, its numbers. Changes nothing. Each finding has its cure;\n"
        "ends with 1 on any.",
        examples="""
            prinia doctor sqlite:///tasks.db
            prinia doctor postgresql://app@db.example.com/shop
            prinia doctor --json
        """,
    )
    add_store(doctor, whole=True)
    _add_json(doctor)
    runs(doctor, "queue_core.cli.doctor:run")
