"""A run of the board's measurements: stores of several sizes, made once, then everything on them in turn."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from suite import plan
from suite.calls import fresh_folder, measure
from suite.results import Result

FLEXIQ = "flexiq"


def results(*, quick: bool, rounds: int, flexiq_python: str | None) -> Iterator[Result]:
    """Every measurement of the board, and of FlexiQ's where that is installed."""
    sizes, times = (plan.QUICK_STORES, 5) if quick else (plan.STORES, 200)
    audiences = plan.QUICK_AUDIENCES if quick else plan.AUDIENCES
    with ExitStack() as stack:
        stores = {size: stack.enter_context(fresh_folder()) for size in sizes}
        theirs = {size: stack.enter_context(fresh_folder()) for size in sizes[:2] if flexiq_python}
        for size, folder in stores.items():
            yield _ours("fill", size, folder, size, 1)
        for size, folder in theirs.items():
            yield _flexiq(flexiq_python, "flexiq_fill", size, folder, size, 1)
        middle = stores[sizes[1]]
        yield _ours("first_load", sizes[1], middle, 1, 1)
        for number in range(1, rounds + 1):
            for size, folder in stores.items():
                yield _ours("ask", size, folder, times, number)
                yield _ours("pages", size, folder, times, number)
                if size in theirs:
                    yield _flexiq(flexiq_python, "flexiq_pages", size, theirs[size], times // 5, number)
            for viewers in audiences:
                yield _ours("watch", viewers, middle, viewers, number)
            yield _ours("pages_busy", sizes[1], middle, times, number)


def _ours(measurement: str, shown_size: int, folder: Path, size: int, number: int) -> Result:
    found = measure(sys.executable, measurement, plan.OURS, folder, size)
    return Result(measurement=measurement, size=shown_size, contender=plan.OURS, round=number, **found)


def _flexiq(python: str | None, measurement: str, shown_size: int, folder: Path, size: int, number: int) -> Result:
    found = measure(str(python), measurement, FLEXIQ, folder, size)
    return Result(measurement=measurement, size=shown_size, contender=FLEXIQ, round=number, **found)
