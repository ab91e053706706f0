"""Tries again within one attempt."""

import asyncio
from dataclasses import KW_ONLY, dataclass
from itertools import count
from typing import Any, Final

from queue_core.backoff import Retry
from queue_core.errors import InvalidValue, RetryAfterError, not_negative, verdict_of
from queue_core.middleware import Call, Next
from queue_core.middleware.failures import Failures, check_failures, is_failure
from queue_core.task import check_retry

RETRIES: Final = "retries"
"""The key of a task's metadata that says how many retries it gets: ``greet.using(metadata={"retries": 5})``."""
SOON: Final = Retry(min=0.1, max=10.0)
"""The pauses between tries, where nobody says otherwise: shorter than those of the store, because a slot waits too."""


@dataclass(frozen=True, slots=True)
class Retries:
    """Runs a handler again that failed, up to ``times`` more: ``Retries(3)`` makes at most four runs.

    To the store all of them are one attempt: the task stays Running, nobody else can take it, and only what the last try raised is kept.
    So that the limits add up and do not multiply, this happens in a task's first attempt only; later ones, which the store makes after its
    own pauses, run once each. ``every_attempt=True`` makes them multiply.

    ``retry``: the pauses. ``when``: which failures another try may mend, as an exception type, a tuple of them, or a function of the
    error. ``longest``: seconds that it waits for a RetryAfterError; one with a longer delay passes, and the store waits. An AbortError and
    a DeferredError pass always. There is no further try when the time limit of the attempt would be over first, when the run is ended,
    when the worker stops, and while the thread of the try before cannot be stopped.

    A task may have its own number, in its metadata under ``retries``. Raises InvalidValue for settings that break a rule.

    >>> Retries(3, retry=Retry(min=0.5, max=2), when=ConnectionError).times
    3
    """

    times: int
    _: KW_ONLY
    retry: Retry = SOON
    when: Failures = Exception
    longest: float = 10.0
    every_attempt: bool = False

    def __post_init__(self) -> None:
        _check_times("times", self.times)
        check_retry(self.retry)
        check_failures(self.when)
        not_negative("longest", self.longest)

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows until it succeeds, or no further try is due."""
        times = self._times(call)
        for tried in count(1):
            try:
                return await next(call)
            except Exception as error:
                if tried > times or not await self._waited(call, error, tried):
                    raise

    def _times(self, call: Call) -> int:
        if call.context.attempt > 1 and not self.every_attempt:
            return 0
        return _check_times(f"the {RETRIES} in the metadata of {call.context.name}", call.context.metadata.get(RETRIES, self.times))

    async def _waited(self, call: Call, error: Exception, tried: int) -> bool:
        """Wait until the next try is due. Whether there is one."""
        pause = self._pause(error, tried)
        if pause is None or not call.repeatable or (call.remaining is not None and pause >= call.remaining):
            return False
        await asyncio.sleep(pause)
        return call.repeatable

    def _pause(self, error: Exception, tried: int) -> float | None:
        """Seconds until the next try; None if there should be none."""
        match verdict_of(error):
            case None:
                return self.retry.delay(tried) if is_failure(error, self.when) else None
            case RetryAfterError() as verdict:
                return verdict.delay if verdict.delay <= self.longest else None
            case _:
                return None


def _check_times(what: str, times: Any) -> int:
    if isinstance(times, bool) or not isinstance(times, int) or times < 0:
        raise InvalidValue(f"{what} must be a whole number, zero or more, got {times!r}.")
    return times
