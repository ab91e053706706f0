"""Text can be read in both themes: at least 4.5 to 1, marks and edges of controls at least 3 to 1."""

import pytest

from tests.markup.colours import contrast, tokens
from tests.markup.sources import ROOT

TOKENS = tokens((ROOT / "static" / "css" / "tokens.css").read_text())
SURFACES = ("page", "card", "sunken", "raised", "hover", "picked", "rail")
STATES = ("pending", "scheduled", "queued", "running", "done", "failed", "killed")
TEXT = [
    *((ink, surface) for ink in ("ink", "ink-soft", "ink-faint", "accent") for surface in SURFACES),
    *((state, surface) for state in STATES for surface in ("card", "hover", "picked", "page", f"{state}-tint")),
    *(("ink", f"{state}-tint") for state in STATES),
    *(("accent", f"{state}-tint") for state in ("failed", "killed", "done")),
    ("accent-strong", "accent-tint"),
    ("on-accent", "accent-fill"),
    ("on-danger", "danger-fill"),
]
MARKS = [
    *((f"{state}-fill", "card") for state in ("running", "killed", "queued")),
    ("line-strong", "raised"),
    ("focus", "page"),
    ("focus", "card"),
    ("focus", "rail"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "surface"), TEXT)
def test_text_stands_out_from_what_is_behind_it(ink: str, surface: str, theme: str) -> None:
    assert _contrast(ink, surface, theme) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("mark", "surface"), MARKS)
def test_marks_stand_out_from_what_is_behind_them(mark: str, surface: str, theme: str) -> None:
    assert _contrast(mark, surface, theme) >= 3


def _contrast(ink: str, surface: str, theme: str) -> float:
    side = ("light", "dark").index(theme)
    return contrast(TOKENS[f"--color-{ink}"][side], TOKENS[f"--color-{surface}"][side])
