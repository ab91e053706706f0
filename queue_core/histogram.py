"""Durations in a fixed set of buckets, so that percentiles of any period are a sum of counts away."""

import bisect
from collections.abc import Mapping
from typing import Final

BOUNDS: Final = tuple(round(0.001 * 1.5**step, 6) for step in range(42))
"""Upper bound of each bucket in seconds: 1 ms, growing by half each time, to about 4.6 hours. A last bucket holds the rest."""

Histogram = Mapping[int, int]
"""Bucket number to how many durations fell into it."""


def bucket_of(seconds: float) -> int:
    """The number of the bucket that ``seconds`` belongs to."""
    return bisect.bisect_left(BOUNDS, seconds)


def merge(histograms: list[Histogram]) -> dict[int, int]:
    """The histogram of all durations together."""
    total: dict[int, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def percentile(histogram: Histogram, share: float) -> float | None:
    """The duration in seconds that ``share`` (0 to 1) of all stay within, to the bucket's accuracy; None when empty.

    >>> percentile({bucket_of(0.002): 99, bucket_of(9.0): 1}, 0.5)
    0.00225
    """
    total = sum(histogram.values())
    if not total:
        return None
    wanted, seen = share * total, 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= wanted:
            return BOUNDS[min(bucket, len(BOUNDS) - 1)]
    return BOUNDS[-1]
