"""The command ``prinia``: the one place that puts the queue's commands, the board and the demo together."""

import sys

try:
    import argparse
    from typing import Final

    from queue_core.cli.failure import guarded
    from queue_core.cli.parser import STORE_HELP, Commands, Parser, add_commands, dispatch, runs
except KeyboardInterrupt:
    sys.exit(130)  # failure.INTERRUPTED, which is not here yet

HOST: Final = "127.0.0.1"
PORT: Final = 8080


def main() -> int:
    """Read the command line, run the command, return its exit code."""
    return guarded(lambda: dispatch(make_parser().parse_args()))


def make_parser() -> Parser:
    """Every command with its help."""
    parser = Parser(
        prog="prinia",
        description="A durable background-task queue for Python with a live board.",
        examples="""
            prinia demo                                     see it work
            prinia worker tasks:app                         run the tasks of `app` in tasks.py
            prinia board sqlite:///tasks.db                 watch and steer a store
            prinia tasks list --status Failed,Killed --store sqlite:///tasks.db
        """,
    )
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands", parser_class=Parser)
    _add_demo(commands)
    _add_board(commands)
    add_commands(commands)
    return parser


class ShowVersion(argparse.Action):
    """Prints the installed version; looks it up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *args: object) -> None:
        """Print and end."""
        from importlib.metadata import version

        print(f"prinia {version('prinia')}")
        parser.exit()


def _add_demo(commands: "Commands[Parser]") -> None:
    demo = commands.add_parser(
        "demo",
        help="two workers, real work on real files, and the board on it",
        description="Run a small world: a SQLite store, two worker processes that do real work on files which they make, some honest\n"
        "failures, a paused queue, scheduled tasks, and the board. Ends with Ctrl-C and leaves nothing behind, unless --dir says where to keep it.",
        examples="""
            prinia demo
            prinia demo --port 9000 --dir ./demo --poison
        """,
    )
    _add_address(demo)
    demo.add_argument("--dir", metavar="FOLDER", help="keep the store and the files here (default: a temporary folder, removed at the end)")
    demo.add_argument("--no-browser", action="store_true", help="do not open the board in a browser")
    demo.add_argument("--poison", action="store_true", help="also push tasks that kill their worker, to see it rescued")
    runs(demo, "board.demo.command:run")


def _add_board(commands: "Commands[Parser]") -> None:
    board = commands.add_parser(
        "board",
        help="serve the board over one or more stores",
        description="Serve the board over one or more stores. Actions are allowed from this machine only; to allow more, mount the board\n"
        "in an app of your own with authorize=…, see docs/guides/mounting.md.",
        examples="""
            prinia board sqlite:///tasks.db
            prinia board mail=sqlite:///mail.db etl=sqlite:///etl.db --port 9000
            prinia board tasks:app --environment production --read-only
        """,
    )
    board.add_argument("stores", metavar="URL", nargs="*", help=f"{STORE_HELP}; name=URL names it on the board")
    board.add_argument("--store", metavar="URL", action="append", default=[], help="the same; may be given again")
    _add_address(board)
    board.add_argument("--title", default="Prinia", help="the name in the head of the page (default: %(default)s)")
    board.add_argument("--environment", metavar="NAME", help="a badge beside it, as production")
    board.add_argument("--read-only", action="store_true", help="look, and change nothing")
    runs(board, "board.serve:run")


def _add_address(parser: Parser) -> None:
    parser.add_argument("--host", default=HOST, help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="the port; 0 takes a free one (default: %(default)s)")


if __name__ == "__main__":
    sys.exit(main())
