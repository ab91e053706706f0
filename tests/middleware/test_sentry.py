"""Sentry: the errors of runs, and a transaction for each."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from queue_core import AbortError, App, DeferredError, Retry, RetryAfterError, Status
from queue_core.middleware import Sentry
from tests.core.steps import PATIENCE, becomes, eventually, working


class Mailbox(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.kept += [item.payload.json for item in envelope.items if item.payload.json is not None]

    def transactions(self) -> list[dict[str, Any]]:
        return [event for event in self.kept if event.get("type") == "transaction"]

    def errors(self) -> list[dict[str, Any]]:
        return [event for event in self.kept if "exception" in event]


@pytest.fixture
def sent() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    with sentry_sdk.new_scope() as scope:
        client = sentry_sdk.Client(
            dsn="http://key@127.0.0.1:9/1", transport=mailbox, traces_sample_rate=1.0, default_integrations=False, auto_enabling_integrations=False
        )
        scope.set_client(client)
        yield mailbox
        client.close(timeout=0)


async def test_each_run_is_a_transaction_with_its_tags_and_a_failure_is_reported_with_them(app: App, sent: Mailbox) -> None:
    app.middleware = (Sentry(),)

    @app.task(queue="mail", max_attempts=2, retry=Retry(min=0, max=0))
    async def send() -> None:
        raise ConnectionError("away")

    handle = await send.push()
    async with working(app, name="anna"):
        await becomes(handle, Status.KILLED)
    assert [event["contexts"]["task"]["attempt"] for event in sent.errors()] == [1, 2]
    for event in (*sent.errors(), *sent.transactions()):
        assert event["tags"] == {"prinia.task": "send", "prinia.queue": "mail", "prinia.worker": "anna", "prinia.outcome": "failed"}
        assert event["contexts"]["task"]["id"] == handle.id
    first, second = sent.transactions()
    assert first["transaction"] == "send"
    assert first["contexts"]["trace"]["op"] == "queue.process"
    assert {first["contexts"]["trace"]["status"], second["contexts"]["trace"]["status"]} == {"internal_error"}
    assert sent.errors()[0]["exception"]["values"][-1]["type"] == "ConnectionError"
    assert sent.errors()[0]["contexts"]["trace"]["trace_id"] == first["contexts"]["trace"]["trace_id"]


@pytest.mark.parametrize(
    ("error", "transactions", "errors"),
    [
        (None, ["ok"], 0),
        (DeferredError(delay=3_600), [], 0),
        (AbortError("never"), ["aborted"], 1),
        (RetryAfterError("later", delay=3_600), ["internal_error"], 1),
    ],
)
async def test_what_did_not_take_place_is_not_told(app: App, sent: Mailbox, error: Exception | None, transactions: list[str], errors: int) -> None:
    app.middleware = (Sentry(),)
    ended = asyncio.Event()

    async def note(_: object) -> None:
        ended.set()

    @app.task
    async def decide() -> None:
        if error is not None:
            raise error

    await decide.push()
    async with working(app, on_ack=note):
        await asyncio.wait_for(ended.wait(), PATIENCE)
    assert [event["contexts"]["trace"]["status"] for event in sent.transactions()] == transactions
    assert len(sent.errors()) == errors


async def test_a_run_that_is_given_back_because_its_worker_stops_is_not_told_and_one_out_of_time_is(app: App, sent: Mailbox) -> None:
    app.middleware = (Sentry(),)
    started: list[int] = []

    @app.task
    async def endless() -> None:
        started.append(1)
        await asyncio.sleep(3_600)

    await endless.push()
    async with working(app, name="a", shutdown_timeout=0):
        await eventually(lambda: bool(started))
    assert sent.kept == []
    handle = await endless.using(timeout=0.05, max_attempts=1, queue="other").push()
    async with working(app, name="b", queues=["other"]):
        await becomes(handle, Status.KILLED)
    assert [event["contexts"]["trace"]["status"] for event in sent.transactions()] == ["deadline_exceeded"]
    assert len(sent.errors()) == 1


async def test_who_wants_only_the_last_failure_gets_only_that(app: App, sent: Mailbox) -> None:
    app.middleware = (Sentry(last_only=True),)

    @app.task(max_attempts=3, retry=Retry(min=0, max=0))
    async def fail(abort: bool) -> None:
        raise AbortError("never") if abort else ConnectionError("away")

    handles = [await fail.push(False), await fail.push(True)]
    async with working(app):
        for handle in handles:
            await becomes(handle, Status.KILLED)
    kinds = sorted((event["exception"]["values"][-1]["type"], event["contexts"]["task"]["attempt"]) for event in sent.errors())
    assert kinds == [("AbortError", 1), ("ConnectionError", 3)]


async def test_runs_at_the_same_time_have_scopes_of_their_own_and_continue_the_trace_of_their_push(app: App, sent: Mailbox) -> None:
    app.middleware, app.on_push = (Sentry(),), (Sentry.on_push,)
    together: list[int] = []

    @app.task(max_attempts=1)
    async def work(n: int) -> None:
        sentry_sdk.set_tag("n", str(n))
        together.append(n)
        await eventually(lambda: len(together) == 2)
        raise ValueError(n)

    traces = {}
    for n in range(2):
        with sentry_sdk.isolation_scope(), sentry_sdk.start_transaction(name=f"request {n}") as request:
            traces[str(n)] = request.trace_id
            await work.push(n)
    async with working(app):
        await eventually(lambda: len(sent.errors()) == 2)
    assert {event["tags"]["n"]: event["contexts"]["trace"]["trace_id"] for event in sent.errors()} == traces
