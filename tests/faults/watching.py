"""Somebody who watches the board's pages in real event streams, and remembers everything that they showed."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import httpx2

from board import Board
from queue_core.expose import connect
from tests.served import BoardServer

PATIENCE = 20.0


class Watcher:
    """One open page: the text of each patch, oldest first."""

    def __init__(self, url: str, view: str) -> None:
        self._address = f"{url}/live?view={quote(view, safe='')}"
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"watching {view}", daemon=True)
        self.patches: list[str] = []
        self.trouble: Exception | None = None

    def start(self) -> None:
        """Open the page, and wait until it shows something."""
        self._thread.start()
        assert self._begun.wait(PATIENCE), f"{self._address} showed nothing: {self.trouble}"

    def join(self) -> None:
        """Wait for the end of the stream, which the end of its server brings."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"{self._address} did not end."
        assert self.trouble is None, self.trouble

    def _read(self) -> None:
        try:
            with httpx2.stream("GET", self._address, timeout=PATIENCE) as answer:
                answer.raise_for_status()
                for patch in _patches(answer.iter_lines()):
                    self.patches.append(patch)
                    self._begun.set()
        except Exception as error:
            self.trouble = error

    def numbers(self, pattern: str) -> list[int]:
        """The number that ``pattern`` finds in each patch that has one, in the order in which they were shown."""
        found = (re.search(pattern, patch) for patch in tuple(self.patches))
        return [int(match[1].replace(",", "")) for match in found if match]

    def showed(self, pattern: str) -> bool:
        """Whether some patch showed it."""
        return any(re.search(pattern, patch) for patch in tuple(self.patches))


def _patches(lines: Iterator[str]) -> Iterator[str]:
    """The data of each event, in one line, without what is between its fragments."""
    data: list[str] = []
    for line in lines:
        if line.startswith("data: "):
            data.append(line.removeprefix("data: ").strip())
        elif not line and data:
            yield " ".join(data)
            data = []


@contextmanager
def watched(url: str, *views: str) -> Iterator[list[Watcher]]:
    """A real board over the store at ``url``, and a watcher of each view."""
    with BoardServer(Board(connect(url).expose)) as server:
        watchers = [Watcher(server.url, view) for view in views]
        for watcher in watchers:
            watcher.start()
        yield watchers
    for watcher in watchers:
        watcher.join()
