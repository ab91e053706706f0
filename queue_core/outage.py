"""Saying in a log that something cannot be used, without filling it."""

import logging
import time
from typing import Final

REMIND_EVERY: Final = 60.0
"""Seconds between two reminders while it lasts."""


class Outage:
    """Warns when ``who`` cannot do ``what``, once and then once a minute, and says when it can again."""

    def __init__(self, log: logging.Logger, who: str, what: str) -> None:
        self._log, self._who, self._what = log, who, what
        self._since: float | None = None
        self._told = 0.0

    def failed(self, error: object) -> None:
        """It failed, because of ``error``."""
        now = time.monotonic()
        reason = str(error).strip().rstrip(".") or type(error).__name__
        if self._since is None:
            self._since = self._told = now
            self._log.warning("%s cannot %s, and tries again until it can: %s.", self._who, self._what, reason)
        elif now - self._told >= REMIND_EVERY:
            self._told = now
            self._log.warning("%s has not been able to %s for %d s, and tries again: %s.", self._who, self._what, now - self._since, reason)

    def worked(self) -> None:
        """It worked."""
        if self._since is not None:
            self._log.info("%s can %s again, after %.1f s.", self._who, self._what, time.monotonic() - self._since)
            self._since = None
