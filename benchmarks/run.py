"""Measures Prinia beside its peers, in turn, on this machine: ``python benchmarks/run.py --help``."""

import argparse
import signal
import sys

from suite import report, session
from suite.report import README, RESULTS

SUITES = ("queue", "peers", "postgres", "board", "all")


def main() -> int:
    """Measure, print, and write what was asked for."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))  # so that what was started here is ended too
    if options.suite is None and options.write:
        report.write_readme(report.load(RESULTS))
        print(f"Wrote the last full run into {README}.")
        return 0
    run = session.run(options.suite or "all", quick=options.quick, rounds=options.rounds or (1 if options.quick else 3))
    report.show(run)
    if not options.quick:
        report.save(run, RESULTS)
    if options.write:
        report.write_readme(report.load(RESULTS))
    return 1 if run.broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure Prinia beside its peers, in turn, on this machine.",
        epilog="Numbers of a busy machine mean little: stop what else runs. Everything happens in a folder that is removed again.",
    )
    parser.add_argument(
        "suite",
        nargs="?",
        choices=SUITES,
        help="queue: ours and raw SQLite; peers: with the other queues; postgres: with theirs on PostgreSQL; board; all (default)",
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one round: shows that it works, measures nothing")
    parser.add_argument("--rounds", type=int, help="how often everything is measured, contender after contender (default 3, quick 1)")
    parser.add_argument("--write", action="store_true", help="write the last full run into README.md; without a suite, measure nothing")
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds must be 1 or more, got {options.rounds}.")
    if options.quick and options.write:
        parser.error("--write wants a full run: leave out --quick.")
    return options


if __name__ == "__main__":
    sys.exit(main())
