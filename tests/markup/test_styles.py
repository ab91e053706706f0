"""The style sheets: tokens, layers, one component a file."""

import re
from pathlib import Path

import pytest

from tests.markup.sources import ROOT, STYLES, name

APP = ROOT / "static" / "css" / "app.css"
each_style = pytest.mark.parametrize("style", STYLES, ids=name)


@each_style
def test_raw_colours_are_tokens(style: Path) -> None:
    raw = re.findall(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl|oklch|oklab|lab|lch)a?\(", style.read_text())
    assert style.name == "tokens.css" or not raw


@each_style
def test_nothing_is_loaded_from_elsewhere(style: Path) -> None:
    assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@font-face", style.read_text())


@each_style
def test_every_token_that_is_used_is_defined(style: Path) -> None:
    defined = set(re.findall(r"(--[\w-]+):", "".join(path.read_text() for path in STYLES)))
    assert set(re.findall(r"var\((--[\w-]+)", style.read_text())) <= defined


def test_app_css_lists_every_file_once() -> None:
    listed = re.findall(r'@import url\("([\w-]+\.css)"\) layer\(\w+\);', APP.read_text())
    assert sorted(listed) == [style.name for style in STYLES if style != APP]


def test_files_are_short() -> None:
    assert all(len(style.read_text().splitlines()) <= 120 for style in STYLES)
