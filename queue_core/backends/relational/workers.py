"""The process lives of workers: registering, heartbeats, the end, and taking back what the dead held."""

from dataclasses import replace
from typing import Any, Final

from queue_core.backend import Rescued
from queue_core.backends._process import is_gone
from queue_core.backends._rows import to_json
from queue_core.backends.relational.held import Held, give_back
from queue_core.backends.relational.history import keep_attempt
from queue_core.backends.relational.stage import due_in
from queue_core.backends.relational.tally import WORKERS
from queue_core.backends.relational.transaction import Transaction
from queue_core.clock import from_us
from queue_core.errors import WorkerNameTaken
from queue_core.ids import BootId
from queue_core.outcome import after_crash, worker_lost
from queue_core.status import KillReason, Status
from queue_core.task import AttemptOutcome
from queue_core.worker_info import Beat, BeatReply, Registration, WorkerState

RESCUED_AT_ONCE: Final = 500
"""How many tasks one transaction takes back at most."""


async def register(tx: Transaction, worker: Registration) -> Rescued:
    """Record a process life; see ``Backend.register``."""
    rescued = await _clear_name(tx, worker)
    await tx.run("register", **_row(tx, worker))
    tx.tally.named.update(worker.queues)
    tx.tally.topics.add(WORKERS)
    return rescued


def _row(tx: Transaction, worker: Registration) -> dict[str, Any]:
    return {
        "boot": worker.boot,
        "name": worker.name,
        "queues": to_json(worker.queues),
        "names": None if worker.names is None else to_json(worker.names),
        "host": worker.host,
        "pid": worker.pid,
        "process": worker.process,
        "version": worker.version,
        "middleware": to_json(worker.middleware),
        "concurrency": worker.concurrency,
        "lease_us": round(worker.lease_ttl * 1_000_000),
        "now": tx.now,
    }


async def _clear_name(tx: Transaction, worker: Registration) -> Rescued:
    """Take over from dead predecessors of the same name. Raises WorkerNameTaken while one lives."""
    lost = []
    for boot, host, pid, process, last_heartbeat, lease_us in await tx.rows("namesakes", name=worker.name, boot=worker.boot):
        alive = tx.now <= last_heartbeat + lease_us
        if alive and not is_gone(_predecessor(worker, host, pid, process), worker):
            raise WorkerNameTaken(
                f"A living worker is called {worker.name!r} (process {pid} on {host}, last heard of {from_us(last_heartbeat):%H:%M:%S} UTC). "
                "Give this one another name, or stop that one first."
            )
        lost.append(boot)
    return await take_back(tx, lost, await _rows_of(tx, lost))


def _predecessor(worker: Registration, host: str, pid: int, process: str) -> Registration:
    return replace(worker, host=host, pid=pid, process=process)


async def _rows_of(tx: Transaction, boots: list[str]) -> list[tuple[Held, int, int]]:
    return [_leased(row) for boot in boots for row in await tx.rows("leased_by", boot=boot)]


def _leased(row: Any) -> tuple[Held, int, int]:
    """A leased row with its crashes and its limit of attempts."""
    *held, crashes, max_attempts = row
    return Held(*held), crashes, max_attempts


async def beat(tx: Transaction, beat: Beat) -> BeatReply:
    """Renew the leases of a process life; see ``Backend.heartbeat``."""
    alive = await tx.run("heartbeat", boot=beat.boot, state=beat.state.value, running=beat.running, rss=beat.rss, cpu=beat.cpu, now=tx.now)
    if alive:
        tx.tally.topics.add(WORKERS)
    return BeatReply(alive=bool(alive))


async def deregister(tx: Transaction, boot: BootId) -> None:
    """Record that a worker ended properly; see ``Backend.deregister``."""
    if not await tx.run("end_worker", boot=boot, state=WorkerState.STOPPED.value, now=tx.now):
        return
    tx.tally.topics.add(WORKERS)
    rows = [held for held, _, _ in await _rows_of(tx, [boot])]
    for held in rows:
        if held.status == Status.RUNNING:
            await keep_attempt(tx, held, AttemptOutcome.RELEASED)
    await give_back(tx, rows)


# --- rescue ----------------------------------------------------------------------------------------------


async def rescue(tx: Transaction) -> tuple[Rescued, bool]:
    """Take back one batch of what dead workers hold; also whether there may be more."""
    lost = [boot for (boot,) in await tx.rows("silent_workers", now=tx.now)]
    orphans = [_leased(row) for row in await tx.rows("orphans", now=tx.now, limit=RESCUED_AT_ONCE)]
    return await take_back(tx, lost, orphans), len(orphans) == RESCUED_AT_ONCE


async def take_back(tx: Transaction, lost: list[str], orphans: list[tuple[Held, int, int]]) -> Rescued:
    """Mark the workers ``lost`` and let their tasks wait again, or end them."""
    names = tuple([row[0] for boot in lost for row in await tx.rows("lose_worker", boot=boot, now=tx.now)])
    if names:
        tx.tally.topics.add(WORKERS)
    reasons = [
        after_crash(crashes=crashes + 1, attempts=held.attempts, max_attempts=most, kill_requested=held.kill_requested_at is not None)
        for held, crashes, most in orphans
    ]
    await tx.many("rescue", [_rescue_row(tx, held, reason) for (held, _, _), reason in zip(orphans, reasons, strict=True)])
    for (held, _, _), reason in zip(orphans, reasons, strict=True):
        await _record(tx, held, reason)
    killed = sum(reason is not None for reason in reasons)
    return Rescued(len(orphans) - killed, killed, names)


def _rescue_row(tx: Transaction, held: Held, reason: KillReason | None) -> dict[str, Any]:
    return {
        "id": held.id,
        "status": (Status.KILLED if reason else Status.PENDING).value,
        "reason": reason and reason.value,
        "stage": None if reason else due_in(held.group),
        "done_at": tx.now if reason else None,
        "error": worker_lost(held.worker, held.attempts).line if held.status == Status.RUNNING else None,
    }


async def _record(tx: Transaction, held: Held, reason: KillReason | None) -> None:
    tx.tally.move(held.queue, held.status, Status.KILLED if reason else Status.PENDING)
    tx.tally.work.add(held.queue)
    tx.tally.boots.add(held.boot)
    tx.tally.moved_in(held.queue, held.group)
    if reason is not None:
        tx.tally.ended.add(held.id)
    if held.status == Status.RUNNING:
        await keep_attempt(tx, held, AttemptOutcome.CRASHED, error=worker_lost(held.worker, held.attempts))
