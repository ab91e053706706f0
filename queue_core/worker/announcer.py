"""Tells listeners what happens in a worker. A listener's error harms nobody else."""

import logging
from collections.abc import Callable

from queue_core.events import Event

Listener = Callable[[Event], object]
_log = logging.getLogger("prinia.worker")


class Announcer:
    """Passes events to listeners, in order, on the event loop."""

    def __init__(self, listeners: tuple[Listener, ...] = ()) -> None:
        self._listeners = list(listeners)

    def __bool__(self) -> bool:
        """Whether anybody listens; without, no event needs to be made."""
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        """Tell ``listener`` of everything from now on."""
        self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """Tell ``listener`` nothing more."""
        self._listeners.remove(listener)

    def say(self, event: Event) -> None:
        """Tell everybody."""
        for listener in list(self._listeners):
            try:
                listener(event)
            except BaseException:  # even SystemExit of a listener must not keep a task from its ack
                _log.exception("The event listener %r failed at %s; the worker goes on.", listener, type(event).__name__)
