"""Templates show and never decide; nothing in them needs more than the strict content security policy allows."""

import re
import statistics
from pathlib import Path

import pytest

from tests.markup.sources import ROOT, TAG, TEMPLATES, name, without_jinja

each_template = pytest.mark.parametrize("template", TEMPLATES, ids=name)


@each_template
def test_no_script_or_style_is_inline(template: Path) -> None:
    text = without_jinja(template.read_text())
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text), "scripts are files"
    for tag in TAG.findall(text):
        assert not re.search(r"\s(style|on[a-z]+)=", tag), tag


@each_template
def test_nothing_is_marked_safe(template: Path) -> None:
    assert not re.search(r"\|\s*safe|autoescape", template.read_text())


@each_template
def test_nothing_is_loaded_from_elsewhere(template: Path) -> None:
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", template.read_text())


@each_template
def test_every_table_has_a_caption_and_every_header_a_scope(template: Path) -> None:
    text = without_jinja(template.read_text())
    assert len(re.findall(r"<table\b", text)) == len(re.findall(r"<table\b[^>]*>\s*<caption\b", text))
    assert all("scope=" in tag for tag in re.findall(r"<th\b[^>]*>", text))


@each_template
def test_every_icon_is_hidden_from_screen_readers_or_named(template: Path) -> None:
    for tag in re.findall(r"<svg\b[^>]*>", without_jinja(template.read_text())):
        assert "aria-hidden" in tag or "aria-label" in tag, tag


@each_template
def test_every_button_says_what_kind_it_is_or_sends_a_dialog(template: Path) -> None:
    text = without_jinja(template.read_text())
    for tag in re.findall(r"<button\b[^>]*>", re.sub(r'<form[^>]*method="dialog".*?</form>', "", text, flags=re.S)):
        assert "type=" in tag, tag


def test_every_icon_that_is_named_is_in_the_sprite() -> None:
    drawn = set(re.findall(r'id="i-([\w-]+)"', (ROOT / "templates" / "layouts" / "icons.html").read_text()))
    used = {icon for template in TEMPLATES for icon in re.findall(r'icon\("([\w-]+)"', template.read_text())}
    assert used <= drawn


def test_templates_are_short() -> None:
    lengths = [len(template.read_text().splitlines()) for template in TEMPLATES if template.name != "icons.html"]
    assert statistics.median(lengths) <= 25
    assert max(lengths) <= 45
