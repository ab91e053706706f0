"""A task: as it is pushed, as it is stored, and as a worker holds it."""

import enum
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

from queue_core.backoff import Retry
from queue_core.errors import InvalidValue, not_negative
from queue_core.ids import BootId, QueueName, TaskId, new_task_id, new_task_ids
from queue_core.status import KillReason, Status

DEFAULT_QUEUE: Final = QueueName("default")
DEFAULT_MAX_ATTEMPTS: Final = 5
MAX_CRASHES: Final = 3
"""How many workers may die under a task before it is Killed as ``crashed``."""
MAX_NAME: Final = 200
MAX_ARGS: Final = 16 * 1024 * 1024
MAX_CHECKPOINT: Final = 1024 * 1024
"""How many bytes a checkpoint may take."""
ARGS_HEAD: Final = 200
"""How many bytes of its arguments a task's summary holds."""
MAX_PERIOD: Final = 100 * 365 * 86_400
"""Seconds that the rules of a key may speak of at most."""
PRIORITY_RANGE: Final = range(-32_768, 32_768)
Unique = Literal["ever", "live"] | float
"""For how long a key belongs to its task: as long as it is stored, until it has ended, or so many seconds from its push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """What a producer pushes. Checked when it is made; raises InvalidValue with the rule that was broken.

    ``run_at`` (aware) or ``run_after`` (seconds from the store's now) delay it, not both. ``priority``: higher
    first. ``max_attempts``: how often its handler may start. ``timeout``: seconds that one attempt may
    take. ``key``: a second push with the same key in the same queue stores nothing and returns the first task.
    ``unique``: for how long that holds: ``"ever"`` (as long as the first is stored), ``"live"`` (until it is Done or Killed), or a
    number of seconds from its push, whatever has become of it. ``debounce``: seconds; while the task with the same key has not started, the
    push puts its arguments in the place of the old ones and lets it wait so long from now, at most ``debounce_max`` seconds from its first
    push. Without an earlier one, or once that has started, a new task waits so long.
    ``group``: whose tasks share the limits that its queue has for each group, as those of one customer.
    ``expires_at``: Killed ``expired`` if it has not started by then. ``retry``: its own pause between
    attempts, instead of its handler's. ``tags`` and ``metadata`` are for people and middleware.

    >>> task = NewTask(name="index", args=b'{"page": 7}', key="page-7", debounce=5, debounce_max=60)
    >>> task.run_after
    5.0
    """

    name: str
    args: bytes
    codec: str = "json"
    queue: QueueName = DEFAULT_QUEUE
    id: TaskId = field(default_factory=new_task_id)
    run_at: datetime | None = None
    run_after: float | None = None
    priority: int = 0
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    timeout: float | None = None
    retry: Retry | None = None
    key: str | None = None
    unique: Unique = "ever"
    debounce: float | None = None
    debounce_max: float | None = None
    group: str | None = None
    expires_at: datetime | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parent: TaskId | None = None

    def __post_init__(self) -> None:
        check_name("queue", self.queue)
        check_name("task name", self.name)
        check_name("id", self.id)
        self._check_size()
        if self.run_at is not None and self.run_after is not None:
            raise InvalidValue("run_at and run_after were both given; pass one of them.")
        check_aware("run_at", self.run_at)
        check_aware("expires_at", self.expires_at)
        if self.run_after is not None:
            not_negative("run_after", self.run_after)
        check_timeout(self.timeout)
        check_max_attempts(self.max_attempts)
        check_priority(self.priority)
        if self.retry is not None:
            check_retry(self.retry)
        if self.key is not None:
            check_name("key", self.key)
        if self.unique != "ever" or self.debounce is not None or self.debounce_max is not None:
            self._check_rules()
        if self.group is not None:
            check_name("group", self.group)
        check_tags(self.tags)
        check_metadata(self.metadata)

    def _check_rules(self) -> None:
        """What the rules of a key demand. A debounced task waits for its debounce."""
        if self.key is None:
            raise InvalidValue('unique and debounce are about a key, and none was given. Pass one, as key="page-7".')
        check_unique(self.unique)
        if self.debounce is None:
            if self.debounce_max is not None:
                raise InvalidValue(f"debounce_max limits a debounce, and none was given; got {self.debounce_max!r}. Pass debounce= too.")
            return
        if self.unique != "ever":
            raise InvalidValue(f"debounce decides itself when a key is free, so unique must be left out, got {self.unique!r}.")
        if self.run_at is not None or self.run_after not in {None, self.debounce}:
            raise InvalidValue("A debounced task is due when its debounce is over; leave run_at and run_after out.")
        check_period("debounce", self.debounce)
        if self.debounce_max is not None and check_period("debounce_max", self.debounce_max) < self.debounce:
            raise InvalidValue(f"debounce_max must be at least the debounce of {self.debounce:g} seconds, got {self.debounce_max:g}.")
        object.__setattr__(self, "run_after", float(self.debounce))

    @property
    def is_ruled(self) -> bool:
        """Whether its key has rules beyond "ever", or it is one of a group: what a store looks at for each task apart."""
        return self.group is not None or self.unique != "ever" or self.debounce is not None

    def again(self, arguments: Sequence[bytes]) -> list["NewTask"]:
        """The same with each of ``arguments`` and fresh ids. Far faster than making them, because only what differs is checked."""
        shared = list(zip(_SHARED_SETTERS, _shared(self), strict=True))
        return [self._copy(shared, args, id) for args, id in zip(arguments, new_task_ids(len(arguments)), strict=True)]

    def _copy(self, shared: Sequence[tuple[Callable[..., None], Any]], args: bytes, id: TaskId) -> "NewTask":
        copy = object.__new__(NewTask)
        for set_field, value in shared:
            set_field(copy, value)
        _set_args(copy, args)
        _set_id(copy, id)
        copy._check_size()
        return copy

    def _check_size(self) -> None:
        if len(self.args) > MAX_ARGS:
            check_args(self.args, self.name)


class Keep(enum.Enum):
    """The value of what a TaskChange leaves as it is."""

    KEEP = "as it is"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """What becomes different about a waiting task; what is left out stays as it is. Raises InvalidValue for a value that breaks a rule.

    The fields mean what they mean in NewTask. ``args`` come with their ``codec``. ``max_attempts`` is raised where needed so that one attempt
    is left. None for ``timeout``, ``retry`` or ``expires_at`` takes it away.

    >>> TaskChange(priority=10, tags=("vip",)).priority
    10
    """

    args: bytes | Keep = KEEP
    codec: str | Keep = KEEP
    run_at: datetime | Keep = KEEP
    priority: int | Keep = KEEP
    max_attempts: int | Keep = KEEP
    timeout: float | Keep | None = KEEP
    retry: Retry | Keep | None = KEEP
    expires_at: datetime | Keep | None = KEEP
    tags: tuple[str, ...] | Keep = KEEP
    metadata: Mapping[str, Any] | Keep = KEEP

    def __post_init__(self) -> None:
        if (self.args is KEEP) != (self.codec is KEEP):
            raise InvalidValue("args and codec must be changed together, so that the arguments can be read.")
        for name, value in self.given().items():
            if (check := _CHECKS.get(name)) is not None:
                check(value)

    def given(self) -> dict[str, Any]:
        """What it changes, by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not KEEP}


