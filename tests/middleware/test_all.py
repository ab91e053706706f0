"""What holds of every middleware that ships, alone and all together."""

import asyncio
import contextlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import sentry_sdk
from prometheus_client import CollectorRegistry

import queue_core.middleware as shelf
from queue_core import AbortError, App, DeferredError, Gate, KillReason, Retry, RetryAfterError, Status
from queue_core.middleware import (
    Catch,
    CircuitBreaker,
    Concurrency,
    Filter,
    Listener,
    LoadShed,
    Logging,
    LongRunning,
    OpenTelemetry,
    Prometheus,
    RateLimit,
    Retries,
    Sentry,
    Timeout,
    Tracing,
)
from tests.core.steps import PATIENCE, becomes, eventually, working

CONTRACT: Final = {"AckHook", "Call", "Gate", "Middleware", "Next", "PushHook", "outcome_of"}
"""Names of the package that are no middleware."""
NEED_EXTRAS: Final = {"OpenTelemetry": "opentelemetry", "Prometheus": "prometheus_client", "Sentry": "sentry_sdk"}
"""Middleware that is imported by its name, and the libraries that it needs."""
SHIPPED: Final[dict[str, Callable[[], Any]]] = {
    "Catch": lambda: Catch({Exception: AbortError}),
    "CircuitBreaker": lambda: CircuitBreaker(),
    "Concurrency": lambda: Concurrency(3),
    "Filter": lambda: Filter(lambda call: True),
    "Listener": lambda: Listener(on_start=print, on_success=print, on_failure=print),
    "LoadShed": lambda: LoadShed(lambda: False),
    "Logging": lambda: Logging(),
    "LongRunning": lambda: LongRunning(60),
    "OpenTelemetry": lambda: OpenTelemetry(),
    "Prometheus": lambda: Prometheus(CollectorRegistry()),
    "RateLimit": lambda: RateLimit(1_000, per=1),
    "Retries": lambda: Retries(3, retry=Retry(min=0, max=0)),
    "Sentry": lambda: Sentry(),
    "Timeout": lambda: Timeout(60),
    "Tracing": lambda: Tracing(lambda call: contextlib.nullcontext()),
}
STACKS: Final[dict[str, list[str]]] = {name: [name] for name in SHIPPED} | {"all of them": list(SHIPPED), "all, in reverse": list(SHIPPED)[::-1]}


def stack(name: str) -> list[Any]:
    return [SHIPPED[each]() for each in STACKS[name]]


@pytest.fixture(autouse=True)
def silent_sentry() -> Iterator[None]:
    with sentry_sdk.new_scope() as scope:
        scope.set_client(sentry_sdk.Client(default_integrations=False, auto_enabling_integrations=False))
        yield


def test_every_middleware_of_the_package_is_tested_here() -> None:
    assert set(shelf.__all__) - CONTRACT == SHIPPED.keys() - NEED_EXTRAS


def test_importing_all_of_the_package_needs_no_extra() -> None:
    for extra in NEED_EXTRAS.values():
        code = f"import sys; sys.modules[{extra!r}] = None\nfrom queue_core.middleware import *\nprint(Retries.__name__)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "Retries"


class Wordless(AbortError):
    """An error that cannot be put into words."""

    def __str__(self) -> str:
        raise RuntimeError("I say nothing.")


@pytest.mark.parametrize("name", STACKS)
async def test_what_a_handler_decides_takes_effect_through_it(app: App, name: str) -> None:
    runs: list[str] = []

    @app.task
    async def decide(how: str) -> str:
        runs.append(how)
        match how:
            case "abort":
                raise AbortError("never")
            case "abort without a word":
                raise Wordless
            case "abort among others":
                raise ExceptionGroup("two of them", [ValueError("odd"), AbortError("never")])
            case "later":
                raise RetryAfterError("in an hour", delay=3_600)
            case "not now":
                raise DeferredError("in an hour", delay=3_600)
        return "done"

    aborts = ("abort", "abort among others", "abort without a word")
    handles = {how: await decide.push(how) for how in (*aborts, "later", "not now", "well")}
    async with working(app, middleware=stack(name), poll=0.05):
        assert await handles["well"].result(timeout=PATIENCE) == "done"
        await eventually(lambda: len(runs) == 6)
    *aborted, later, deferred = [await handles[how].fetch() for how in (*aborts, "later", "not now")]
    assert sorted(runs) == [*aborts, "later", "not now", "well"], "none of them is tried again"
    assert {(task.status, task.reason, task.attempts) for task in aborted} == {(Status.KILLED, KillReason.ABORTED, 1)}
    assert (later.status, later.attempts) == (Status.FAILED, 1)
    assert (deferred.status, deferred.attempts) == (Status.PENDING, 0)
    for task in (later, deferred):
        assert (task.run_at - task.created_at).total_seconds() > 3_000


