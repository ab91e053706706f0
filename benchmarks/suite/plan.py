"""What is measured, with whom, how large, and what the goal is."""

from dataclasses import dataclass
from enum import StrEnum

OURS = "prinia"
RAW = "raw"


class Better(StrEnum):
    """Which numbers are good."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Goal:
    """What our number should be: ``value``, or that share of the number of ``of`` measured in the same run."""

    value: float
    of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number that a measurement gives."""

    name: str
    better: Better = Better.HIGHER
    goals: tuple[tuple[str, Goal], ...] = ()
    """By contender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One function of ``suite.workloads``, ``suite.drains`` or ``contenders.prinia_only`` with its size."""

    name: str
    title: str
    size: int
    quick: int
    metrics: tuple[Metric, ...]
    ours_only: bool = False
    once: bool = False
    """Measured in the first round only, because it takes long."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender of a run: its name in ``contenders``, and the package that it needs, if it is a peer."""

    name: str
    package: str | None = None
    skips: tuple[str, ...] = ()
    """Measurements in which this setting says nothing new, or that it does not have."""

    @property
    def is_variant(self) -> bool:
        """Whether it is a second setting."""
        return ":" in self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The queues on one store, and what is measured of them."""

    name: str
    """The suite of a run that measures it."""
    title: str
    ours: tuple[str, ...]
    """Our settings; the first is the one that is compared."""
    entrants: tuple[Entrant, ...]
    measurements: tuple[Measurement, ...]
    has_server: bool = False

    def takes_part(self, entrant: Entrant, measurement: Measurement) -> bool:
        """Whether a contender is to be measured in this."""
        return entrant.name == self.ours[0] if measurement.ours_only else measurement.name not in entrant.skips


PUSHES = ("push_one", "push_callers", "push_bulk")
NORMAL = f"{OURS}:NORMAL"

ENTRANTS = (
    Entrant(OURS),
    Entrant(NORMAL, skips=("push_callers", "latency", "idle")),
    Entrant(f"{RAW}:FULL", skips=("push_callers", "latency", "idle")),
    Entrant(f"{RAW}:NORMAL", skips=("push_callers", "latency", "idle")),
    Entrant("litequeue", "litequeue"),
    Entrant("persistqueue", "persist-queue"),
    Entrant("huey", "huey"),
    Entrant("huey:fast", "huey", skips=PUSHES),
    Entrant("flexiq", "flexiq"),
    Entrant("flexiq:tuned", "flexiq", skips=PUSHES),
    Entrant("qler", "qler"),
    Entrant("honker", "honker"),
)


def ours(goal: float) -> tuple[tuple[str, Goal], ...]:
    """A plain goal for us."""
    return ((OURS, Goal(goal)),)


QUEUE = (
    Measurement(
        name="push_one",
        title="Push, one caller, each stored before the next",
        size=2_000,
        quick=100,
        metrics=(Metric(name="tasks/s", goals=((OURS, Goal(0.6, f"{RAW}:FULL")), (NORMAL, Goal(15_000)))),),
    ),
    Measurement(
        name="push_callers",
        title="Push, 100 callers in one process",
        size=10_000,
        quick=500,
        metrics=(Metric(name="tasks/s", goals=ours(60_000)),),
    ),
    Measurement(
        name="push_bulk",
        title="Push 10,000 in one call",
        size=10_000,
        quick=1_000,
        metrics=(Metric(name="tasks/s", goals=ours(100_000)),),
    ),
    Measurement(
        name="drain",
        title="Drain 10,000 no-op tasks, one worker process (slow peers fewer), results kept where they can be",
        size=10_000,
        quick=300,
        metrics=(Metric(name="tasks/s", goals=ours(20_000)), Metric(name="worker CPU µs/task", better=Better.LOWER)),
    ),
    Measurement(
        name="flat",
        title="Drain a backlog of 100,000: the first tenth against the last",
        size=100_000,
        quick=2_000,
        ours_only=True,
        metrics=(
            Metric(name="tasks/s with the backlog full", goals=ours(20_000)),
            Metric(name="tasks/s with it nearly empty"),
            Metric(name="full ÷ empty", goals=ours(0.9)),
        ),
    ),
    Measurement(
        name="watched",
        title="Drain 30,000 while 50 viewers look at the overview",
        size=30_000,
        quick=1_000,
        ours_only=True,
        metrics=(Metric(name="tasks/s alone"), Metric(name="tasks/s with 50 viewers"), Metric(name="watched ÷ alone", goals=ours(0.95))),
    ),
    Measurement(
        name="latency",
        title="Push to handler start in another process, 50 a second",
        size=200,
        quick=20,
        metrics=(
            Metric(name="p50 ms", better=Better.LOWER, goals=ours(5)),
            Metric(name="p99 ms", better=Better.LOWER, goals=ours(15)),
        ),
    ),
    Measurement(
        name="latency_inside",
        title="Push to handler start in the same process, 50 a second",
        size=200,
        quick=20,
        ours_only=True,
        metrics=(
            Metric(name="p50 ms", better=Better.LOWER, goals=ours(2)),
            Metric(name="p99 ms", better=Better.LOWER, goals=ours(10)),
        ),
    ),
    Measurement(
        name="idle",
        title="A worker with nothing to do, and the first task after that",
        size=10,
        quick=2,
        metrics=(
            Metric(name="CPU % of a core", better=Better.LOWER, goals=ours(1)),
            Metric(name="first after idle ms", better=Better.LOWER, goals=ours(15)),
            Metric(name="RSS MiB", better=Better.LOWER),
        ),
    ),
    Measurement(
        name="memory_slots",
        title="Memory of a worker with 100 slots, all taken",
        size=100,
        quick=100,
        ours_only=True,
        metrics=(Metric(name="RSS MiB", better=Better.LOWER, goals=ours(60)),),
    ),
    Measurement(
        name="memory_tasks",
        title="Memory of a worker over 1,000,000 tasks",
        size=1_000_000,
        quick=3_000,
        ours_only=True,
        once=True,
        metrics=(
            Metric(name="RSS MiB at a tenth", better=Better.LOWER),
            Metric(name="RSS MiB at the end", better=Better.LOWER, goals=ours(60)),
            Metric(name="growth MiB", better=Better.LOWER, goals=ours(5)),
        ),
    ),
    Measurement(
        name="start",
        title="Start: what the import adds to Python, and the whole of the help command",
        size=15,
        quick=3,
        ours_only=True,
        metrics=(
            Metric(name="import queue_core ms", better=Better.LOWER, goals=ours(120)),
            Metric(name="prinia --help ms", better=Better.LOWER, goals=ours(300)),
        ),
    ),
)

SQLITE = Contest(name="queue", title="On SQLite", ours=(OURS, NORMAL), entrants=ENTRANTS, measurements=QUEUE)

STORES = (1_000, 100_000, 1_000_000)
QUICK_STORES = (1_000, 10_000)
AUDIENCES = (1, 100, 1_000)
QUICK_AUDIENCES = (1, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardMeasurement:
    """One function of ``boards.measurements``; ``goals`` by the end of a number's name, all of them upper bounds."""

    name: str
    title: str
    column: str
    """What its sizes are."""
    contender: str = OURS
    goals: tuple[tuple[str, float], ...] = ()

    def goal(self, metric: str) -> float | None:
        """The upper bound for a number, if there is one."""
        return next((value for ending, value in self.goals if metric.endswith(ending)), None)


