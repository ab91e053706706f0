"""Which store the suite runs on: the one that ``--prinia-store`` or the setting ``prinia_store`` names."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from queue_core.conformance.fixtures import MARKER, _parts, another, clock, connected

HOW = "Say which store to test: --prinia-store URL, where {folder} stands for an empty folder, or module:function from that folder to a URL."


def pytest_configure(config: pytest.Config) -> None:
    """Let tests be plain async functions, whatever the settings of whoever runs them. Raises UsageError where no store is named."""
    config.option.asyncio_mode = "auto"
    config.addinivalue_line("markers", MARKER)
    if not _named(config):
        raise pytest.UsageError(HOW)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store of this test is; whoever connects to it again reaches the same tasks."""
    given = _named(request.config)
    if "://" in given:
        return given.replace("{folder}", str(tmp_path))
    module, _, function = given.partition(":")
    factory: Any = getattr(importlib.import_module(module), function)
    return str(factory(tmp_path))


def _named(config: pytest.Config) -> str:
    return str(config.getoption("--prinia-store") or config.getini("prinia_store"))


__all__ = ["_parts", "another", "clock", "connected", "url"]
