"""Numbers as people read them."""


def number(value: float) -> str:
    """Three figures are all that a measurement is worth."""
    if abs(value) >= 1_000:
        return f"{round(value, 2 - len(str(int(abs(value)))) + 1):,.0f}"
    return f"{value:.3g}"
