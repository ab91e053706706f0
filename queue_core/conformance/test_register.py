"""register: one living worker a name; a dead predecessor makes room at once."""

import subprocess
import sys

import pytest

from queue_core.backend import Rescued
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import TTL, claim, claimed, fetch, push_one, registered, registration, running, status_of
from queue_core.errors import WorkerNameTaken
from queue_core.expose import Connected
from queue_core.status import Status
from queue_core.worker_info import WorkerState


def _dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


async def test_a_registered_worker_is_listed_as_it_said(connected: Connected, clock: HandWoundClock) -> None:
    said = registration("anna", queues=("b", "a"), names=("x", "y"), middleware=("Retry", "Log"), concurrency=7, version="2.1", lease_ttl=12.5)
    assert await connected.backend.register(said) == Rescued()
    [worker] = await connected.expose.list_workers()
    for name in ("boot", "name", "queues", "names", "host", "pid", "version", "middleware", "concurrency", "lease_ttl"):
        assert getattr(worker, name) == getattr(said, name)
    assert worker.state is WorkerState.RUNNING
    assert worker.started_at == worker.last_heartbeat == clock.now()
    assert worker.stopped_at is None and worker.running == 0
    assert worker.is_live(clock.now())


async def test_a_worker_makes_its_queues_known(connected: Connected) -> None:
    await registered(connected, "anna", queues=("empty one", "other"), concurrency=3)
    queues = await connected.expose.list_queues()
    assert [(queue.name, queue.workers, queue.slots) for queue in queues] == [("empty one", ("anna",), 3), ("other", ("anna",), 3)]


async def test_a_living_name_is_refused(connected: Connected, another: Connected) -> None:
    claim = await claimed(connected)
    name = (await fetch(connected, claim.id)).worker
    with pytest.raises(WorkerNameTaken, match=str(name)):
        await registered(another, name)
    assert await status_of(connected, claim.id) is Status.QUEUED
    assert len(await connected.expose.list_workers()) == 1


async def test_a_name_of_another_host_is_refused_while_its_lease_lasts(connected: Connected, clock: HandWoundClock) -> None:
    await registered(connected, "anna", host="elsewhere", pid=_dead_pid())
    with pytest.raises(WorkerNameTaken):
        await registered(connected, "anna")
    clock.advance(TTL + 1)
    await registered(connected, "anna")


async def test_a_restarted_worker_takes_over_at_once_when_its_old_process_is_gone(connected: Connected) -> None:
    old = await registered(connected, "anna", pid=_dead_pid())
    task = await push_one(connected)
    [held] = await claim(connected, old, start=1)
    rescued = await connected.backend.register(registration("anna"))
    assert rescued == Rescued(pending=1, killed=0, workers=("anna",))
    stored = await fetch(connected, task.id)
    assert (stored.status, stored.crashes, stored.attempts) == (Status.PENDING, 1, 1)
    assert await connected.backend.ack([]) == []
    assert await connected.backend.start([held.lease]) == [False]


async def test_a_process_that_got_the_pid_of_its_predecessor_is_told_apart(connected: Connected) -> None:
    await registered(connected, "anna", process="started yesterday")
    rescued = await connected.backend.register(registration("anna", process="started today"))
    assert rescued.workers == ("anna",)


async def test_a_worker_whose_lease_ran_out_makes_room(connected: Connected, clock: HandWoundClock) -> None:
    runs = await running(connected)
    name = (await fetch(connected, runs.id)).worker
    clock.advance(TTL + 1)
    await registered(connected, name)
    await connected.backend.rescue()
    assert (await fetch(connected, runs.id)).crashes == 1
    states = [worker.state for worker in await connected.expose.list_workers()]
    assert states == [WorkerState.RUNNING, WorkerState.LOST]


async def test_a_worker_that_ended_frees_its_name(connected: Connected) -> None:
    boot = await registered(connected, "anna")
    await connected.backend.deregister(boot)
    assert await connected.backend.register(registration("anna")) == Rescued()


async def test_a_new_life_does_not_inherit_the_leases_of_the_old_one(connected: Connected) -> None:
    old = await registered(connected, "anna", pid=_dead_pid())
    await push_one(connected)
    await claim(connected, old)
    new = await registered(connected, "anna")
    assert await connected.backend.leases(new) == []
    assert len(await claim(connected, new)) == 1
