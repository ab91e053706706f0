"""What people import: it is there, it is documented, and it is in the reference."""

import inspect
import types
from pathlib import Path

import pytest

import board
import queue_core
import queue_core.testing
from board.api.endpoints import ACTIONS, QUESTIONS
from queue_core.schemes import BUILT_IN
from tests.cli.commands import commands

REFERENCE = (Path(__file__).parent.parent / "docs" / "reference.md").read_text()
PUBLIC = [(module, name) for module in (queue_core, queue_core.testing, board) for name in module.__all__]


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_a_public_name_is_documented(module: types.ModuleType, name: str) -> None:
    thing = getattr(module, name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert inspect.getdoc(thing), f"{name} has no docstring"
    assert f"`{name}" in REFERENCE, f"docs/reference.md does not name {name}"


@pytest.mark.parametrize("module", [queue_core, board])
def test_public_names_are_sorted_and_unique(module: types.ModuleType) -> None:
    assert sorted(set(module.__all__)) == sorted(module.__all__)


@pytest.mark.parametrize("name", [name for name in queue_core.__all__ if inspect.isclass(getattr(queue_core, name))])
def test_public_methods_have_docstrings_and_types(name: str) -> None:
    for method_name, method in vars(getattr(queue_core, name)).items():
        if method_name.startswith("_") or not inspect.isfunction(method):
            continue
        assert inspect.getdoc(method), f"{name}.{method_name} has no docstring"
        assert "return" in method.__annotations__


@pytest.mark.parametrize("command", commands())
def test_a_command_is_in_the_reference(command: str) -> None:
    assert f"prinia {command}" in REFERENCE


@pytest.mark.parametrize("request_line", [*(f"GET {path}" for path, _ in QUESTIONS), *(f"{method} {path}" for method, path, _ in ACTIONS)])
def test_a_request_of_the_api_is_in_the_reference(request_line: str) -> None:
    assert f"`{request_line}`" in REFERENCE


@pytest.mark.parametrize("scheme", sorted(BUILT_IN))
def test_a_scheme_of_store_urls_is_in_the_reference(scheme: str) -> None:
    assert f"| `{scheme}://" in REFERENCE or scheme == "postgres"  # another spelling of postgresql
