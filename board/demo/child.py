"""A child process of the demo that ends with its parent, however that ends: standard input is a pipe, and its end is the signal."""

import os
import signal
import sys
import threading
from typing import Final

from board import cli
from board.demo import producer

STDIN: Final = 0


def main() -> int:
    """Run the producer, or the command line that the arguments spell."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    if sys.argv[1] == "producer":
        return producer.main(poison="--poison" in sys.argv)
    return cli.main()


def _end_with_parent() -> None:
    while os.read(STDIN, 1_024):  # not through sys.stdin, whose lock the interpreter wants when it ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
