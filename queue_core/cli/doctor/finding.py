"""What an examination found."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``cure`` is a sentence for when it is not well."""

    what: str
    says: str
    cure: str | None = None

    @property
    def well(self) -> bool:
        """Whether nothing needs to be done."""
        return self.cure is None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many due tasks of one name wait in one queue."""

    queue: str
    name: str
    tasks: int


@dataclass(frozen=True, slots=True)
class Examined:
    """What is to be said of a file or a server."""

    findings: Sequence[Finding]
    answers: bool = False
    """Whether the store in it can be opened without changing it, and answers questions."""
    waiting: Sequence[Waiting] = ()
