"""The PostgreSQL server of a run: the one of the tests, with fsync, and a fresh database in it for each measurement."""

import itertools
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.calls import FOLDER
from suite.database import Database, Session
from tests.pg import Server

DEFAULTS = {"shared_buffers": "128MB", "wal_level": "replica", "max_wal_senders": "10"}
"""What a server has that nobody tuned, where the one of the tests has less."""
POSTMASTER = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int"


class Postgres:
    """A running server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._session = Session(server.url)
        self._postmaster = int(self._session.value(POSTMASTER))
        self._numbers = itertools.count(1)

    @property
    def version(self) -> str:
        """As the server says it."""
        return str(self._session.value("SELECT current_setting('server_version')")).split()[0]

    @contextmanager
    def database(self, folder: Path) -> Iterator[None]:
        """An empty database that belongs to ``folder``, dropped again; nobody pays for what the one before left to be written."""
        name = f"bench_{next(self._numbers)}"
        self._session.run(f"CREATE DATABASE {name}")
        self._session.run("CHECKPOINT")
        Database(self._server.url.rpartition("/")[0] + f"/{name}", self._postmaster).belong_to(folder)
        try:
            yield
        finally:
            self._session.run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """End the connection to it."""
        self._session.close()


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server, and stop it again. Raises LookupError with the cure when there is no PostgreSQL here."""
    with _in_folder_of_runs():
        server = Server(durable=True, settings=DEFAULTS)
        server.start()
    try:
        found = Postgres(server)
        yield found
        found.close()
    finally:
        server.stop()


@contextmanager
def _in_folder_of_runs() -> Iterator[None]:
    """Let temporary folders be made where everything else of a run is, unless the other user, as whom root runs a server, cannot go there."""
    FOLDER.mkdir(exist_ok=True)
    before = tempfile.tempdir
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in (FOLDER, *FOLDER.parents)):
        tempfile.tempdir = str(FOLDER)
    try:
        yield
    finally:
        tempfile.tempdir = before