_SETTERS: Final[Mapping[str, Callable[..., None]]] = {each.name: getattr(NewTask, each.name).__set__ for each in fields(NewTask)}
_SHARED: Final = tuple(name for name in _SETTERS if name not in {"args", "id"})
_shared: Final[Callable[[NewTask], tuple[Any, ...]]] = attrgetter(*_SHARED)
_SHARED_SETTERS: Final = tuple(_SETTERS[name] for name in _SHARED)
_set_args, _set_id = _SETTERS["args"], _SETTERS["id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """A stored task with no more of its payload than the beginning of its arguments: what lists show. All times are aware and in UTC."""

    id: TaskId
    seq: int
    """Its place in the order of pushing, which is the order of lists."""
    queue: QueueName
    name: str
    status: Status
    reason: KillReason | None = None
    priority: int = 0
    created_at: datetime
    run_at: datetime
    """When it is, or was, due."""
    attempts: int = 0
    """How many attempts have started."""
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    crashes: int = 0
    """How many workers died while they held it."""
    worker: str | None = None
    """Name of the worker that holds it, or held it last."""
    boot: BootId | None = None
    """The process life of that worker."""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    """When its last attempt started."""
    done_at: datetime | None = None
    """When it reached its final state."""
    ran_for: float | None = None
    """Seconds that its last finished attempt took."""
    kill_requested_at: datetime | None = None
    """When its kill was asked for, while a worker ran it."""
    progress: float | None = None
    """0 to 1, as last reported by its handler."""
    progress_note: str | None = None
    error: str | None = None
    """One line about its last failure, as ``ValueError: …``; None after a success."""
    tags: tuple[str, ...] = ()
    codec: str = "json"
    """The codec of its arguments and its result."""
    args_head: bytes = b""
    """The first ``ARGS_HEAD`` bytes of its arguments, as stored."""

    def is_scheduled(self, now: datetime) -> bool:
        """Whether it waits for a time that has not come."""
        return self.status is Status.PENDING and self.run_at > now


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(TaskSummary):
    """A stored task, whole.

    >>> handle = await greet.using(tags=["vip"], metadata={"source": "import"}).push("Ada")
    >>> task = await handle.fetch()
    >>> task.name, task.queue, task.tags, task.metadata, task.args
    ('greet', 'email', ('vip',), {'source': 'import'}, b'{"name":"Ada"}')
    """

    args: bytes
    result: bytes | None = None
    """What its handler returned, encoded by ``codec``."""
    timeout: float | None = None
    retry: Retry | None = None
    key: str | None = None
    group: str | None = None
    expires_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parent: TaskId | None = None
    checkpoint: bytes | None = None
    """From where its next attempt goes on, encoded by ``codec``; a Done task has none."""


class Pushed:
    """What a push stored. ``created`` is False when a task with the same key was there already: then ``task`` is that one.

    ``task`` may be given as a function that puts it together: it is called when somebody asks, which after a bulk push few do.
    """

    __slots__ = ("_task", "created")

    def __init__(self, *, task: Task | Callable[[], Task], created: bool = True) -> None:
        self._task = task
        self.created = created

    @property
    def task(self) -> Task:
        """The task as it was stored."""
        if not isinstance(self._task, Task):
            self._task = self._task()
        return self._task


class Lease(NamedTuple):
    """The right to write on behalf of one attempt. Every such write carries it; a stale one changes nothing.

    A named tuple, as are Claim and Ack: thousands a second are made, and a frozen dataclass takes four times as long to make.
    """

    id: TaskId
    boot: BootId
    token: int
    """Counts the claims, rescues and kills of this task, so no two holders ever share one."""


class Claim(NamedTuple):
    """A task as a worker holds it: what running it needs, and nothing more."""

    lease: Lease
    queue: QueueName
    name: str
    args: bytes
    codec: str
    attempt: int
    """Number of the attempt that this claim is for: 1 for the first."""
    max_attempts: int
    priority: int
    run_at: datetime
    created_at: datetime
    timeout: float | None
    retry: Retry | None
    metadata: Mapping[str, Any]
    started: bool
    """Whether the claim started it already (Running), or it waits for ``start`` (Queued)."""
    crashes: int = 0
    """How many workers died while they held it."""
    checkpoint: bytes | None = None
    """What an earlier attempt stored last, to go on from; encoded by ``codec``."""
    group: str | None = None
    """Whose limits it shares."""

    @property
    def id(self) -> TaskId:
        """The task's id."""
        return self.lease.id


class AttemptOutcome(enum.StrEnum):
    """How one attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    ABORTED = "aborted"
    DEFERRED = "deferred"
    KILLED = "killed"
    CRASHED = "crashed"
    """Its worker died, or lost its lease."""
    RELEASED = "released"
    """Its worker stopped and gave it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """What a person needs to know about an error."""

    type: str
    """Qualified name of its class."""
    message: str
    traceback: str = ""

    @property
    def line(self) -> str:
        """One line: class and the first line of the message."""
        first = self.message.strip().partition("\n")[0]
        return f"{self.type.rpartition('.')[2]}: {first}"[:500] if first else self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One finished or running attempt of a task, as history keeps it."""

    task_id: TaskId
    number: int
    """1 for the first. A deferred attempt gives its number back, so a number can appear twice."""
    worker: str | None
    started_at: datetime | None
    finished_at: datetime | None
    ran_for: float | None
    """Seconds."""
    outcome: AttemptOutcome | None
    """None while it runs."""
    error: ErrorInfo | None = None


def check_name(what: str, name: object) -> None:
    """Raise InvalidValue unless ``name`` is printable text of 1 to 200 characters."""
    if not isinstance(name, str):
        raise InvalidValue(f"{what} must be text, got {type(name).__name__}.")
    if not name.strip():
        raise InvalidValue(f"{what} must not be blank.")
    if len(name) > MAX_NAME:
        raise InvalidValue(f"{what} must have at most {MAX_NAME} characters, got {len(name)}: {name[:40]!r}….")
    if name.isprintable():
        return
    kinds = {unicodedata.category(letter) for letter in name}
    if "Cs" in kinds:
        raise InvalidValue(f"{what} must not contain half of a character (a lone surrogate), got {name!r}. Decode the text anew, or leave it out.")
    if "Cc" in kinds:
        raise InvalidValue(f"{what} must not contain control characters, got {name!r}.")


def check_args(args: bytes, name: str = "the task") -> None:
    """Raise InvalidValue for more arguments than are stored."""
    if len(args) > MAX_ARGS:
        raise InvalidValue(
            f"The arguments of {name} take {len(args):,} bytes; at most {MAX_ARGS:,} are stored. Store the data elsewhere and pass its address."
        )


def check_aware(what: str, moment: datetime | None) -> None:
    """Raise InvalidValue unless ``moment`` is None or knows its time zone."""
    if moment is None:
        return
    if not isinstance(moment, datetime):
        raise InvalidValue(f"{what} must be a datetime, got {type(moment).__name__}.")
    if moment.tzinfo is None:
        raise InvalidValue(f"{what} must know its time zone, got the naive {moment.isoformat()}. Pass datetime.now(UTC) + … or add tzinfo=.")
    try:
        moment.astimezone(UTC)
    except (OverflowError, ValueError):
        raise InvalidValue(f"{what} is outside the years 1 to 9999 in UTC, got {moment.isoformat()}.") from None


def check_timeout(timeout: float | None) -> None:
    """Raise InvalidValue unless ``timeout`` is None or a number of seconds above zero."""
    if timeout is None:
        return
    if not_negative("timeout", timeout) == 0:
        raise InvalidValue("timeout must be more than 0 seconds, got 0. Leave it out for no limit.")


def check_max_attempts(max_attempts: int) -> None:
    """Raise InvalidValue unless ``max_attempts`` is a whole number from 1 to 32,767."""
    if not _is_int(max_attempts) or not 1 <= max_attempts <= 32_767:
        raise InvalidValue(f"max_attempts must be a whole number from 1 to 32767, got {max_attempts!r}.")


def check_priority(priority: int) -> None:
    """Raise InvalidValue unless ``priority`` is a whole number from -32,768 to 32,767."""
    if not _is_int(priority) or priority not in PRIORITY_RANGE:
        raise InvalidValue(f"priority must be a whole number from {PRIORITY_RANGE.start} to {PRIORITY_RANGE.stop - 1}, got {priority!r}.")


def check_checkpoint(data: bytes | None) -> None:
    """Raise InvalidValue for more bytes than a checkpoint may take."""
    if data is not None and len(data) > MAX_CHECKPOINT:
        raise InvalidValue(f"A checkpoint may take {MAX_CHECKPOINT:,} bytes, got {len(data):,}. Store the data elsewhere and keep its address.")


def check_retry(retry: object) -> None:
    """Raise InvalidValue unless ``retry`` is a Retry."""
    if not isinstance(retry, Retry):
        raise InvalidValue(f"retry must be a Retry, as Retry(min=1, max=300), got {retry!r}. How often to try is max_attempts.")


def check_unique(unique: object) -> None:
    """Raise InvalidValue unless ``unique`` is ``"ever"``, ``"live"`` or a number of seconds above zero."""
    if isinstance(unique, str) and unique not in {"ever", "live"}:
        raise InvalidValue(f'unique must be "ever", "live" or a number of seconds, got {unique!r}.')
    if not isinstance(unique, str):
        check_period("unique", unique)


def check_period(what: str, seconds: object) -> float:
    """``seconds``; raise InvalidValue unless it is a number above zero, and no more than 100 years."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MAX_PERIOD:
        raise InvalidValue(f"{what} must be a number of seconds above zero, and at most 100 years, got {seconds!r}.")
    return float(seconds)


def check_tags(tags: Sequence[str]) -> None:
    """Raise InvalidValue unless each of ``tags`` is a name."""
    for tag in tags:
        check_name("tag", tag)


def check_metadata(metadata: object) -> None:
    """Raise InvalidValue unless ``metadata`` is a mapping."""
    if not isinstance(metadata, Mapping):
        raise InvalidValue(f'metadata must be a mapping, as {{"source": "import"}}, got {metadata!r}.')


def _check_due(moment: datetime) -> None:
    check_aware("run_at", moment)
    if moment is None:
        raise InvalidValue("run_at must be a time, got None. A task is always due at some time.")


_CHECKS: Final[Mapping[str, Callable[[Any], None]]] = {
    "args": check_args,
    "codec": lambda codec: check_name("codec", codec),
    "run_at": _check_due,
    "priority": check_priority,
    "max_attempts": check_max_attempts,
    "timeout": check_timeout,
    "retry": lambda retry: None if retry is None else check_retry(retry),
    "expires_at": lambda moment: check_aware("expires_at", moment),
    "tags": check_tags,
    "metadata": check_metadata,
}
"""What each value of a TaskChange must be."""


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
