"""A run of the board's measurements: stores of several sizes, made once, then everything on them in turn."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from suite import plan
from suite.calls import fresh_folder, measure
from suite.results import Result


def results(*, quick: bool, rounds: int) -> Iterator[Result]:
    """Every measurement of the board."""
    sizes, times = (plan.QUICK_STORES, 5) if quick else (plan.STORES, 200)
    audiences = plan.QUICK_AUDIENCES if quick else plan.AUDIENCES
    with ExitStack() as stack:
        stores = {size: stack.enter_context(fresh_folder()) for size in sizes}
        for size, folder in stores.items():
            yield _result("fill", size, folder, size, 1)
        middle = stores[sizes[1]]
        for number in range(1, rounds + 1):
            for measurement in ("ask", "pages"):
                for size, folder in stores.items():
                    yield _result(measurement, size, folder, times, number)
            for viewers in audiences:
                yield _result("watch", viewers, middle, viewers, number)
            yield _result("pages_busy", sizes[1], middle, times, number)


def _result(measurement: str, shown_size: int, folder: Path, size: int, number: int) -> Result:
    return Result(
        measurement=measurement, size=shown_size, contender=plan.OURS, round=number, **measure(sys.executable, measurement, plan.OURS, folder, size)
    )
