"""What docstrings show is true, and every public name shows something."""

import asyncio
import contextlib
import dataclasses
import doctest
import importlib
import inspect
import io
import sys
import traceback
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final

import pytest

import board
import queue_core
import queue_core.events
import queue_core.middleware
import queue_core.polling
import queue_core.testing
from queue_core import App, Monitor, TaskDefinition, TaskHandle, Worker
from tests.docstrings import Docstring, docstrings, home_of, names_of

DOCSTRINGS: Final = {(each.module, each.name): each for each in docstrings()}
EXAMPLES: Final = [each for each in DOCSTRINGS.values() if ">>> " in each.text]
PUBLIC: Final[list[ModuleType]] = [
    queue_core,
    queue_core.middleware,
    queue_core.polling,
    queue_core.testing,
    board,
]
NAMES: Final = sorted({home_of(module, name) for module in PUBLIC for name in names_of(module)})
METHODS: Final = sorted(
    (kind.__module__, f"{kind.__name__}.{name}")
    for kind in (App, Monitor, TaskDefinition, TaskHandle, Worker)
    for name, method in vars(kind).items()
    if not name.startswith("_") and inspect.isfunction(inspect.unwrap(method))
)
STANDARD: Final[tuple[Any, ...]] = (asyncio, contextlib, AsyncIterator, dataclasses.replace, datetime, timedelta)
FLAGS: Final = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("where", [*NAMES, *METHODS], ids=lambda where: ":".join(where))
def test_a_public_name_has_an_example(where: tuple[str, str]) -> None:
    docstring = DOCSTRINGS.get(where)
    assert docstring is not None, f"{where} has no docstring"
    assert ">>> " in docstring.text, f"{docstring} shows no example"


@pytest.mark.parametrize("docstring", EXAMPLES, ids=str)
def test_an_example_gives_what_it_says(docstring: Docstring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "displayhook", sys.__displayhook__)
    check(docstring)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (">>> 1 + 1\n3", "gave '2"),
        (">>> await asyncio.sleep(0, 2)\n3", "gave '2"),
        (">>> 1 / 0\nTraceback (most recent call last):\nValueError: no", "ZeroDivisionError"),
        (">>> 1 / 0", "ZeroDivisionError"),
        (">>> 1 + 1  # doctest: +SKIP\n3", "is skipped"),
    ],
)
def test_an_example_that_gives_something_else_is_found(text: str, wrong: str) -> None:
    with pytest.raises(AssertionError, match=wrong):
        check(Docstring("asyncio", "example", text))


def check(docstring: Docstring) -> None:
    """Run the examples of ``docstring`` in one event loop, where they may await. At hand are the public names and the events, those of their module,
    some of the standard library, and the ``app`` and ``greet`` of App's own example."""
    app = App("memory://")
    names = {name: getattr(module, name) for module in PUBLIC for name in names_of(module)} | vars(queue_core.events)
    names |= {thing.__name__: thing for thing in STANDARD} | {"Any": Any, "Annotated": Annotated, "app": app, "greet": greeting(app)}
    names |= vars(importlib.import_module(docstring.module)) | {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for example in doctest.DocTestParser().get_examples(docstring.text):
            assert doctest.SKIP not in example.options, (
                f"{docstring}: {example.source.strip()} is skipped, so it shows nothing that is known to be true"
            )
            given, raised = run(example, names, runner)
            if example.exc_msg is not None:
                assert doctest.OutputChecker().check_output(example.exc_msg, raised, FLAGS), f"{docstring}: {example.source}raised {raised!r}"
            else:
                assert not raised, f"{docstring}: {example.source}raised {raised!r}"
                assert doctest.OutputChecker().check_output(example.want, given, FLAGS), f"{docstring}: {example.source}gave {given!r}"


def greeting(app: App) -> TaskDefinition[[str], str]:
    """The task of the example of App."""

    @app.task(queue="email", max_attempts=3)
    async def greet(name: str) -> str:
        return f"Hello, {name}."

    return greet


def run(example: doctest.Example, names: dict[str, Any], runner: asyncio.Runner) -> tuple[str, str]:
    """What the example prints, and the last line about what it raises."""
    code = compile(example.source, "<example>", "single", PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            runner.run(_evaluated(code, names))
        except Exception as error:
            name, _, rest = "".join(traceback.format_exception_only(error)).partition(":")
            return said.getvalue(), f"{name.rpartition('.')[2]}:{rest}"
    return said.getvalue(), ""


async def _evaluated(code: Any, names: dict[str, Any]) -> None:
    value = eval(code, names)
    if inspect.isawaitable(value):
        await value
