"""The order of the examination, and its report."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from queue_core.cli.doctor import file, service
from queue_core.cli.doctor.finding import Finding
from queue_core.cli.failure import FAILED, OK
from queue_core.cli.output import show_json
from queue_core.cli.store import connection, named, sqlite_file
from queue_core.cli.words import harmless, many
from queue_core.expose import Connected


def run(args: argparse.Namespace) -> int:
    """Examine the store; end with 1 if anything is wrong."""
    args.store = args.url or args.store
    store = connection(named(args))
    findings = examine(store, sqlite_file(named(args)))
    if args.json:
        show_json([{"what": finding.what, "well": finding.well, "says": finding.says, "cure": finding.cure} for finding in findings])
    else:
        _print(store, findings)
    return OK if all(finding.well for finding in findings) else FAILED


def examine(store: Connected, path: Path | None) -> list[Finding]:
    """The file at ``path`` first; what the store tells only where that can be read."""
    findings = [] if path is None else file.examine(path)
    if all(finding.well for finding in findings if finding.what in file.NEEDED):
        waiting = [] if path is None else file.waiting(path)
        findings += asyncio.run(service.examine(store.expose, waiting))
    return findings


def _print(store: Connected, findings: Sequence[Finding]) -> None:
    print(f"{store.expose.kind} {store.expose.location}\n")
    space = max(len(finding.what) for finding in findings)
    for finding in findings:
        print(f"  {'✓' if finding.well else '✗'} {finding.what:<{space}}  {harmless(finding.says)}")
        if finding.cure is not None:
            print(f"    {'':<{space}}  → {harmless(finding.cure)}")
    wrong = sum(not finding.well for finding in findings)
    print(f"\n{many(wrong, 'thing')} to mend." if wrong else "\nAll is well.")
