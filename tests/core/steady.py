"""How property tests run: the same examples everywhere, without a clock."""

from hypothesis import settings

steady = settings(max_examples=200, derandomize=True, deadline=None, database=None)
