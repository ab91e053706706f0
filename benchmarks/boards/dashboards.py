"""The dashboard of FlexiQ, the only one among the peers: what its server takes for what its pages ask. Runs in the peers' environment."""

import http.client
import socket
import sys
import time
from pathlib import Path

from suite.contender import Contender
from suite.process import end_with_parent, running, wait_until
from suite.stats import median, percentile
from suite.workloads import Numbers

PAGES = {
    "overview": ("/api/stats", "/api/stats/queues", "/api/metrics/timeseries", "/api/metrics", "/api/workers", "/api/jobs?limit=10"),
    "jobs, first page": ("/api/stats", "/api/jobs?limit=25"),
    "jobs, middle page": ("/api/stats", "/api/jobs?limit=25&offset={middle}"),
}
"""What the page asks for, at first and every five seconds again, from every browser."""


def flexiq_fill(name: str, contender: Contender, tasks: int) -> Numbers:
    """Make the store; all its jobs wait, because draining them would take hours: its metrics are empty, which is to its advantage."""
    since = time.perf_counter()
    for start in range(0, tasks, 10_000):
        contender.push_bulk(min(10_000, tasks - start))
    return {"seconds": time.perf_counter() - since}


def flexiq_pages(name: str, contender: Contender, times: int) -> Numbers:
    """Milliseconds for all the questions of a page, one after the other on one machine, without showing anything."""
    from contenders.flexiq import Flexiq

    assert isinstance(contender, Flexiq)
    middle, log = contender.queue()[0].stats()["pending"] // 2, contender.folder / "dashboard.log"
    port = _free_port()
    with running([sys.executable, "-m", "boards.dashboards", str(contender.folder), str(port)], log=log) as process:
        wait_until(lambda: _listens(port), process=process, log=log, seconds=20, every=0.1)
        numbers: Numbers = {}
        for title, addresses in PAGES.items():
            samples = sorted(_ask(port, [address.format(middle=middle) for address in addresses]) for _ in range(times))
            numbers |= {f"{title}, p50 ms": median(samples), f"{title}, p99 ms": percentile(samples, 0.99)}
        return numbers


def _ask(port: int, addresses: list[str]) -> float:
    since = time.perf_counter()
    for address in addresses:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)  # HTTP/1.0: a connection for each
        connection.request("GET", address)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"GET {address} was answered with {answer.status}.")
    return 1_000 * (time.perf_counter() - since)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        _ask(port, ["/api/stats"])
    except OSError:
        return False
    return True


def serve(folder: Path, port: int) -> None:
    """Serve the dashboard until told to end."""
    from contenders.flexiq import Flexiq
    from flexiq.dashboard.server import serve_dashboard

    end_with_parent()
    serve_dashboard(Flexiq(folder).queue()[0], host="127.0.0.1", port=port)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
