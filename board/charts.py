"""Numbers to the shapes of small charts, so that templates only place them."""

from collections.abc import Iterator, Sequence
from datetime import UTC
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final

from board.contexts import Bar, Chart, Percentiles, Segment, Spark, Tick
from board.filters import count
from queue_core.expose import Bucket, Histogram, percentile

FULL: Final = 100.0
"""Bars and ticks are placed in percent, so that templates only write them down."""
GAP: Final = 0.28
LOWEST: Final = 0.625
"""A bar that is not empty is at least as high."""
SPARK_WIDTH: Final = 120.0
SPARK_HEIGHT: Final = 28.0
TICK_EVERY: Final = 10
LAST_TICK: Final = 90.0
"""Further right the label of a tick would leave the chart."""


def throughput(buckets: Sequence[Bucket]) -> Chart:
    """A bar a bucket, stacked done, failed, killed; the last one is not over yet."""
    top = _nice_top(max((_finished(bucket) for bucket in buckets), default=0))
    step = FULL / max(len(buckets), 1)
    return Chart(
        bars=tuple(_bar(bucket, place * step, step, top, bucket is buckets[-1]) for place, bucket in enumerate(buckets)),
        ticks=tuple(_ticks(buckets, step)),
        top=top,
        summary=_in_words(buckets),
        empty=not any(_finished(bucket) for bucket in buckets),
    )


def spark(buckets: Sequence[Bucket]) -> Spark:
    """Finished attempts a bucket as a line, failures as a second one."""
    top = max((_finished(bucket) for bucket in buckets), default=0)
    line = _path([_finished(bucket) for bucket in buckets], top)
    bad = [bucket.failed + bucket.killed for bucket in buckets]
    return Spark(
        width=SPARK_WIDTH,
        height=SPARK_HEIGHT,
        line=line,
        area=f"{line} L{SPARK_WIDTH:g} {SPARK_HEIGHT:g} L0 {SPARK_HEIGHT:g} Z" if line else "",
        failures=_peaks(bad, top),
        summary=_in_words(buckets),
        empty=top == 0,
    )


def percentiles(histogram: Histogram) -> Percentiles:
    """The three that people ask for."""
    return Percentiles(
        p50=percentile(histogram, 0.5), p95=percentile(histogram, 0.95), p99=percentile(histogram, 0.99), count=sum(histogram.values())
    )


def _finished(bucket: Bucket) -> int:
    return bucket.done + bucket.failed + bucket.killed


def _nice_top(highest: int) -> int:
    """The next number of the form 1, 2, 5 × 10ⁿ: steady while the numbers move."""
    size = 1
    while size * 10 < highest:
        size *= 10
    return next(size * step for step in (1, 2, 5, 10) if size * step >= highest)


def _bar(bucket: Bucket, x: float, step: float, top: int, partial: bool) -> Bar:
    at = bucket.start.astimezone(UTC).strftime("%H:%M")
    return Bar(
        x=round(x + GAP / 2, 3),
        width=round(step - GAP, 3),
        segments=tuple(_segments(bucket, top)),
        title=f"{at} · {count(bucket.done)} done, {count(bucket.failed)} failed, {count(bucket.killed)} killed",
        partial=partial,
    )


def _segments(bucket: Bucket, top: int) -> list[Segment]:
    segments, y = [], FULL
    for tone, number in (("done", bucket.done), ("failed", bucket.failed), ("killed", bucket.killed)):
        if number:
            height = max(number / top * FULL, LOWEST)
            y -= height
            segments.append(Segment(tone=tone, y=round(y, 3), height=round(height, 3)))
    return segments


def _ticks(buckets: Sequence[Bucket], step: float) -> Iterator[Tick]:
    for place, bucket in enumerate(buckets):
        if bucket.start.minute % TICK_EVERY == 0 and (x := round(place * step, 3)) <= LAST_TICK:
            yield Tick(x=x, label=bucket.start.astimezone(UTC).strftime("%H:%M"))


def _path(numbers: Sequence[int], top: int) -> str:
    """``M0 28 L2 14 …``; empty when there is nothing to draw."""
    return _line(_points(numbers, top)) if top and len(numbers) > 1 else ""


def _peaks(numbers: Sequence[int], top: int) -> str:
    """The same, only where there is something: from the point before to the point after."""
    if len(numbers) < 2:
        return ""
    beside = [any(numbers[max(place - 1, 0) : place + 2]) for place in range(len(numbers))]
    runs = groupby(zip(_points(numbers, top), beside, strict=True), key=itemgetter(1))
    return " ".join(_line([point for point, _ in run]) for is_beside, run in runs if is_beside)


def _points(numbers: Sequence[int], top: int) -> list[str]:
    step, room = SPARK_WIDTH / (len(numbers) - 1), SPARK_HEIGHT - 2
    return [f"{place * step:.4g} {SPARK_HEIGHT - 1 - number / max(top, 1) * room:.4g}" for place, number in enumerate(numbers)]


def _line(points: Sequence[str]) -> str:
    """A path through the points, without those that a straight line passes anyway."""
    kept = [
        points[0],
        *(here for (before, here), after in zip(pairwise(points), points[2:], strict=False) if not _level(before, here, after)),
        points[-1],
    ]
    return "M" + " L".join(kept)


def _level(before: str, here: str, after: str) -> bool:
    """Whether a point lies on a level line between its neighbours and adds nothing."""
    heights = {point.partition(" ")[2] for point in (before, here, after)}
    return len(heights) == 1


def _in_words(buckets: Sequence[Bucket]) -> str:
    done, failed, killed = (sum(getattr(bucket, name) for bucket in buckets) for name in ("done", "failed", "killed"))
    return f"In the last hour: {count(done)} done, {count(failed)} failed attempts, {count(killed)} killed."
