"""Counting the questions that a board asks and the templates that it renders, readable by the measuring process."""

import inspect
import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2

NUMBERS = struct.Struct("QQ")


class Tally:
    """Two numbers that one process counts and another reads."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(NUMBERS.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    def read(self) -> tuple[int, int]:
        """Questions and renderings so far."""
        questions, renderings = NUMBERS.unpack_from(self._memory)
        return questions, renderings

    def question(self) -> None:
        """Count a question."""
        questions, renderings = self.read()
        NUMBERS.pack_into(self._memory, 0, questions + 1, renderings)

    def rendering(self) -> None:
        """Count a rendering."""
        questions, renderings = self.read()
        NUMBERS.pack_into(self._memory, 0, questions, renderings + 1)


class CountedStore:
    """An ``Expose`` whose questions are counted."""

    def __init__(self, store: Any, tally: Tally) -> None:
        self._store = store
        self._tally = tally

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._store, name)
        return self._counted(attribute) if inspect.iscoroutinefunction(attribute) else attribute

    def _counted(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self._tally.question()
            return ask(*args, **kwargs)

        return counted


def count_renderings(tally: Tally) -> None:
    """From now on count every rendering of a template in this process."""
    render = jinja2.Template.render

    def counted(self: jinja2.Template, *args: Any, **kwargs: Any) -> str:
        tally.rendering()
        return render(self, *args, **kwargs)

    jinja2.Template.render = counted  # type: ignore[method-assign]
