"""What the host decides about a board."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from starlette.requests import Request

from board.screen import Redact
from queue_core.expose import Action, InvalidValue

Authorize = Callable[[Request, Action], bool | Awaitable[bool]]
"""Whether the sender of a request may do this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """As given to ``Board``. Raises InvalidValue for a hook that cannot be called."""

    title: str = "Prinia"
    environment: str | None = None
    read_only: bool = False
    authorize: Authorize | None = None
    redact: Redact | None = None
    time_limit: float = 10.0
    """Seconds that the questions of one page may take together."""

    def __post_init__(self) -> None:
        for name, hook, form in (("authorize", self.authorize, "authorize(request, action)"), ("redact", self.redact, "redact(task_name, value)")):
            if hook is not None and not callable(hook):
                raise InvalidValue(f"{name} must be a function, called as {form}, or None; got {hook!r}.")


def _installed() -> str:
    try:
        return version("prinia")
    except PackageNotFoundError:
        return "unknown"


VERSION: Final = _installed()
