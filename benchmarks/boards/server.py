"""The board as ``prinia board`` serves it, counting what it asks and renders: ``python -m boards.server FOLDER``. Prints its port."""

import sys
from pathlib import Path
from typing import cast

from board.app import Board
from suite.process import raise_file_limit

from board.serve import listening, serve
from boards.counted import CountedStore, Tally, count_renderings
from boards.data import url
from queue_core.expose import Expose, connect


def main(folder: Path) -> None:
    """Serve until told to end."""
    raise_file_limit()
    tally = Tally(folder / "tally")
    count_renderings(tally)
    listener = listening("127.0.0.1", 0)
    (folder / "port").write_text(str(listener.getsockname()[1]))
    serve(Board(cast("Expose", CountedStore(connect(url(folder)).expose, tally))), listener)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
