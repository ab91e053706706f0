"""The life of tasks as lifecycle.md tells it, in plain Python: slow, obvious, and written without a look at any backend."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

TTL = 10
MAX_CRASHES = 3
WAITING = {"Pending", "Failed"}
HELD = {"Queued", "Running"}
FINAL = {"Done", "Killed"}
ALLOWED = {
    "retry": {"Failed", "Killed", "Done"},
    "kill": {"Pending", "Failed", "Queued", "Running"},
    "run_now": WAITING,
    "reschedule": WAITING,
    "update": WAITING,
    "delete": FINAL,
}


Rate = tuple[int, int]
"""How many starts, in how many seconds."""


@dataclass(frozen=True)
class ModelLimits:
    """What a queue lets in; None: anything."""

    at_once: int | None = None
    rate: Rate | None = None
    group_at_once: int | None = None
    group_rate: Rate | None = None
    ordered: bool = False


@dataclass(frozen=True)
class Rule:
    """What becomes of a key that is taken: it is kept for ever, while its task lives, for some seconds, or its task waits anew."""

    live: bool = False
    seconds: int | None = None
    debounce: int | None = None
    debounce_max: int | None = None


@dataclass
class ModelTask:
    """A task, as much of it as the rules speak of. Times are seconds since the start."""

    id: str
    place: int
    queue: str
    key: str | None
    priority: int
    run_at: int
    max_attempts: int
    expires_at: int | None
    group: str | None = None
    created_at: int = 0
    status: str = "Pending"
    reason: str | None = None
    attempts: int = 0
    crashes: int = 0
    done_at: int | None = None
    kill_asked: bool = False
    holder: str | None = None
    lease: int | None = None

    def end(self, status: str, now: int, reason: str | None = None) -> None:
        self.status, self.reason, self.done_at = status, reason, now
        self.lease = None

    def wait(self, status: str, now: int, run_at: int | None = None) -> None:
        """Back to waiting, unless its kill was asked for."""
        if self.kill_asked:
            return self.end("Killed", now, "killed")
        self.status, self.lease = status, None
        self.run_at = self.run_at if run_at is None else run_at
        return None


@dataclass
class ModelWorker:
    """One process life."""

    boot: str
    name: str
    beat: int
    state: str = "running"


@dataclass
class Lifecycle:
    """All tasks, workers and pauses, and every rule that moves them."""

    now: int = 0
    tasks: dict[str, ModelTask] = field(default_factory=dict)
    workers: dict[str, ModelWorker] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    queues: set[str] = field(default_factory=set)
    leases: int = 0
    places: int = 0
    limits: dict[str, ModelLimits] = field(default_factory=dict)
    starts: list[tuple[str, str | None, int]] = field(default_factory=list)
    """Queue, group and time of all that was ever taken."""

    # --- producing ---------------------------------------------------------------------------------------

    def push(
        self,
        id: str,
        queue: str,
        key: str | None,
        priority: int,
        delay: int,
        max_attempts: int,
        lifetime: int | None,
        group: str | None,
        rule: Rule,
    ) -> tuple[str, bool]:
        """The id of the stored task, and whether it is new."""
        for task in self.tasks.values():
            if key is not None and (task.queue, task.key) == (queue, key):
                if self._keeps_key(task, rule):
                    return task.id, False
                task.key = None
        self.places += 1
        self.queues.add(queue)
        expires_at = None if lifetime is None else self.now + lifetime
        run_at = self.now + (delay if rule.debounce is None else rule.debounce)
        self.tasks[id] = ModelTask(id, self.places, queue, key, priority, run_at, max_attempts, expires_at, group, self.now)
        return id, True

    def _keeps_key(self, holder: ModelTask, rule: Rule) -> bool:
        if rule.debounce is not None:
            waits = holder.status == "Pending" and holder.attempts == 0
            if waits:
                most = holder.created_at + (1_000_000 if rule.debounce_max is None else rule.debounce_max)
                holder.run_at = min(self.now + rule.debounce, most)
            return waits
        if rule.seconds is not None:
            return self.now < holder.created_at + rule.seconds
        return not (rule.live and holder.status in FINAL)

    # --- workers -------------------------------------------------------------------------------------------

    def register(self, boot: str, name: str) -> tuple[int, int] | None:
        """How many tasks of a predecessor came back and were killed; None: the name is taken."""
        others = [worker for worker in self.workers.values() if worker.name == name and worker.state == "running"]
        if any(self.now - worker.beat <= TTL for worker in others):
            return None
        rescued = self._lose(others)
        self.workers[boot] = ModelWorker(boot, name, self.now)
        return rescued

    def heartbeat(self, boot: str) -> bool:
        worker = self.workers[boot]
        if worker.state == "running":
            worker.beat = self.now
        return worker.state == "running"

    def deregister(self, boot: str) -> None:
        if self.workers[boot].state != "running":
            return
        for task in self.held_by(boot):
            if task.status == "Running":
                task.attempts -= 1
            task.wait("Pending", self.now)
        self.workers[boot].state = "stopped"

    def rescue(self) -> tuple[int, int]:
        return self._lose([worker for worker in self.workers.values() if worker.state == "running" and self.now - worker.beat > TTL])

    def _lose(self, workers: Iterable[ModelWorker]) -> tuple[int, int]:
        orphans = [task for worker in workers for task in self.held_by(worker.boot)]
        for worker in workers:
            worker.state = "lost"
        for task in orphans:
            task.crashes += 1
            if task.kill_asked:
                task.end("Killed", self.now, "killed")
            elif task.crashes > MAX_CRASHES:
                task.end("Killed", self.now, "crashed")
            elif task.attempts >= task.max_attempts:
                task.end("Killed", self.now, "exhausted")
            else:
                task.wait("Pending", self.now)
        killed = sum(task.status == "Killed" for task in orphans)
        return len(orphans) - killed, killed

    def held_by(self, boot: str) -> list[ModelTask]:
        return [task for task in self.tasks.values() if task.status in HELD and task.holder == boot]

    # --- running -------------------------------------------------------------------------------------------

    def claim(self, boot: str, queues: Collection[str], limit: int, start: int) -> tuple[list[ModelTask], int | None]:
        """The claimed tasks in order, and the seconds until the next one can be if none is left that can be now."""
        if self.workers[boot].state != "running":
            return [], None
        due = self.claimable(queues)
        for number, task in enumerate(due[:limit]):
            self.leases += 1
            task.status, task.holder, task.lease = "Queued", boot, self.leases
            self.starts.append((task.queue, task.group, self.now))
            if number < start:
                self.start(task.id, self.leases)
        return due[:limit], None if len(due) > limit else self._next(queues)

    def claimable(self, queues: Collection[str]) -> list[ModelTask]:
        """What could be claimed now, in order."""
        due = [task for task in self._waiting(queues) if task.run_at <= self.now and not self.has_expired(task)]
        return self.let_in(sorted(due, key=lambda task: (-task.priority, task.run_at, task.place)))

    def _waiting(self, queues: Collection[str]) -> list[ModelTask]:
        return [task for task in self.tasks.values() if task.queue in queues and task.queue not in self.paused and task.status in WAITING]

    def _next(self, queues: Collection[str]) -> int | None:
        """Seconds until something can be claimed, if nothing else happens; without limits, until the next is due, though it may expire before."""
        if not any(self.limits.get(queue) for queue in queues):
            return min([task.run_at - self.now for task in self._waiting(queues) if task.run_at > self.now], default=None)
        now = self.now
        try:
            for seconds in range(1, 60):
                self.now = now + seconds
                if self.claimable(queues):
                    return seconds
        finally:
            self.now = now
        return None

    def let_in(self, due: Sequence[ModelTask]) -> list[ModelTask]:
        """Those of ``due`` for which there is room, one after the other."""
        found: list[ModelTask] = []
        for task in due:
            limits = self.limits.get(task.queue, ModelLimits())
            if self._has_room(task, found, limits) and (task.group is None or self._has_room_in_group(task, found, limits)):
                found.append(task)
        return found

    def _has_room(self, task: ModelTask, found: Sequence[ModelTask], limits: ModelLimits) -> bool:
        new = sum(other.queue == task.queue for other in found)
        held = sum(other.queue == task.queue and other.status in HELD for other in self.tasks.values())
        starts = [at for queue, _, at in self.starts if queue == task.queue]
        return self._fits(new, held, limits.at_once, starts, limits.rate)

    def _has_room_in_group(self, task: ModelTask, found: Sequence[ModelTask], limits: ModelLimits) -> bool:
        own = (task.queue, task.group)
        new = sum((other.queue, other.group) == own for other in found)
        live = [other for other in self.tasks.values() if (other.queue, other.group) == own and other.status not in FINAL]
        held = sum(other.status in HELD for other in live)
        starts = [at for queue, group, at in self.starts if (queue, group) == own]
        if limits.ordered and (new or held or task is not min(live, key=lambda other: other.place)):
            return False
        return self._fits(new, held, limits.group_at_once, starts, limits.group_rate)

    def _fits(self, new: int, held: int, at_once: int | None, starts: Sequence[int], rate: Rate | None) -> bool:
        if at_once is not None and held + new >= at_once:
            return False
        return rate is None or sum(at > self.now - rate[1] for at in starts) + new < rate[0]

    def has_expired(self, task: ModelTask) -> bool:
        return task.status in WAITING and task.expires_at is not None and task.expires_at <= self.now

    def holds(self, id: str, lease: int, status: str) -> bool:
        return id in self.tasks and self.tasks[id].lease == lease and self.tasks[id].status == status

    def start(self, id: str, lease: int) -> bool:
        if not self.holds(id, lease, "Queued"):
            return False
        self.tasks[id].status = "Running"
        self.tasks[id].attempts += 1
        return True

    def release(self, id: str, lease: int) -> bool:
        if not self.holds(id, lease, "Queued"):
            return False
        self.tasks[id].wait("Pending", self.now)
        return True

    def ack(self, id: str, lease: int, outcome: str, delay: int) -> bool:
        if not self.holds(id, lease, "Running"):
            return False
        task = self.tasks[id]
        if outcome == "ok":
            task.end("Done", self.now)
        elif outcome == "abort":
            task.end("Killed", self.now, "aborted")
        elif outcome == "stop":
            task.end("Killed", self.now, "killed")
        elif outcome == "error" and task.attempts >= task.max_attempts:
            task.end("Killed", self.now, "exhausted")
        elif outcome == "error":
            task.wait("Failed", self.now, self.now + delay)
        else:
            task.attempts -= 1
            task.wait("Pending", self.now, self.now + (delay if outcome == "defer" else 0))
        return True

    def expire(self) -> int:
        expired = [task for task in self.tasks.values() if self.has_expired(task)]
        for task in expired:
            task.end("Killed", self.now, "expired")
        return len(expired)

    # --- acting --------------------------------------------------------------------------------------------

    def act(self, action: str, ids: Sequence[str], run_at: int) -> tuple[list[str], list[str]]:
        """Which tasks an action changed, and which it left alone."""
        changed, skipped = [], []
        for id in dict.fromkeys(ids):
            if id in self.tasks and self.tasks[id].status in ALLOWED[action]:
                self._act(action, self.tasks[id], run_at)
                changed.append(id)
            else:
                skipped.append(id)
        return changed, skipped

    def _act(self, action: str, task: ModelTask, run_at: int) -> None:
        if action == "retry":
            task.status, task.reason, task.done_at, task.run_at = "Pending", None, None, self.now
            task.max_attempts = max(task.max_attempts, task.attempts + 1)
            task.crashes, task.expires_at, task.kill_asked = 0, None, False
        elif action == "kill" and task.status == "Running":
            task.kill_asked = True
        elif action == "kill":
            task.end("Killed", self.now, "killed")
        elif action == "run_now":
            task.run_at = min(task.run_at, self.now)
        elif action == "reschedule":
            task.run_at = run_at
        elif action == "update":
            task.priority = run_at % 3 - 1
        else:
            del self.tasks[task.id]

    def pause(self, queue: str) -> None:
        for task in self.tasks.values():
            if queue not in self.paused and task.queue == queue and task.status == "Queued":
                task.wait("Pending", self.now)
        self.paused.add(queue)

    def resume(self, queue: str) -> None:
        self.paused.discard(queue)

    def prune(self, done: int, killed: int) -> int:
        ages = {"Done": done, "Killed": killed}
        old = [task.id for task in self.tasks.values() if task.done_at is not None and self.now - task.done_at >= ages[task.status]]
        for id in old:
            del self.tasks[id]
        return len(old)
