"""The scripts: small modules that enhance data attributes, and may be served joined."""

import collections
import re
from pathlib import Path

import pytest

from tests.markup.sources import ROOT, SCRIPTS, name

APP = ROOT / "static" / "js" / "app.js"
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) (?:\{([^}]*)\}|(\w+))", re.M)
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=name)


@each_script
def test_modules_are_short(script: Path) -> None:
    assert len(script.read_text().splitlines()) <= 120


@each_script
def test_nothing_needs_eval_or_inline_handlers(script: Path) -> None:
    assert not re.search(r"\beval\(|new Function|setAttribute\(\"on|\.on\w+ =|\.style\b", script.read_text())


@each_script
def test_no_id_is_hard_coded(script: Path) -> None:
    assert not re.search(r"getElementById\([\"']|querySelector(?:All)?\([\"']#", script.read_text())


def test_joined_modules_have_no_name_twice() -> None:
    modules = _listed()
    names = collections.Counter(found for module in modules for found in _names(module.read_text()))
    assert [found for found, times in names.items() if times > 1] == []


def test_app_js_lists_every_module_after_those_it_imports() -> None:
    modules = [module.name for module in _listed()]
    assert sorted(modules) == [script.name for script in SCRIPTS if script.name not in {"app.js", "theme.js"}]
    for position, module in enumerate(modules):
        imported = re.findall(r'from "\./([\w-]+\.js)"', (APP.parent / module).read_text())
        assert set(imported) <= set(modules[:position]), module


def _listed() -> list[Path]:
    return [APP.parent / module for module in re.findall(r'^import "\./([\w-]+\.js)";$', APP.read_text(), re.M)]


def _names(text: str) -> list[str]:
    return [one.strip() for several, single in TOP_LEVEL.findall(text) for one in (several.split(",") if several else [single])]
