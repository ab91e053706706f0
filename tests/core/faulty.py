"""A store that fails when it is told to."""

from collections.abc import Callable
from typing import Any

from queue_core.errors import StoreUnavailable


class FaultyBackend:
    """Passes every call to a real backend, unless ``fail`` objects to it."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.fail: Callable[[str], Exception | None] = lambda verb: None
        self.failed: list[str] = []

    def break_down(self, *verbs: str) -> None:
        """From now on, ``verbs`` (none named: all) raise StoreUnavailable."""
        self.fail = lambda verb: StoreUnavailable(f"no {verb} now") if not verbs or verb in verbs else None

    def recover(self) -> None:
        self.fail = lambda verb: None

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._backend, verb)
        if verb == "heartbeat":
            return self._beat
        if verb in {"wakeups", "schedule_wakeups", "wait_for", "capabilities"}:
            return real

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._check(verb)
            return await real(*args, **kwargs)

        return call

    def _beat(self, beat: Any) -> Any:
        self._check("heartbeat")
        return self._backend.heartbeat(beat)

    def _check(self, verb: str) -> None:
        error = self.fail(verb)
        if error is not None:
            self.failed.append(verb)
            raise error
