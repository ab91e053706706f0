"""``prinia board``: the board alone, served from this process."""

import argparse
import contextlib
import errno
import os
import socket
from typing import Any

from board._resources import STATIC, require_vendored
from board.app import Board, Server
from queue_core.cli.failure import OK, CommandFailed, UsageError
from queue_core.cli.store import VARIABLE, connection
from queue_core.expose import Expose


def run(args: argparse.Namespace) -> int:
    """Serve the stores that ``args`` name until Ctrl-C."""
    sources = named_stores([*args.stores, *args.store] or [os.environ.get(VARIABLE, "")])
    board = Board(
        next(iter(sources.values())) if len(sources) == 1 else sources,
        title=args.title,
        environment=args.environment,
        read_only=args.read_only,
    )
    with listening(args.host, args.port) as listener:
        print(f"The board is at {address(args.host, listener)}  (Ctrl-C stops it)", flush=True)
        serve(board, listener)
    return OK


def named_stores(specs: list[str]) -> dict[str, Expose]:
    """Each store by the name that the board shows. Raises UsageError for none, and for a name given twice."""
    stores: dict[str, Expose] = {}
    for spec in specs:
        name, url = _split(spec)
        if name in stores:
            raise UsageError(f"Two stores are called {name!r}. Name them: mail=sqlite:///a.db etl=sqlite:///b.db")
        stores[name] = connection(url).expose
    return stores


def _split(spec: str) -> tuple[str, str]:
    if not spec:
        raise UsageError(f"Which store? Write prinia board sqlite:///tasks.db (or module:app), or set {VARIABLE}.")
    name, separator, url = spec.partition("=")
    if separator and name and "/" not in name and ":" not in name:
        return name, url
    return spec.partition("?")[0].rpartition("/")[2].removesuffix(".db"), spec


def serve(board: Any, listener: socket.socket) -> None:
    """Serve ``board`` on ``listener`` until SIGINT or SIGTERM. Raises BrokenInstall when its scripts are missing."""
    require_vendored(STATIC)
    with contextlib.suppress(KeyboardInterrupt):  # the server has ended properly by then and only passes it on
        Server(board, log_level="warning").run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there, whose connections send at once. Raises UsageError for what is no address, CommandFailed when the port is taken."""
    if port not in range(65_536):
        raise UsageError(f"--port must be from 0 to 65535, got {port}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandFailed(f"Port {port} of {host} is used by another program. Choose another one, as --port {port + 1}, or --port 0.") from None
        raise CommandFailed(f"Nothing can listen on {host} port {port}: {error.strerror or error}.") from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it; asyncio does not see that this is TCP
    return listener


def address(host: str, listener: socket.socket) -> str:
    """What to type into a browser."""
    port = listener.getsockname()[1]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - it is asked about, not bound
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
