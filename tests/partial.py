"""Stores in memory that lack parts of the contracts, and in which nobody may call what belongs to these."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from queue_core import register_backend
from queue_core.backends import memory
from queue_core.backends.memory.backend import CAPABILITIES
from queue_core.capabilities import PARTS, Capabilities
from queue_core.expose import Connected
from queue_core.task import NewTask, Pushed

METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "schedules": (
        "declare_schedules",
        "due_schedules",
        "fire",
        "schedule_wakeups",
        "list_schedules",
        "fetch_schedule",
        "pause_schedule",
        "resume_schedule",
        "run_schedule",
        "delete_schedule",
    ),
    "logs": ("log", "list_logs"),
    "limits": ("declare", "room"),
    "checkpoints": ("checkpoint",),
    "updates": ("update",),
    "key_rules": (),
}
ALL: Final = ",".join(PARTS)


class Partial:
    """One contract of a memory store, without what belongs to the parts that it lacks."""

    def __init__(self, whole: Any, capabilities: Capabilities) -> None:
        self.capabilities: Final = capabilities
        self._whole = whole
        self._gone = {method for part in PARTS if not capabilities.has(part) for method in METHODS[part]}

    async def push(self, tasks: Sequence[NewTask], **actor: Any) -> list[Pushed]:
        if not self.capabilities.limits:
            tasks = [replace(task, group=None) for task in tasks]
        if not self.capabilities.key_rules:
            assert all(task.unique == "ever" and task.debounce is None for task in tasks), "rules are asked for that the store lacks"
        pushed: list[Pushed] = await self._whole.push(tasks, **actor)
        return pushed

    def __getattr__(self, name: str) -> Any:
        assert name not in self._gone, f"{name} belongs to a part that the store lacks"
        return getattr(self._whole, name)


def connect(url: str, **options: Any) -> Connected:
    """The memory store that ``partial://PLACE?PARTS`` names, without these parts."""
    place, _, lacked = url.partition("://")[2].partition("?")
    whole = memory.connect(f"memory://{place}", **options)
    can = replace(CAPABILITIES, **dict.fromkeys(lacked.split(","), False))  # type: ignore[arg-type]  # they are names of parts
    return Connected(Partial(whole.backend, can), Partial(whole.expose, can))


def lacking(folder: object, lacked: str = ALL) -> str:
    """For ``--prinia-store``: a store that lacks all that can be lacked, or what is named."""
    register_backend("partial", connect)
    return f"partial://{folder}?{lacked}"


def without_updates(folder: object) -> str:
    """For ``--prinia-store``: a store whose tasks do not change."""
    return lacking(folder, "updates")
