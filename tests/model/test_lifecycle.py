"""Each backend lives through the same random days as the plain-Python model, and must agree with it after every step."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from queue_core.backend import Retention
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import BOOM, ME, beat, listed, new_task, registration
from queue_core.errors import WorkerNameTaken
from queue_core.expose import Counts, connect
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.limits import Limits, Rate
from queue_core.outcome import Aborted, Deferred, Errored, Outcome, Released, Stopped, Succeeded, settle
from queue_core.task import Claim, NewTask, TaskChange, TaskSummary
from queue_core.worker_info import WorkerState
from tests.model.lifecycle import TTL, Lifecycle, ModelLimits, ModelTask, Rule
from tests.stores import Schemas

T = TypeVar("T")
QUEUES = ("a", "b")
ANY_TASK = st.integers(0, 30)
ACTIONS = ("kill", "retry", "run_now", "reschedule", "update", "delete")
RULES = [Rule(), Rule(live=True), Rule(seconds=5), Rule(debounce=2), Rule(debounce=2, debounce_max=3)]

settings.register_profile(
    "prinia",
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Days(RuleBasedStateMachine):
    """Random days in the life of one store."""

    place: Callable[[str], str]
    """The URL of an empty store, which may be in a folder."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = HandWoundClock()
        self.start_time = self.clock.now()
        self.model = Lifecycle()
        self.ids: list[str] = []
        self.boots: list[BootId] = []
        self.claims: list[tuple[Claim, int]] = []
        self.connected = connect(self.place(self.folder.name), clock=self.clock)
        self.backend = self.connected.backend
        self.run(self.backend.open())

    def teardown(self) -> None:
        self.run(self.backend.close())
        self.runner.close()
        self.folder.cleanup()

    def run(self, answer: Awaitable[T]) -> T:
        async def wait() -> T:
            return await answer

        return self.runner.run(wait())

    @initialize()
    def two_workers(self) -> None:
        self.register("anna")
        self.register("otto")

    # --- producing ---------------------------------------------------------------------------------------

    @rule(
        tasks=st.lists(
            st.tuples(
                st.sampled_from(QUEUES),
                st.sampled_from([None, None, None, "k1", "k2"]),
                st.integers(-1, 1),
                st.sampled_from([0, 0, 0, 1, 3, 15]),
                st.integers(1, 3),
                st.sampled_from([None, None, None, 0, 2, 12]),
                st.sampled_from([None, None, "g1", "g2"]),
                st.sampled_from(RULES),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def push(self, tasks: list[tuple[str, str | None, int, int, int, int | None, str | None, Rule]]) -> None:
        tasks = [_sensible(*task) for task in tasks]
        made = [self._new_task(*task) for task in tasks]
        expected = [self.model.push(new.id, *task) for new, task in zip(made, tasks, strict=True)]
        pushed = self.run(self.backend.push(made))
        assert [(push.task.id, push.created) for push in pushed] == expected
        self.ids += [new.id for new in made if new.id in self.model.tasks]

    def _new_task(
        self, queue: str, key: str | None, priority: int, delay: int, max_attempts: int, lifetime: int | None, group: str | None, rule: Rule
    ) -> NewTask:
        expires_at = None if lifetime is None else self.clock.now() + timedelta(seconds=lifetime)
        more: dict[str, Any] = {} if rule.debounce is not None else {"run_after": delay}
        if rule != Rule():
            more |= {"debounce": rule.debounce, "debounce_max": rule.debounce_max}
            more["unique"] = "live" if rule.live else rule.seconds or "ever"
        return new_task(queue=queue, key=key, priority=priority, max_attempts=max_attempts, expires_at=expires_at, group=group, **more)

    @rule(
        queue=st.sampled_from(QUEUES),
        at_once=st.sampled_from([None, None, 1, 2]),
        rate=st.sampled_from([None, None, (1, 3), (3, 7)]),
        group_at_once=st.sampled_from([None, 1, 2]),
        group_rate=st.sampled_from([None, None, (1, 3), (2, 7)]),
        ordered=st.booleans(),
    )
    def declare(
        self,
        queue: str,
        at_once: int | None,
        rate: tuple[int, int] | None,
        group_at_once: int | None,
        group_rate: tuple[int, int] | None,
        ordered: bool,
    ) -> None:
        limits = ModelLimits(at_once, rate, None if ordered else group_at_once, group_rate, ordered)
        before = self.model.limits.get(queue, ModelLimits())
        if (rate, group_rate) != (before.rate, before.group_rate):
            self.time_passes(20)  # how far back a store remembers what no rate asked for is up to it
        self.run(self.backend.declare(QueueName(queue), _limits(limits)))
        self.model.limits[queue] = limits
        self.model.queues.add(queue)

    # --- workers -------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(["anna", "otto"]))
    def register(self, name: str) -> None:
        worker = registration(name, queues=QUEUES, lease_ttl=TTL)
        expected = self.model.register(worker.boot, name)
        try:
            rescued = self.run(self.backend.register(worker))
        except WorkerNameTaken:
            assert expected is None
        else:
            assert (rescued.pending, rescued.killed) == expected
            self.boots.append(worker.boot)

    @rule(number=st.integers(0, 5))
    def heartbeat(self, number: int) -> None:
        boot = self._boot(number)
        assert self.backend.heartbeat(beat(boot)).alive == self.model.heartbeat(boot)

    @rule(number=st.integers(0, 5))
    def deregister(self, number: int) -> None:
        self.model.deregister(self._boot(number))
        self.run(self.backend.deregister(self._boot(number)))

    @rule()
    def rescue(self) -> None:
        rescued = self.run(self.backend.rescue())
        assert (rescued.pending, rescued.killed) == self.model.rescue()

    @rule(start=st.integers(0, 3))
    def a_worker_dies_with_its_hands_full(self, start: int) -> None:
        self.claim(0, QUEUES, 3, start)
        self.time_passes(TTL + 1)
        self.rescue()
        self.register("anna")
        self.claim(0, QUEUES, 3, start)

    @rule(start=st.integers(0, 3))
    def a_worker_ends_with_its_hands_full(self, start: int) -> None:
        self.claim(0, QUEUES, 3, start)
        self.deregister(0)
        self.register("anna")

    @rule(outcome=st.sampled_from(["ok", "error", "defer", "give back"]), ask=st.booleans())
    def a_task_is_run(self, outcome: str, ask: bool) -> None:
        self.claim(0, QUEUES, 1, 1)
        if self.claims and ask:
            self._act("kill", [self.claims[-1][0].id])
        if self.claims:
            self.ack(0, outcome, 0)

    @rule(seconds=st.sampled_from([1, 2, 5, TTL, TTL + 1]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.model.now += seconds

    def _boot(self, number: int) -> BootId:
        return self.boots[-1 - number % len(self.boots)]

    # --- running -------------------------------------------------------------------------------------------

    @rule(number=st.integers(0, 2), queues=st.sampled_from([("a",), ("b",), QUEUES, QUEUES]), limit=st.integers(0, 4), start=st.integers(0, 4))
    def claim(self, number: int, queues: tuple[str, ...], limit: int, start: int) -> None:
        boot = self._boot(number)
        claims = self.run(self.backend.claim(boot, queues, names=None, limit=limit, start=start))
        self._adopt_expired()
        expected, next_due = self.model.claim(boot, queues, limit, start)
        assert [(claim.id, claim.started) for claim in claims.tasks] == [(task.id, task.status == "Running") for task in expected]
        if any(self.model.limits.get(queue) for queue in queues):
            assert next_due is None or len(expected) == limit or (claims.next_due is not None and claims.next_due <= next_due), (
                "a worker would sleep too long"
            )
        else:
            assert claims.next_due == next_due
        for claim, task in zip(claims.tasks, expected, strict=True):
            assert claim.attempt == task.attempts + (not claim.started)
            assert task.lease is not None
            self.claims.append((claim, task.lease))

    def _adopt_expired(self) -> None:
        """A claim kills what has expired, but need not look at all of it: believe the store which ones it met."""
        for task in list(self.model.tasks.values()):
            if self.model.has_expired(task) and self._stored(task.id).status == "Killed":
                task.end("Killed", self.model.now, "expired")

    @precondition(lambda self: self.claims)
    @rule(number=ANY_TASK)
    def start_one(self, number: int) -> None:
        claim, lease = self._claim(number)
        assert self.run(self.backend.start([claim.lease])) == [self.model.start(claim.id, lease)]

    @precondition(lambda self: self.claims)
    @rule(number=ANY_TASK)
    def release(self, number: int) -> None:
        claim, lease = self._claim(number)
        assert self.run(self.backend.release([claim.lease])) == self.model.release(claim.id, lease)

    @precondition(lambda self: self.claims)
    @rule(
        number=ANY_TASK,
        outcome=st.sampled_from(["ok", "error", "error", "abort", "defer", "stop", "give back"]),
        delay=st.sampled_from([0, 0, 2, 20]),
    )
    def ack(self, number: int, outcome: str, delay: int) -> None:
        claim, lease = self._claim(number)
        ack = settle(claim.lease, _outcome(outcome, delay), attempt=claim.attempt, max_attempts=claim.max_attempts, ran_for=1.0)
        assert self.run(self.backend.ack([ack])) == [self.model.ack(claim.id, lease, outcome, delay)]

    @precondition(lambda self: self.claims)
    @rule(number=ANY_TASK)
    def progress(self, number: int) -> None:
        claim, lease = self._claim(number)
        assert self.run(self.backend.progress(claim.lease, 0.5)) == self.model.holds(claim.id, lease, "Running")

    @rule()
    def expire(self) -> None:
        assert self.run(self.backend.expire()) == self.model.expire()

    def _claim(self, number: int) -> tuple[Claim, int]:
        """One of the latest claims, stale or not."""
        return self.claims[-1 - number % min(len(self.claims), 6)]

    # --- acting --------------------------------------------------------------------------------------------

    @precondition(lambda self: self.ids)
    @rule(action=st.sampled_from(ACTIONS), numbers=st.lists(ANY_TASK, min_size=1, max_size=3), delay=st.integers(-2, 5))
    def act(self, action: str, numbers: list[int], delay: int) -> None:
        self._act(action, [TaskId(self.ids[-1 - number % len(self.ids)]) for number in numbers], delay)

    def _act(self, action: str, ids: list[TaskId], delay: int = 0) -> None:
        arguments: list[Any] = [ids]
        if action == "reschedule":
            arguments.append(self.clock.now() + timedelta(seconds=delay))
        if action == "update":
            arguments.append(TaskChange(priority=(self.model.now + delay) % 3 - 1))
        report = self.run(getattr(self.connected.expose, action)(*arguments, actor=ME))
        changed, skipped = self.model.act(action, ids, self.model.now + delay)
        assert (list(report.changed), [skip.id for skip in report.skipped]) == (changed, skipped)

    @precondition(lambda self: self.model.queues)
    @rule(number=st.integers(0, 1), resume=st.booleans())
    def pause(self, number: int, resume: bool) -> None:
        queue = sorted(self.model.queues)[number % len(self.model.queues)]
        if resume:
            self.model.resume(queue)
            self.run(self.connected.expose.resume(QueueName(queue), actor=ME))
        else:
            self.model.pause(queue)
            self.run(self.connected.expose.pause(QueueName(queue), actor=ME))

    @rule(done=st.sampled_from([0, 5, 1000]), killed=st.sampled_from([0, 5, 1000]))
    def prune(self, done: int, killed: int) -> None:
        total = 0
        while number := self.run(self.backend.prune(Retention(done=done, killed=killed))):
            total += number
        assert total == self.model.prune(done, killed)

    # --- what must hold after every step -----------------------------------------------------------------------

    @invariant()
    def the_store_agrees_with_the_model(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        expose, model = self.connected.expose, self.model
        stored = {task.id: self._told(task) for task in await listed(self.connected)}
        assert stored == {id: _told(task) for id, task in model.tasks.items()}
        counts = {queue: number for queue, number in (await expose.counts()).items() if number.total}
        assert counts == _counts(model)
        for boot in self.boots[-3:]:
            held = model.held_by(boot)
            assert {lease.id for lease in await self.backend.leases(boot)} == {task.id for task in held}
            assert {lease.id for lease in await self.backend.kill_requests(boot)} == {task.id for task in held if task.kill_asked}
        states = {worker.boot: worker.state for worker in await expose.list_workers()}
        assert states == {BootId(worker.boot): WorkerState(worker.state) for worker in model.workers.values()}

    def _stored(self, id: str) -> TaskSummary:
        [task] = self.run(self.connected.expose.summaries([TaskId(id)]))
        return task

    def _told(self, task: TaskSummary) -> tuple[object, ...]:
        reason = task.reason.value if task.reason else None
        return (
            *(task.status.value, reason, task.attempts, task.max_attempts, task.crashes, task.priority),
            *(self._seconds(task.run_at), self._seconds(task.done_at), task.kill_requested_at is not None),
        )

    def _seconds(self, moment: datetime | None) -> int | None:
        return None if moment is None else int((moment - self.start_time).total_seconds())


def _told(task: ModelTask) -> tuple[object, ...]:
    return (
        *(task.status, task.reason, task.attempts, task.max_attempts, task.crashes, task.priority),
        *(task.run_at, task.done_at, task.kill_asked),
    )


def _counts(model: Lifecycle) -> dict[str, Counts]:
    numbers: dict[str, Counter[str]] = {}
    for task in model.tasks.values():
        numbers.setdefault(task.queue, Counter())[task.status] += 1
    return {queue: Counts.from_mapping(number) for queue, number in numbers.items()}


def _sensible(queue: str, key: str | None, priority: int, delay: int, max_attempts: int, lifetime: int | None, group: str | None, rule: Rule) -> Any:
    """Rules are about keys, and which expired ones of a group a claim ends first is up to the store."""
    return queue, key, priority, delay, max_attempts, None if group else lifetime, group, Rule() if key is None else rule


def _limits(limits: ModelLimits) -> Limits:
    return Limits(
        concurrency=limits.at_once,
        rate=limits.rate and Rate(*limits.rate),
        group_concurrency=limits.group_at_once,
        group_rate=limits.group_rate and Rate(*limits.group_rate),
        ordered=limits.ordered,
    )


def _outcome(name: str, delay: int) -> Outcome:
    outcomes: dict[str, Outcome] = {
        "ok": Succeeded(b"1"),
        "error": Errored(BOOM, retry_in=delay),
        "abort": Aborted(BOOM),
        "defer": Deferred(delay),
        "stop": Stopped(),
        "give back": Released(),
    }
    return outcomes[name]


PLACES: dict[str, Callable[[str], str]] = {"memory": "memory://{}".format, "sqlite": "sqlite:///{}/tasks.db".format}
EXAMPLES_ON_A_SERVER = 12


@pytest.mark.timeout(400)  # a few seconds when all is well; a disagreement takes minutes to be made small
@pytest.mark.parametrize("store", PLACES)
def test_a_backend_agrees_with_the_model_through_random_days(store: str) -> None:
    live_through(store, PLACES[store])


@pytest.mark.timeout(600)
def test_postgres_agrees_with_the_model_through_random_days(pg_schemas: Schemas) -> None:
    live_through("postgres", lambda folder: pg_schemas.empty(), max_examples=EXAMPLES_ON_A_SERVER)


def live_through(store: str, place: Callable[[str], str], **changes: Any) -> None:
    machine = type(f"Days_{store}", (Days,), {"place": staticmethod(place)})
    run_state_machine_as_test(machine, settings=settings(settings.get_profile("prinia"), **changes))
