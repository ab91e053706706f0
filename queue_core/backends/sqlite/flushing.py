"""Writing what a transaction has gathered: numbers, and how often each topic has changed."""

from collections.abc import Set
from typing import TYPE_CHECKING, Final

from queue_core.backends.relational.tally import QUEUES
from queue_core.expose import Span, Topic

if TYPE_CHECKING:
    from queue_core.backends.sqlite.transaction import Transaction

_WIDTHS: Final = tuple((span.value, int(span.width.total_seconds()) * 1_000_000) for span in Span)


def flush(tx: "Transaction", known_queues: Set[str]) -> dict[Topic, int]:
    """Write the tally of ``tx``; how often each topic that it changes has changed now. ``known_queues`` need not be named again."""
    _name_queues(tx, known_queues)
    take_turns(tx, known_queues)
    _add_counts(tx)
    _add_metrics(tx)
    if tx.tally.claimed:
        tx.many("note_claim", [{"queue": queue, "now": tx.now} for queue in tx.tally.claimed])
    return _raise_versions(tx)


def take_turns(tx: "Transaction", known_queues: Set[str]) -> None:
    """Let the next claim look at the groups that changed."""
    if not tx.tally.turns:
        return
    _name_queues(tx, known_queues)
    tx.many("limit", [{"queue": queue} for queue in {queue for queue, _ in tx.tally.turns}])
    tx.many("turn", [{"queue": queue, "group": group, "due_at": tx.now} for queue, group in tx.tally.turns])
    tx.tally.turns.clear()


def _name_queues(tx: "Transaction", known: Set[str]) -> None:
    for queue in tx.tally.named - known:
        if tx.run("name_queue", queue=queue, now=tx.now):
            tx.tally.topics.add(QUEUES)


def _add_counts(tx: "Transaction") -> None:
    moved = [{"queue": queue, "status": status, "n": n} for (queue, status), n in tx.tally.counts.items() if n]
    if moved:
        tx.many("add_count", moved)


def _add_metrics(tx: "Transaction") -> None:
    if tx.tally.metrics:
        tx.many(
            "add_metric",
            [
                {"span": span, "start": tx.now - tx.now % width, "queue": queue, "metric": metric, "n": n}
                for span, width in _WIDTHS
                for (queue, metric), n in tx.tally.metrics.items()
            ],
        )


def _raise_versions(tx: "Transaction") -> dict[Topic, int]:
    versions: dict[Topic, int] = {}
    for topic in tx.tally.changed_topics():
        row = tx.row("raise_version", topic=topic)
        assert row is not None
        versions[topic] = row[0]
    return versions
