"""A store composed from functions: what waits is kept by whatever they speak to, and everything else by a ledger in this process."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from queue_core.backends.custom.backend import CustomBackend
from queue_core.backends.custom.expose import CustomExpose
from queue_core.backends.custom.ledger import Ledger
from queue_core.backends.custom.source import Acknowledge, ClaimNew, GiveBack, PushNew, Source
from queue_core.backends.memory.backend import CAPABILITIES as IN_MEMORY
from queue_core.backends.memory.session import Session
from queue_core.codec import CODECS, Codec
from queue_core.errors import InvalidValue, not_negative
from queue_core.expose import Connected


def custom_backend(
    *,
    push: PushNew | None = None,
    claim: ClaimNew | None = None,
    ack: Acknowledge | None = None,
    release: GiveBack | None = None,
    persistent: bool = False,
    poll: float = 1.0,
    lookahead: int = 1_000,
    ledger: Ledger | None = None,
    kind: str = "Custom",
    location: str = "custom://",
    codecs: Mapping[str, Codec] = CODECS,
) -> Connected:
    """Both contracts of a store over any place that tasks can be put into and taken out of, as a queue of another system.

    Two functions are needed, plain or async. ``push(tasks)`` puts new tasks there, all or none. ``claim(queues, limit)`` takes out at most
    ``limit`` tasks of these queues and returns them; nobody else may get them meanwhile. Two more are told what became of them: ``ack(tasks)`` of
    tasks that reached a final state, at least once each; ``release(tasks)`` of tasks that were taken out and did not finish when the last event
    loop closes the store: they go back. Without ``release`` they wait here, for as long as the process lives.

    All else is kept in ``ledger``, in the memory of this process: leases, heartbeats, attempts, pauses between them, keys, results, numbers,
    schedules and what people do. So there is one process for workers and board, and after its end the store tells nothing of what came before;
    ``persistent`` says whether what waits survives it. Due times and priorities hold among the ``lookahead`` tasks that are taken out before
    they can start. Every ``poll`` seconds it is looked whether others put tasks there; what this process pushes, its schedules and retries
    included, is seen at once.

    An OSError of a function, as ConnectionError and TimeoutError are, is a StoreUnavailable: the worker waits and tries again. Whatever else one
    raises is a PriniaError that names it. Raises InvalidValue when a needed function is missing, or cannot be called like that.

    >>> from collections import deque
    >>> waiting = deque()
    >>> store = custom_backend(
    ...     push=waiting.extend,
    ...     claim=lambda queues, limit: [waiting.popleft() for _ in range(min(limit, len(waiting)))],
    ... )
    >>> store.backend.capabilities.cross_process
    False
    """
    _check(push, "push(tasks)", "puts new tasks where they wait")
    _check(claim, "claim(queues, limit)", "takes tasks out and returns them")
    if ack is not None:
        _check(ack, "ack(tasks)", "hears which tasks have ended")
    if release is not None:
        _check(release, "release(tasks)", "takes tasks back")
    assert push is not None
    assert claim is not None
    if not_negative("poll", poll) == 0:
        raise InvalidValue("poll must be more than 0 seconds, got 0.")
    if not isinstance(lookahead, int) or lookahead < 0:
        raise InvalidValue(f"lookahead must be a number of tasks, zero or more, got {lookahead!r}.")
    session = Session(ledger if ledger is not None else Ledger(), location)
    source = Source(session, push, claim, ack, release, lookahead=lookahead)
    can = replace(IN_MEMORY, persistent=persistent)
    return Connected(CustomBackend(session, source, can, poll=poll), CustomExpose(session, codecs, can, source, kind))


def _check(function: Any, signature: str, does: str) -> None:
    name, _, given = signature.removesuffix(")").partition("(")
    if not callable(function):
        raise InvalidValue(f"custom_backend needs {name}=, a function {signature} that {does}; got {function!r}.")
    try:
        inspect.signature(function).bind(*given.split(", "))
    except TypeError as error:
        raise InvalidValue(f"The function {name} of a store is called as {signature}, and {function!r} cannot be: {error}.") from error
    except ValueError:
        pass  # it is written in C, and says nothing of its parameters


__all__ = ["Ledger", "custom_backend"]
