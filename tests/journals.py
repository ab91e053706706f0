"""Whether the file of a store says what the store holds."""

import dataclasses
import enum
import shutil
from pathlib import Path
from typing import Any, Final

from queue_core.backends import jsonfile
from queue_core.backends.jsonfile.journal import Journal
from queue_core.backends.jsonfile.state import FileState

OF_THE_PROCESS: Final = {"clock", "now", "bells", "users"}
"""What a store in memory has beside what it holds."""


def check_file(path: Path) -> None:
    """What a process would read from the file now is what the one that has it open holds. A new table of the memory store is looked at too."""
    held = jsonfile._open[path.resolve()]
    copy = path.with_name("copy.jsonl")
    shutil.copy(path, copy)
    fresh = FileState(Journal(copy), held.clock)
    with fresh.opening():
        said, meant = holding(fresh), holding(held)
        assert said.keys() == meant.keys()
        for name, value in meant.items():
            assert said[name] == value, f"the file does not say what {name} holds"
    fresh.let_go()


def holding(state: FileState) -> dict[str, Any]:
    names = [name for name in vars(state) if name not in OF_THE_PROCESS and not name.startswith("_")]
    return {name: plain(getattr(state, name)) for name in [*names, "_audited"]} | {
        "last_seq": state.tasks.last_seq,
        "latest": plain(state.logs.latest),
    }


def plain(value: Any) -> Any:
    """A value that can be compared, whatever it is made of."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace")  # as a file holds it
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value), {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if hasattr(value, "__iter__") and not isinstance(value, str | bytes):
        return sorted((plain(each) for each in value), key=repr)
    if type(value).__module__.startswith("queue_core") and hasattr(value, "__dict__"):
        return plain(vars(value))
    return value
