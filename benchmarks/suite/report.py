"""What a run found out, as tables for the terminal and for README.md."""

import json
from collections.abc import Iterator
from pathlib import Path

from suite import boards_report
from suite.plan import SQLITE, Better, Contest, Goal, Measurement, Metric
from suite.plan_postgres import POSTGRES
from suite.results import Run
from suite.stats import median
from suite.words import number

HERE = Path(__file__).parents[1]
README = HERE / "README.md"
RESULTS = HERE / "results.json"
CONTESTS = (SQLITE, POSTGRES)
PARTS = {"all": ("queue", "postgres", "board"), "peers": ("queue",)}
"""What a suite measures, where that is not itself."""
BEGIN, END = "<!-- results: written by run.py --write -->", "<!-- end of results -->"


# --- the terminal ----------------------------------------------------------------------------------------


def show(run: Run) -> None:
    """Print every measurement: ours, the goal, and theirs with the ratio."""
    print("\n" + "\n".join(_heading(run)))
    for contest in CONTESTS:
        for measurement in contest.measurements:
            if _present(run, contest, measurement):
                print("\n".join(_section(run, contest, measurement)))
    print("\n".join(boards_report.lines(run)))


def _heading(run: Run) -> Iterator[str]:
    machine = run.machine
    yield f"Prinia {machine.commit}, {machine.when}: {machine.processor}, {machine.cores} cores, {machine.system}"
    yield f"Python {machine.python}, {_stores(run)}; load before: {machine.load}; {run.rounds} round(s)"
    if run.peers:
        yield f"Peers on Python {run.peers_python}: " + ", ".join(f"{name} {version}" for name, version in run.peers.items())
    for name, why in run.missing.items():
        yield f"NOT MEASURED: {name} could not be installed: {why}"
    if run.quick:
        yield "QUICK RUN: sizes too small to mean anything; it only shows that everything works."


def _section(run: Run, contest: Contest, measurement: Measurement) -> Iterator[str]:
    yield f"\n{contest.title}: {measurement.title}"
    for metric in measurement.metrics:
        yield f"  {metric.name:<32} {'median':>12}   {'min to max':<26} we are"
        for contender in _present(run, contest, measurement):
            yield f"    {_row(run, contest, measurement, metric, contender)}"


def _row(run: Run, contest: Contest, measurement: Measurement, metric: Metric, contender: str) -> str:
    values, label = run.values(measurement.name, contender, metric.name), _label(run, contender)
    if not values:
        return f"{label:<30} {_absence(run, measurement.name, contender)}"
    spread = f"{number(min(values))} to {number(max(values))}"
    return f"{label:<30} {number(median(values)):>12}   {spread:<26} {_standing(run, contest, measurement, metric, contender)}"


def _standing(run: Run, contest: Contest, measurement: Measurement, metric: Metric, contender: str) -> str:
    """Our goal on our rows, how we compare on theirs."""
    if contender in contest.ours:
        goal = dict(metric.goals).get(contender)
        return "" if goal is None else goal_words(run, measurement.name, metric, contender, goal)
    return ratio_words(run, measurement.name, metric, contender, ours=contest.ours[0])


# --- README.md -------------------------------------------------------------------------------------------


def save(run: Run, path: Path) -> None:
    """Keep a full run; the suites that it did not measure stay as they were."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    data = run.to_json()
    for part in PARTS.get(run.suite, (run.suite,)):
        kept[part] = {**data, "suite": part}
    path.write_text(json.dumps(kept, indent=1) + "\n")


def load(path: Path) -> dict[str, Run]:
    """The last full runs by suite. Exits with a sentence when there is none."""
    if not path.exists():
        raise SystemExit(f"{path} does not exist: there was no full run yet. Start one with: python benchmarks/run.py all --write")
    return {suite: Run.from_json(data) for suite, data in json.loads(path.read_text()).items()}


def write_readme(runs: dict[str, Run]) -> None:
    """Put the tables between the markers of README.md."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n".join(line for part in _parts(runs) for line in part)
    README.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}")


def _parts(runs: dict[str, Run]) -> Iterator[Iterator[str]]:
    for contest in CONTESTS:
        if contest.name in runs:
            yield _measured_on(runs[contest.name], contest)
            yield _summary(runs[contest.name], contest)
            yield _everybody(runs[contest.name], contest)
    if "board" in runs:
        yield boards_report.markdown(runs["board"])


def _measured_on(run: Run, contest: Contest) -> Iterator[str]:
    machine, packages = run.machine, {entrant.package for entrant in contest.entrants}
    yield f"### {contest.title}"
    yield ""
    yield f"Measured {machine.when} at commit {machine.commit} on {machine.processor}, {machine.cores} cores, {machine.system},"
    yield f"Python {machine.python}, {_stores(run)}, load before {machine.load}; medians of {run.rounds} rounds in turn."
    if peers := [f"{name} {version}" for name, version in run.peers.items() if name in packages]:
        yield f"Peers on Python {run.peers_python}: {', '.join(peers)}."
    for name, why in run.missing.items():
        if name in packages:
            yield f"Not measured: {name} could not be installed ({why})."
    yield ""


