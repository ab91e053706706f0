"""FlexiQ's dashboard on the jobs in a folder: ``python -m boards.flexiq_server FOLDER``. Runs in the peers' environment."""

import sys
from pathlib import Path

from contenders.flexiq import Flexiq
from flexiq.dashboard.server import serve_dashboard

from boards.ports import free_port


def main(folder: Path) -> None:
    """Serve until told to end."""
    queue, _ = Flexiq(folder).queue()
    port = free_port()
    (folder / "port").write_text(str(port))
    serve_dashboard(queue, host="127.0.0.1", port=port)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
