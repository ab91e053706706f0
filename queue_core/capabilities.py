"""What a store can do, and which parts of the contracts it keeps."""

from dataclasses import dataclass
from typing import Final, Literal

from queue_core.errors import InvalidValue

Part = Literal["schedules", "logs", "limits", "checkpoints", "updates", "key_rules"]
"""A part of the contracts that a store may lack."""
PARTS: Final[tuple[Part, ...]] = ("schedules", "logs", "limits", "checkpoints", "updates", "key_rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a store can do. Callers ask here and never for a backend by name.

    From ``schedules`` on they are parts of the contracts that a store may lack, and lacks unless it says otherwise: then the methods of the part
    are never called, so they need not be there; who asks for the part is told so by InvalidValue, a worker before it claims anything; the board
    does not show it; and the conformance suite skips its tests.

    >>> can = Capabilities(persistent=True, cross_process=False, schedules=True)
    >>> can.has("schedules"), can.has("logs")
    (True, False)
    """

    persistent: bool
    """Tasks survive the end of the process."""
    cross_process: bool
    """Other processes can share the store."""
    transactions: tuple[str, ...] = ()
    """Kinds of connection whose transaction ``push_in`` can join, as ``sqlite3``."""
    schedules: bool = False
    """Schedules are stored and fired: ``declare_schedules``, ``due_schedules``, ``fire``, ``schedule_wakeups``; ``list_schedules``,
    ``fetch_schedule`` and the actions on them."""
    logs: bool = False
    """What handlers log is kept: ``log``; ``list_logs``."""
    limits: bool = False
    """Limits of queues and groups hold: ``declare``, and what ``claim`` says of limits; ``room``. Without them the group of a task says nothing."""
    checkpoints: bool = False
    """What a run keeps for the next attempt is stored: ``checkpoint``."""
    updates: bool = False
    """Waiting tasks can be changed: ``Manage.update``."""
    key_rules: bool = False
    """Keys may be free again, and pushes debounced: ``unique`` and ``debounce`` of a NewTask. Without them a key belongs to its task for ever."""

    def has(self, part: Part) -> bool:
        """Whether the store keeps a part."""
        return bool(getattr(self, part))

    def require(self, part: Part, asked: str, cure: str) -> None:
        """Raise InvalidValue unless the store keeps ``part``. ``asked`` says who asks for what, ``cure`` what to do instead.

        >>> can = Capabilities(persistent=True, cross_process=True)
        >>> can.require("logs", "capture_logs is 'INFO'", "Leave it out.")
        Traceback (most recent call last):
        InvalidValue: capture_logs is 'INFO', and the store has no logs. Leave it out. Or choose a store that has them, as sqlite:///tasks.db.
        """
        if not self.has(part):
            noun = part.replace("_", " ")
            raise InvalidValue(f"{asked}, and the store has no {noun}. {cure} Or choose a store that has them, as sqlite:///tasks.db.")
