"""A board on a thread of its own, for tests that speak HTTP to it or show it to a browser."""

import threading
import time
from typing import Any, Final, Self

from board.app import Server
from board.serve import listening

PATIENCE: Final = 30.0


class BoardServer:
    """An ASGI app, served on a free port of 127.0.0.1. A context manager; ``config`` goes to uvicorn."""

    def __init__(self, app: Any, **config: Any) -> None:
        self._socket = listening("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = Server(app, **{"log_level": "warning", **config})
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, name="board", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + PATIENCE
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("The board did not start.")
            time.sleep(0.01)
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._socket.close()
        assert not self._thread.is_alive(), "The board did not stop."
