"""Programs that run tasks take the fastest event loop that is installed."""

import asyncio
import importlib.util
import sys

import pytest

from queue_core.cli import loop


async def kind() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def ran_on() -> str:
    seen: list[str] = []

    async def program() -> None:
        seen.append(await kind())

    loop.run(program())
    return seen[0]


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist there")
def test_uvloop_is_used_where_it_is_installed() -> None:
    assert (loop.name(), ran_on()) == ("uvloop", "uvloop")


def test_pythons_own_loop_is_used_where_uvloop_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert (loop.name(), ran_on()) == ("asyncio", "asyncio")


def test_what_the_program_raises_comes_out() -> None:
    async def program() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        loop.run(program())
