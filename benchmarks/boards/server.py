"""The board as ``prinia board`` serves it, counting what it asks and renders: ``python -m boards.server FOLDER FILE``."""

import sys
from pathlib import Path
from typing import cast

from suite.process import end_with_parent, raise_file_limit

from board.app import Board
from board.serve import listening, serve
from boards.counted import CountedStore, Tally, count_renderings
from boards.data import url
from queue_core.expose import Expose, connect


def main(folder: Path, file: str) -> None:
    """Serve until told to end."""
    end_with_parent()
    raise_file_limit()
    tally = Tally(folder / "tally")
    count_renderings(tally)
    listener = listening("127.0.0.1", 0)
    (folder / "port").write_text(str(listener.getsockname()[1]))  # tells the measuring process where
    serve(Board(cast("Expose", CountedStore(connect(url(folder, file)).expose, tally))), listener)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