def _summary(run: Run, contest: Contest) -> Iterator[str]:
    yield "| Measured | Prinia | min to max | goal | best peer | we are |"
    yield "|---|---:|---|---|---|---|"
    for measurement in contest.measurements:
        for metric in measurement.metrics:
            for contender in contest.ours:
                yield from _summary_row(run, contest, measurement, metric, contender)
    yield ""


def _summary_row(run: Run, contest: Contest, measurement: Measurement, metric: Metric, contender: str) -> Iterator[str]:
    values = run.values(measurement.name, contender, metric.name)
    if not values:
        return
    goal = dict(metric.goals).get(contender)
    words = "" if goal is None else goal_words(run, measurement.name, metric, contender, goal)
    peer = best_peer(run, contest, measurement.name, metric)
    theirs = "" if peer is None else f"{_label(run, peer)} {number(median(run.values(measurement.name, peer, metric.name)))}"
    ratio = "" if peer is None else ratio_words(run, measurement.name, metric, peer, ours=contender)
    setting = f" ({contender.partition(':')[2]})" if contender != contest.ours[0] else ""
    spread = f"{number(min(values))} to {number(max(values))}"
    yield f"| {measurement.title}: {metric.name}{setting} | **{number(median(values))}** | {spread} | {words} | {theirs} | {ratio} |"


def _everybody(run: Run, contest: Contest) -> Iterator[str]:
    """One table with a column for each contender."""
    shared = [measurement for measurement in contest.measurements if not measurement.ours_only]
    names = [entrant.name for entrant in contest.entrants if any(run.of(each.name, entrant.name) for each in shared)]
    yield "| | " + " | ".join(_label(run, name) for name in names) + " |"
    yield "|---|" + "---:|" * len(names)
    for measurement in shared:
        for metric in measurement.metrics:
            cells = (_cell(run, measurement.name, metric.name, name) for name in names)
            yield f"| {measurement.name}, {metric.name} | " + " | ".join(cells) + " |"
    yield ""
    yield from (f"- **{name}**: {note}." for name, note in _notes(run, names))
    yield ""


def _notes(run: Run, names: list[str]) -> Iterator[tuple[str, str]]:
    """One for each queue, whatever its settings."""
    told = set()
    for name in names:
        queue, note = name.partition(":")[0], next((result.note for result in run.results if result.contender == name and result.note), "")
        if note and queue not in told:
            told.add(queue)
            yield queue, note


def _cell(run: Run, measurement: str, metric: str, contender: str) -> str:
    values = run.values(measurement, contender, metric)
    if values:
        return number(median(values))
    return "failed" if any(result.error for result in run.of(measurement, contender)) else "–"


# --- words for both --------------------------------------------------------------------------------------


def goal_words(run: Run, measurement: str, metric: Metric, contender: str, goal: Goal) -> str:
    """The goal and whether the median meets it."""
    value, words = goal.value, f"{number(goal.value)}"
    if goal.of is not None:
        yardstick = run.values(measurement, goal.of, metric.name)
        if not yardstick:
            return f"{goal.value:.0%} of {goal.of}, which was not measured"
        value = goal.value * median(yardstick)
        words = f"{number(value)} ({goal.value:.0%} of {goal.of})"
    ours = median(run.values(measurement, contender, metric.name))
    met = ours >= value if metric.better is Better.HIGHER else ours <= value
    return f"{'≥' if metric.better is Better.HIGHER else '≤'} {words}: {'met' if met else 'MISSED'}"


def ratio_words(run: Run, measurement: str, metric: Metric, contender: str, *, ours: str) -> str:
    """How many times better we are than a contender; below 1 is worse."""
    mine, theirs = run.values(measurement, ours, metric.name), run.values(measurement, contender, metric.name)
    if not mine or not theirs or not median(mine) or not median(theirs):
        return ""
    ratio = median(mine) / median(theirs) if metric.better is Better.HIGHER else median(theirs) / median(mine)
    return f"{ratio:.2g}×"


def best_peer(run: Run, contest: Contest, measurement: str, metric: Metric) -> str | None:
    """The peer with the best median, if any took part."""
    peers = [entrant.name for entrant in contest.entrants if entrant.package and run.values(measurement, entrant.name, metric.name)]
    if not peers:
        return None
    pick = max if metric.better is Better.HIGHER else min
    return pick(peers, key=lambda name: median(run.values(measurement, name, metric.name)))


def _present(run: Run, contest: Contest, measurement: Measurement) -> list[str]:
    """Who took part, in the order of first appearance."""
    entrants = {entrant.name for entrant in contest.entrants}
    return [contender for contender in run.contenders(measurement.name) if contender in entrants]


def _stores(run: Run) -> str:
    return f"SQLite {run.machine.sqlite}" + (f", PostgreSQL {run.postgres}" if run.postgres else "")


def _label(run: Run, contender: str) -> str:
    """The name, and the durability where contenders differ in it."""
    durability = next((result.durability for result in run.results if result.contender == contender and result.durability), "")
    return f"{contender} ({durability})" if durability else contender


def _absence(run: Run, measurement: str, contender: str) -> str:
    rounds = run.of(measurement, contender)
    errors, lacks = {each.error for each in rounds if each.error}, {each.not_offered for each in rounds if each.not_offered}
    return f"FAILED: {'; '.join(sorted(errors))}" if errors else f"not offered: {'; '.join(sorted(lacks)) or 'this number'}"
