"""A child process of the demo that ends with its parent, however that ends: standard input is a pipe, and its end is the signal."""

import os
import signal
import sys
import threading

from board import cli
from board.demo import producer


def main() -> int:
    """Run the producer, or the command line that the arguments spell."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    if sys.argv[1] == "producer":
        return producer.main(poison="--poison" in sys.argv)
    return cli.main()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