@pytest.mark.parametrize("name", STACKS)
async def test_a_failure_a_kill_and_the_end_of_the_worker_reach_the_store_through_it(app: App, name: str) -> None:
    started: set[str] = set()

    @app.task(max_attempts=1)
    async def work(how: str) -> None:
        started.add(how)
        if how == "fail":
            raise ConnectionError("away")
        await asyncio.sleep(3_600)

    async with working(app, middleware=stack(name), shutdown_timeout=0, poll=0.05):
        failed = await becomes(await work.push("fail"), Status.KILLED)
        killed = await work.push("kill")
        timed = await work.using(timeout=0.1).push("time")
        await eventually(lambda: "kill" in started)
        await killed.kill()
        assert (await becomes(killed, Status.KILLED)).reason is KillReason.KILLED
        assert "TaskTimeout" in str((await becomes(timed, Status.KILLED)).error)
        stopped = await work.push("stop")
        await eventually(lambda: "stop" in started)
    assert "ConnectionError: away" in str(failed.error)
    given_back = await stopped.fetch()
    assert (given_back.status, given_back.attempts) == (Status.PENDING, 0)


async def test_the_first_of_them_is_outermost(memory_app: App) -> None:
    """The order of Retries and Timeout decides whether a limit is for each try or for all."""
    tries: list[int] = []

    @memory_app.task(max_attempts=1)
    async def slow() -> None:
        tries.append(1)
        await asyncio.sleep(3_600)

    at_once = Retry(min=0, max=0)
    for name, layers in (("each", [Retries(2, retry=at_once), Timeout(0.02)]), ("all", [Timeout(0.02), Retries(2, retry=at_once)])):
        handle = await slow.push()
        async with working(memory_app, name=name, middleware=layers):
            await becomes(handle, Status.KILLED)
        tries.append(0)
    assert tries == [1, 1, 1, 0, 1, 0]


async def test_one_object_serves_one_worker_after_the_other_and_several_at_once(app: App) -> None:
    layers = stack("all of them")

    @app.task
    async def work() -> None: ...

    for name in ("first", "second"):
        async with working(app, name=name, middleware=layers, poll=0.05), working(app, name=f"{name} too", middleware=layers, poll=0.05):
            for handle in await work.push_many({} for _ in range(6)):
                await handle.result(timeout=PATIENCE)
    assert all(not layer._listeners for layer in layers if isinstance(layer, Gate))


@pytest.mark.parametrize("name", SHIPPED)
def test_each_has_a_docstring_with_an_example(name: str) -> None:
    middleware = getattr(shelf, name)
    assert ">>>" in (inspect.getdoc(middleware) or "")


@pytest.mark.parametrize(
    ("name", "library", "sentence"),
    [
        ("OpenTelemetry", "opentelemetry", "The middleware OpenTelemetry needs opentelemetry-api. Install it: pip install 'prinia[otel]'."),
        ("Prometheus", "prometheus_client", "The middleware Prometheus needs prometheus-client. Install it: pip install 'prinia[prometheus]'."),
        ("Sentry", "sentry_sdk", "The middleware Sentry needs sentry-sdk. Install it: pip install 'prinia[sentry]'."),
    ],
)
def test_a_library_that_is_missing_is_named_with_its_cure(name: str, library: str, sentence: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None\nfrom queue_core.middleware import Retries\nfrom queue_core.middleware import {name}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stderr.strip().endswith(sentence)


def test_asking_for_one_imports_no_other() -> None:
    code = "import sys; from queue_core.middleware import Retries; print(*sorted(name for name in sys.modules if 'queue_core.middleware.' in name))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["queue_core.middleware.failures", "queue_core.middleware.retries"]
    assert not hasattr(shelf, "Nothing")
