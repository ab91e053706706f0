"""One measurement in its own process: ``measure.py MEASUREMENT CONTENDER FOLDER SIZE`` prints its numbers as one line of JSON.

``measure.py work CONTENDER FOLDER NUMBER`` is a worker process that the measurements start.
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path

from suite import workloads
from suite.contender import NotOffered, contender
from suite.process import end_with_parent
from suite.trace import Trace


def main(measurement: str, name: str, folder: str, size: str) -> None:
    """Measure, or work."""
    try:
        subject = contender(name, Path(folder))
        if measurement == "work":
            end_with_parent()
            subject.work(Trace.of_worker(Path(folder), int(size)))
            return
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))  # so that what was started here is ended too
        subject.prepare()
        numbers = _measure(measurement)(name, subject, int(size))
    except NotOffered as error:
        print(json.dumps({"not_offered": str(error)}))
    else:
        print(json.dumps({"numbers": numbers, "durability": subject.durability, "note": subject.note}))
    sys.stdout.flush()
    os._exit(0)  # some queues leave threads behind that never end


def _measure(measurement: str) -> workloads.Measure:
    """The function of this name; the queue is imported for our own measurements only, because the peers' environment does not have it."""
    modules = ("suite.workloads", "suite.drains", "boards.dashboards", "contenders.prinia_only", "boards.measurements")
    found: workloads.Measure = next(each for module in modules if (each := getattr(importlib.import_module(module), measurement, None)))
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
