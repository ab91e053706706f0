"""Stops starting runs that would only fail, and finds out by a few whether they succeed again."""

import threading
from asyncio import CancelledError
from collections import defaultdict
from collections.abc import Collection, Hashable
from enum import StrEnum
from math import ceil
from typing import Any, Final

from queue_core.clock import HandWoundClock
from queue_core.errors import AbortError, DeferredError, InvalidValue, RetryAfterError, verdict_of
from queue_core.inject import Ending
from queue_core.middleware import Call, Gate, Next
from queue_core.middleware.failures import Failures, check_failures, is_failure
from queue_core.middleware.sharing import Alarm, By, check_by, check_count, in_words, is_first_visit, key_of
from queue_core.task import check_period

SURPLUS: Final = 1.0
"""Seconds for which a run goes back that was claimed beside those that try a half-open circuit."""


class State(StrEnum):
    """What a circuit lets pass."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing."""
    HALF_OPEN = "half-open"
    """A few runs, which decide."""


class CircuitBreaker(Gate):
    """Opens after ``failure_threshold`` failures in a row; what would run then stays in the store.

    After ``recovery_timeout`` seconds it is half-open: ``half_open_max_calls`` runs may start, and when the share ``success_threshold`` of them
    has succeeded it is closed again; as soon as that cannot be reached any more, it is open for another ``recovery_timeout``. A success in
    between makes the count begin anew. Runs that began before the circuit changed have no say in what it does next.

    ``by``: which runs share a circuit, those of one name unless told otherwise; see Concurrency. ``when``: what is a failure, as an exception
    type, a tuple of them, or a function of the error; a run that is out of time is one as well. Anything else that is raised says neither,
    and so do AbortError, DeferredError, and the end of the worker.

    What was claimed although the circuit is open goes back until it is half-open, and no attempt is used; a run that comes again, because
    Retries is further out, fails with a RetryAfterError. ``clock``: a hand-wound one for tests. Raises InvalidValue for settings that break a
    rule.

    >>> CircuitBreaker(failure_threshold=3, recovery_timeout=30).state("send_mail").value
    'closed'
    """

    def __init__(
        self,
        *,
        failure_threshold: int = 5,
        recovery_timeout: float = 60.0,
        success_threshold: float = 0.5,
        half_open_max_calls: int = 3,
        by: By = "name",
        when: Failures = Exception,
        clock: HandWoundClock | None = None,
    ) -> None:
        check_count("failure_threshold", failure_threshold)
        check_count("half_open_max_calls", half_open_max_calls)
        check_by(by)
        check_failures(when)
        self._threshold, self._quota = failure_threshold, half_open_max_calls
        self._recovery = check_period("recovery_timeout", recovery_timeout)
        self._needed = ceil(round(_share(success_threshold) * half_open_max_calls, 9))
        self._by: By = by
        self._when = when
        self._lock = threading.Lock()
        self._circuits: defaultdict[Hashable, Circuit] = defaultdict(Circuit)
        self._alarm = Alarm(clock, self.changed)

    def state(self, key: Hashable = None) -> State:
        """The state of the circuit of ``key``: a name of tasks, or what ``by`` gives; None where there is one circuit only."""
        with self._lock:
            circuit = self._circuits.get(key)
            return State.CLOSED if circuit is None else self._seen(circuit).state

    def room(self) -> int | None:
        """How many may start, where there is one circuit over all."""
        if self._by is not None:
            return None
        with self._lock:
            circuit = self._seen(self._circuits[None])
            wait = self._wait(circuit)
        if wait:
            self._alarm.ring_in(wait)
        return {State.CLOSED: None, State.OPEN: 0, State.HALF_OPEN: self._quota - circuit.started}[circuit.state]

    def closed_names(self) -> Collection[str]:
        """The names whose circuits let nothing pass now."""
        if self._by != "name":
            return ()
        with self._lock:
            waits = {str(name): wait for name, circuit in self._circuits.items() if (wait := self._wait(self._seen(circuit))) is not None}
        if waits:
            self._alarm.ring_in(min(wait or self._recovery for wait in waits.values()))
        return waits.keys()

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows if the circuit lets it pass, and let the circuit know how it went."""
        key = key_of(call, self._by)
        turn = self._pass(call, key)
        try:
            result = await next(call)
        except BaseException as error:
            says = None
            try:
                says = self._says(call, error)
            finally:  # it asks ``when``, which is the user's code; whatever that does, this run is over
                self._heard(key, turn, says)
            raise
        self._heard(key, turn, True)
        return result

    def _pass(self, call: Call, key: Hashable) -> int:
        """The turn of the circuit in which this run begins. Raises DeferredError or RetryAfterError if it must not begin."""
        first = is_first_visit(call, self)
        with self._lock:
            circuit = self._seen(self._circuits[key])
            wait = self._wait(circuit)
            if wait is None:
                circuit.started += 1
                circuit.running += 1
                return circuit.turn
        said = f"The circuit{in_words(key)} is {circuit.state}."
        raise DeferredError(said, delay=wait or SURPLUS) if first else RetryAfterError(said, delay=wait or SURPLUS)

    def _says(self, call: Call, error: BaseException) -> bool | None:
        """Whether ``error`` speaks for the circuit (never) or against it (False); None if it says nothing about that."""
        if isinstance(error, CancelledError):
            return False if call.ending is Ending.TIMEOUT else None
        if not isinstance(error, Exception) or isinstance(verdict_of(error), AbortError | DeferredError):
            return None
        return False if is_failure(error, self._when) else None

    def _heard(self, key: Hashable, turn: int, good: bool | None) -> None:
        with self._lock:
            circuit = self._circuits[key]
            before = circuit.state
            circuit.running -= 1
            if circuit.turn == turn:
                circuit.count(good)
                self._decide(circuit)
            if circuit.is_as_new:
                del self._circuits[key]
        if before is State.HALF_OPEN:
            self.changed()

    def _decide(self, circuit: "Circuit") -> None:
        if circuit.state is State.CLOSED:
            if circuit.failures >= self._threshold:
                circuit.become(State.OPEN, self._alarm.now())
        elif circuit.successes >= self._needed:
            circuit.become(State.CLOSED, self._alarm.now())
        elif self._quota - circuit.failures < self._needed:
            circuit.become(State.OPEN, self._alarm.now())

    def _seen(self, circuit: "Circuit") -> "Circuit":
        """``circuit`` as it is now: an open one becomes half-open by the time alone."""
        if circuit.state is State.OPEN and self._alarm.now() >= circuit.since + self._recovery:
            circuit.become(State.HALF_OPEN, self._alarm.now())
        return circuit

    def _wait(self, circuit: "Circuit") -> float | None:
        """None if a run may begin now; else seconds until the circuit is half-open, and 0.0 if that is up to the runs that try it."""
        match circuit.state:
            case State.CLOSED:
                return None
            case State.OPEN:
                return circuit.since + self._recovery - self._alarm.now()
            case State.HALF_OPEN:
                return None if circuit.started < self._quota else 0.0


class Circuit:
    """What a breaker knows of the runs that share a circuit."""

    __slots__ = ("failures", "running", "since", "started", "state", "successes", "turn")

    def __init__(self) -> None:
        self.running = self.turn = 0
        self.become(State.CLOSED, 0.0)

    def become(self, state: State, now: float) -> None:
        """Change, and begin to count anew."""
        self.state = state
        self.since = now
        self.turn += 1
        self.started = self.failures = self.successes = 0

    def count(self, good: bool | None) -> None:
        """Take down how a run went that began in this turn."""
        if good is None:
            self.started -= 1
        elif not good:
            self.failures += 1
        elif self.state is State.CLOSED:
            self.failures = 0
        else:
            self.successes += 1

    @property
    def is_as_new(self) -> bool:
        """Whether nothing would be lost by forgetting it."""
        return self.state is State.CLOSED and not self.failures and not self.running


def _share(share: object) -> float:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise InvalidValue(f"success_threshold must be a share of the calls, above 0 and at most 1, got {share!r}.")
    return share
