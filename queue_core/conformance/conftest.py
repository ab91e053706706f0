"""Which store the suite runs on: the one that ``--prinia-store`` or the setting ``prinia_store`` names."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from queue_core.conformance.fixtures import MARKER, _parts, another, clock, connected
from queue_core.schemes import factory_of

HOW = "Say which store to test: --prinia-store URL, where {folder} stands for an empty folder, or module:function from that folder to a URL."


def pytest_configure(config: pytest.Config) -> None:
    """Let tests be plain async functions, whatever the settings of whoever runs them. Raises UsageError where no store is named."""
    config.option.asyncio_mode = "auto"
    config.addinivalue_line("markers", MARKER)
    _check(_named(config))


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store of this test is; whoever connects to it again reaches the same tasks."""
    given = _named(request.config)
    if "://" in given:
        return given.replace("{folder}", str(tmp_path))
    return str(_function(given)(tmp_path))


def _check(given: str) -> None:
    """Raise UsageError for what names no store, once and before anything runs."""
    scheme, is_url, _ = given.partition("://")
    if not given:
        raise pytest.UsageError(HOW)
    if is_url and factory_of(scheme) is None:
        raise pytest.UsageError(
            f"No backend serves {scheme}:// here. Install the package that offers it, or give --prinia-store a module:function that registers it."
        )
    if not is_url and not callable(_function(given)):
        raise pytest.UsageError(f"--prinia-store {given} is no function. {HOW}")


def _function(given: str) -> Any:
    module, _, function = given.partition(":")
    try:
        return getattr(importlib.import_module(module), function, None)
    except (ImportError, ValueError) as error:
        raise pytest.UsageError(f"--prinia-store {given} names a module that cannot be imported: {error}. Install it, or set PYTHONPATH.") from error


def _named(config: pytest.Config) -> str:
    return str(config.getoption("--prinia-store") or config.getini("prinia_store"))


__all__ = ["_parts", "another", "clock", "connected", "url"]
