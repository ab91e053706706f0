"""What is measured on PostgreSQL, with whom, how large, and what the goal is."""

from suite.plan import PUSHES, Better, Contest, Entrant, Goal, Measurement, Metric

OURS = "prinia_postgres"
UVLOOP = f"{OURS}:uvloop"
RAW = "raw_postgres"
LONG = ("drain_aged", "drain_pinned")


def ours(goal: float) -> tuple[tuple[str, Goal], ...]:
    """A plain goal for us here."""
    return ((OURS, Goal(goal)),)


ENTRANTS = (
    Entrant(OURS),
    Entrant(UVLOOP, skips=(*PUSHES, "idle", *LONG)),
    Entrant(RAW, skips=("latency", "idle", *LONG)),
    Entrant("pgqueuer", "pgqueuer"),
    Entrant("oban", "oban"),
    Entrant("chancy", "chancy"),
    Entrant("procrastinate", "procrastinate"),
    Entrant("saq", "saq"),
)

MEASUREMENTS = (
    Measurement(
        name="push_one",
        title="Push, one caller, each stored before the next",
        size=2_000,
        quick=50,
        metrics=(Metric(name="tasks/s", goals=((OURS, Goal(0.8, RAW)),)),),
    ),
    Measurement(
        name="push_callers",
        title="Push, 100 callers in one process",
        size=10_000,
        quick=200,
        metrics=(Metric(name="tasks/s", goals=ours(40_000)),),
    ),
    Measurement(
        name="push_bulk",
        title="Push 10,000 in one call",
        size=10_000,
        quick=500,
        metrics=(Metric(name="tasks/s", goals=ours(80_000)),),
    ),
    Measurement(
        name="drain",
        title="Drain 10,000 no-op tasks, one worker process (slow peers fewer), results kept where they can be",
        size=10_000,
        quick=100,
        metrics=(
            Metric(name="tasks/s", goals=ours(20_000)),
            Metric(name="worker CPU µs/task", better=Better.LOWER),
            Metric(name="server CPU µs/task", better=Better.LOWER),
        ),
    ),
    Measurement(
        name="drain_crew",
        title="Drain 20,000 no-op tasks, four worker processes (slow peers fewer)",
        size=20_000,
        quick=200,
        metrics=(Metric(name="tasks/s", goals=ours(25_000)),),
    ),
    Measurement(
        name="drain_aged",
        title="Drain 10,000 in an empty table, then among 1,000,000 finished ones (slow peers fewer)",
        size=1_000_000,
        quick=2_000,
        once=True,
        metrics=(
            Metric(name="tasks/s in an empty table"),
            Metric(name="tasks/s among finished ones"),
            Metric(name="among finished ÷ empty", goals=ours(0.8)),
        ),
    ),
    Measurement(
        name="drain_pinned",
        title="Drain 10,000 six times over in one table while another session holds a snapshot (slow peers fewer)",
        size=10_000,
        quick=100,
        once=True,
        metrics=(
            Metric(name="tasks/s in the first two rounds"),
            Metric(name="tasks/s in the last two"),
            Metric(name="last ÷ first", goals=ours(0.8)),
        ),
    ),
    Measurement(
        name="latency",
        title="Push to handler start in another process, 50 a second",
        size=200,
        quick=20,
        metrics=(
            Metric(name="p50 ms", better=Better.LOWER, goals=ours(3)),
            Metric(name="p99 ms", better=Better.LOWER, goals=ours(10)),
        ),
    ),
    Measurement(
        name="latency_inside",
        title="Push to handler start in the same process, 50 a second",
        size=200,
        quick=20,
        ours_only=True,
        metrics=(
            Metric(name="p50 ms", better=Better.LOWER, goals=ours(3)),
            Metric(name="p99 ms", better=Better.LOWER, goals=ours(10)),
        ),
    ),
    Measurement(
        name="idle",
        title="A worker with nothing to do, and the first task after that",
        size=6,
        quick=1,
        metrics=(
            Metric(name="CPU % of a core", better=Better.LOWER, goals=ours(1)),
            Metric(name="server CPU % of a core", better=Better.LOWER),
            Metric(name="first after idle ms", better=Better.LOWER, goals=ours(15)),
            Metric(name="RSS MiB", better=Better.LOWER),
        ),
    ),
)

POSTGRES = Contest(
    name="postgres",
    title="On PostgreSQL",
    ours=(OURS, UVLOOP),
    entrants=ENTRANTS,
    measurements=MEASUREMENTS,
    has_server=True,
)