BOARD = (
    BoardMeasurement(name="fill", title="Making the stores of the measurements below", column="tasks stored", goals=(("seconds", 60),)),
    BoardMeasurement(
        name="ask",
        title="What the store takes for the questions behind a page",
        column="tasks stored",
        goals=(("counts, ms", 2), ("queues, ms", 2), ("page, ms", 3), ("state, ms", 3), ("minute, ms", 10), ("hour, ms", 10), ("day, ms", 10)),
    ),
    BoardMeasurement(name="pages", title="Full pages, request to last byte", column="tasks stored", goals=(("p50 ms", 8), ("p99 ms", 30))),
    BoardMeasurement(
        name="pages_busy",
        title="Full pages while 1,000 tasks a second are pushed and run",
        column="tasks stored before",
        goals=(("p50 ms", 8), ("p99 ms", 30)),
    ),
    BoardMeasurement(
        name="flexiq_pages",
        title="FlexiQ's dashboard: the JSON behind its pages, nothing shown yet, all jobs waiting, metrics empty",
        column="jobs stored",
        contender="flexiq",
    ),
    BoardMeasurement(
        name="first_load",
        title="The first load of the overview in a fresh browser",
        column="tasks stored",
        goals=(("requests", 8), ("KB compressed", 90)),
    ),
    BoardMeasurement(
        name="watch",
        title="Viewers of the overview, one change a second: push to arrival, and what it costs the server",
        column="viewers",
        goals=(("p99 ms", 500), ("CPU % of a core", 10), ("KiB a viewer", 60), ("shutdown s", 1)),
    ),
)
