"""Fixtures for the tests of those who use Prinia. It is loaded by every pytest of an environment, so it imports the queue in fixtures only."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from queue_core.app import App
    from queue_core.clock import HandWoundClock


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings, and the option of the suite that is published for stores."""
    parser.addini("prinia_app", "The App that the fixture prinia_app puts on a store in memory, as module:name.", default="")
    parser.addini("prinia_store", "The store that queue_core.conformance tests, as --prinia-store.", default="")
    parser.addoption(
        "--prinia-store", metavar="URL", help="The store that `pytest --pyargs queue_core.conformance` tests: a URL, or module:function."
    )


@pytest.fixture
def prinia_clock() -> "HandWoundClock":
    """The clock of ``prinia_app``: it moves when the test says so."""
    from queue_core.clock import HandWoundClock

    return HandWoundClock()


@pytest.fixture
def prinia_app(request: pytest.FixtureRequest, prinia_clock: "HandWoundClock") -> "Iterator[App]":
    """The app of the setting ``prinia_app``, on a fresh store in memory; without the setting an app without tasks."""
    from queue_core.app import App
    from queue_core.cli.load import load_app

    spec = request.config.getini("prinia_app")
    app = load_app(spec) if spec else App("memory://")
    with app.stored_in("memory://", clock=prinia_clock):
        yield app


@pytest.fixture
def prinia_eager(prinia_app: "App") -> "Iterator[App]":
    """``prinia_app``, of which each push returns when everything that is due has run; it raises what a task raised."""
    from queue_core.testing import eager

    with eager(prinia_app):
        yield prinia_app
