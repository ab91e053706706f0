"""The order of the examination, and its report."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from queue_core.cli.doctor import file, service
from queue_core.cli.doctor.finding import Examined, Finding
from queue_core.cli.failure import FAILED, OK
from queue_core.cli.output import show_json
from queue_core.cli.store import connection, named, server, sqlite_file
from queue_core.cli.words import harmless, many
from queue_core.expose import Connected

if TYPE_CHECKING:
    from queue_core.backends.postgres.address import Address


def run(args: argparse.Namespace) -> int:
    """Examine the store; end with 1 if anything is wrong."""
    address = server(named(args))
    store = connection(named(args), create=address is not None)  # of a server more can be said than that it has no store
    findings = examine(store, address or sqlite_file(named(args)))
    if args.json:
        show_json([{"what": finding.what, "well": finding.well, "says": finding.says, "cure": finding.cure} for finding in findings])
    else:
        _print(store, findings)
    return OK if all(finding.well for finding in findings) else FAILED


def examine(store: Connected, place: "Path | Address | None") -> list[Finding]:
    """The file or server first; what the store tells only where that can be read."""
    examined = _place(place)
    told = asyncio.run(service.examine(store.expose, examined.waiting)) if examined.answers else []
    return [*examined.findings, *told]


def _place(place: "Path | Address | None") -> Examined:
    match place:
        case None:
            return Examined([], answers=True)
        case Path():
            return file.examine(place)
    from queue_core.cli.doctor.server import examine as examine_server  # only here: it needs the driver

    return asyncio.run(examine_server(place))


def _print(store: Connected, findings: Sequence[Finding]) -> None:
    print(f"{store.expose.kind} {store.expose.location}\n")
    space = max(len(finding.what) for finding in findings)
    for finding in findings:
        print(f"  {'✓' if finding.well else '✗'} {finding.what:<{space}}  {harmless(finding.says)}")
        if finding.cure is not None:
            print(f"    {'':<{space}}  → {harmless(finding.cure)}")
    wrong = sum(not finding.well for finding in findings)
    print(f"\n{many(wrong, 'thing')} to mend." if wrong else "\nAll is well.")
