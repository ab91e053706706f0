"""The board's numbers as tables."""

from collections.abc import Iterator

from suite.results import Run


def lines(run: Run) -> Iterator[str]:
    """For the terminal."""
    yield from ()


def markdown(run: Run) -> Iterator[str]:
    """For README.md."""
    yield from ()
