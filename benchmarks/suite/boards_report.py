"""The board's numbers as tables: a row for each number, a column for each size."""

from collections.abc import Iterator

from suite import plan
from suite.plan import BoardMeasurement
from suite.results import Run
from suite.stats import median
from suite.words import number

Row = tuple[str, ...]


def lines(run: Run) -> Iterator[str]:
    """For the terminal."""
    for measurement, rows in _tables(run):
        yield f"\n{measurement.title}"
        widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
        for title, *cells in rows:
            yield f"  {title:<{widths[0]}}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        yield from (f"  {error}" for error in _errors(run, measurement))


def markdown(run: Run) -> Iterator[str]:
    """For README.md."""
    for measurement, rows in _tables(run):
        yield f"**{measurement.title}**"
        yield ""
        for index, row in enumerate(rows):
            yield "| " + " | ".join(row) + " |"
            if index == 0:
                yield "|---|" + "---:|" * (len(row) - 1)
        yield ""
        yield from (f"- {error}" for error in _errors(run, measurement))


def _tables(run: Run) -> Iterator[tuple[BoardMeasurement, list[Row]]]:
    for measurement in plan.BOARD:
        if run.of(measurement.name, measurement.contender):
            yield measurement, list(_rows(run, measurement))


def _rows(run: Run, measurement: BoardMeasurement) -> Iterator[Row]:
    results = run.of(measurement.name, measurement.contender)
    sizes = list(dict.fromkeys(result.size for result in results))
    yield measurement.column, *(f"{size:,}" for size in sizes), "last ÷ first", "goal"
    for metric in dict.fromkeys(name for result in results for name in result.numbers):
        medians = [_median(run, measurement, metric, size) for size in sizes]
        yield metric, *("–" if value is None else number(value) for value in medians), _ratio(medians), _goal(measurement, metric, medians)


def _median(run: Run, measurement: BoardMeasurement, metric: str, size: int) -> float | None:
    values = run.values(measurement.name, measurement.contender, metric, size)
    return median(values) if values else None


def _ratio(medians: list[float | None]) -> str:
    first, last = medians[0], medians[-1]
    return f"{last / first:.2g}" if first and last and len(medians) > 1 else ""


def _goal(measurement: BoardMeasurement, metric: str, medians: list[float | None]) -> str:
    goal = measurement.goal(metric)
    if goal is None or medians[-1] is None:
        return ""
    return f"≤ {number(goal)}: {'met' if medians[-1] <= goal else 'MISSED'}"


def _errors(run: Run, measurement: BoardMeasurement) -> Iterator[str]:
    for result in run.of(measurement.name, measurement.contender):
        if result.error:
            yield f"FAILED at {result.size:,}: {result.error}"
