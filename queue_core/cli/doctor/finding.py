"""What an examination found."""

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
