"""One task: how it stands, why it waits, where its time went, what went in and came out, and who touched it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from board.contexts import (
    ArgumentsPart,
    AttemptRow,
    AttemptsPart,
    AuditLine,
    AuditPart,
    Fact,
    FactsPart,
    KillSteps,
    LogPart,
    LogRow,
    Payload,
    ResultPart,
    TaskHeadPart,
    TaskPage,
    TimelinePart,
    WhyPart,
)
from board.filters import plural, utc, visible
from board.params import short
from board.payloads import payload, redacted_text
from board.screen import Ask, Fragment, NotFound, Screen
from board.tracebacks import frames
from board.views.rows import VERBS, Crew, task_row
from board.views.timeline import phases
from board.views.waiting import reasons
from queue_core.expose import (
    Action,
    Attempt,
    AttemptOutcome,
    AuditEntry,
    ErrorInfo,
    KillReason,
    LogEntry,
    LogFilter,
    LogPage,
    Status,
    Task,
    TaskId,
    Topic,
    queue_topic,
)

SHOWN_LINES: Final = 100
SHOWN_CHARACTERS: Final = 2_000
"""How much of its log a page shows; it is sent again with each line that comes."""
KEPT: Final = 100
"""Attempts and audit lines that a store hands out."""


async def task(ask: Ask, named: Mapping[str, str]) -> Screen:
    """One task. Raises NotFound."""
    found = await find(ask, named["id"])
    crew = await Crew.of(ask)
    attempts = await ask.store.attempts(found.id)
    audit = await ask.store.list_audit(task=found.id, limit=KEPT)
    log = await ask.store.list_logs(LogFilter(task=found.id), limit=SHOWN_LINES) if ask.store.capabilities.logs else None
    head = _head(ask, found, crew)
    why = WhyPart(shown=found.status in (Status.PENDING, Status.FAILED, Status.QUEUED), reasons=await reasons(ask, found, crew))
    return Screen(
        template="tasks/show.html",
        page=TaskPage(id=found.id, name=visible(found.name)),
        title=visible(found.name),
        nav="tasks",
        fragments=(
            Fragment(id="task-head", template="tasks/_head.html", context=head),
            Fragment(id="task-why", template="tasks/_why.html", context=why),
            Fragment(id="task-timeline", template="tasks/_timeline.html", context=_timeline(found, attempts, audit, crew)),
            Fragment(id="task-facts", template="tasks/_facts.html", context=_facts(ask, found)),
            Fragment(id="task-arguments", template="tasks/_arguments.html", context=_arguments(ask, found)),
            Fragment(id="task-result", template="tasks/_result.html", context=_result(ask, found)),
            Fragment(id="task-attempts", template="tasks/_attempts.html", context=_attempts(ask, found, attempts)),
            *([] if log is None else [Fragment(id="task-log", template="tasks/_log.html", context=_log(ask, found, log))]),
            Fragment(id="task-audit", template="tasks/_audit.html", context=AuditPart(lines=tuple(_audit_line(entry) for entry in audit))),
        ),
        topics=frozenset({queue_topic(found.queue), Topic("queues"), Topic("workers"), Topic("audit")}),
        gone=(Fragment(id="task-head", template="tasks/_head.html", context=_gone(head)),),
    )


async def find(ask: Ask, id: str) -> Task:
    """The stored task. Raises NotFound."""
    found = await ask.store.fetch(TaskId(id))
    if found is None:
        raise NotFound(f"No stored task has the id {short(id)}. It was never pushed here, it was deleted, or retention removed it.")
    return found


# --- how it stands -------------------------------------------------------------------------------------------


def _head(ask: Ask, task: Task, crew: Crew) -> TaskHeadPart:
    return TaskHeadPart(task=task_row(ask, task, crew), sentence=sentence(task, crew), kill=_kill(task), gone=False)


def _gone(head: TaskHeadPart) -> TaskHeadPart:
    """What is left of a deleted task: what was known, and nothing to do."""
    row = replace(head.task, buttons=(), selectable=False)
    return replace(head, task=row, sentence="It was deleted.", kill=None, gone=True)


def sentence(task: Task, crew: Crew) -> str:
    """The condition of a task in words."""
    tries = f"{task.attempts} of {plural(task.max_attempts, 'attempt')}"
    worker = visible(task.worker or "a worker")
    match task.status:
        case Status.PENDING if task.run_at > crew.now:
            return f"It is scheduled for {utc(task.run_at)} UTC."
        case Status.PENDING:
            return "It is due and waits for a worker."
        case Status.QUEUED:
            return f"{worker} has claimed it; its handler starts when a slot is free."
        case Status.RUNNING if crew.holds_dead(task.boot):
            return f"{worker} ran it and is gone; it goes back to its queue when the lease has run out."
        case Status.RUNNING:
            return f"{worker} runs attempt {tries}."
        case Status.DONE:
            return f"It succeeded on attempt {tries}."
        case Status.FAILED if task.run_at > crew.now:
            return f"{tries} failed; the next one is due at {utc(task.run_at)} UTC."
        case Status.FAILED:
            return f"{tries} failed; the next one is due and waits for a worker."
        case Status.KILLED:
            return _killed(task.reason, tries)


def _killed(reason: KillReason | None, tries: str) -> str:
    match reason:
        case KillReason.EXHAUSTED:
            return f"It was given up after {tries} failed."
        case KillReason.ABORTED:
            return "Its handler gave it up, or its arguments could not be read; the error says why."
        case KillReason.CRASHED:
            return "Too many of the workers that ran it died, so it is not tried again."
        case KillReason.EXPIRED:
            return "It was not started before it expired."
        case KillReason.UPSTREAM:
            return "A task that it depends on was killed."
        case KillReason.KILLED | None:
            return "It was killed by a person or a program."


def _kill(task: Task) -> KillSteps | None:
    if task.kill_requested_at is None:
        return None
    worker = visible(task.worker or "its worker")
    text = f"{worker} was asked to stop it; it has not stopped yet." if task.status is Status.RUNNING else f"{worker} stopped it."
    return KillSteps(asked=task.kill_requested_at, stopped=task.done_at if task.status is Status.KILLED else None, text=text)


def _timeline(task: Task, attempts: Sequence[Attempt], audit: Sequence[AuditEntry], crew: Crew) -> TimelinePart:
    total = (task.done_at - task.created_at).total_seconds() if task.done_at else None
    return TimelinePart(phases=phases(task, attempts, audit, crew.now), total=total, cut=len(attempts) >= KEPT)


# --- what is stored ------------------------------------------------------------------------------------------


def _facts(ask: Ask, task: Task) -> FactsPart:
    moments = (("Pushed", task.created_at), ("Due", task.run_at), ("Claimed", task.queued_at), ("Started", task.started_at), ("Ended", task.done_at))
    facts = [
        Fact(label="Queue", text=visible(task.queue), at=None, seconds=None, href=ask.urls.queue(task.queue), code=False),
        *(Fact(label=label, text=None, at=at, seconds=None, href=None, code=False) for label, at in moments if at),
        _fact("Attempts", f"{task.attempts} of {task.max_attempts}"),
        _fact("Priority", str(task.priority)),
        *_optional_facts(ask, task),
    ]
    metadata = _payload(ask, task, _metadata(task), "metadata") if task.metadata else None
    checkpoint = None if task.checkpoint is None else _payload(ask, task, task.checkpoint, "checkpoint")
    return FactsPart(facts=tuple(facts), tags=tuple(visible(tag) for tag in task.tags), metadata=metadata, checkpoint=checkpoint)


def _optional_facts(ask: Ask, task: Task) -> list[Fact]:
    facts = []
    if task.crashes:
        facts.append(_fact("Crashes", plural(task.crashes, "worker") + " died under it"))
    if task.timeout is not None:
        facts.append(Fact(label="Time limit", text=None, at=None, seconds=task.timeout, href=None, code=False))
    if task.retry:
        facts.append(_fact("Backoff", f"{task.retry.backoff}, {task.retry.min:g} s to {task.retry.max:g} s"))
    if task.key:
        facts.append(_fact("Key", task.key, code=True))
    if task.group:
        facts.append(_fact("Group", task.group, code=True))
    if task.expires_at:
        facts.append(Fact(label="Expires", text=None, at=task.expires_at, seconds=None, href=None, code=False))
    if task.worker:
        href = ask.urls.worker(task.boot) if task.boot else None
        facts.append(Fact(label="Worker", text=visible(task.worker), at=None, seconds=None, href=href, code=False))
    if task.parent:
        facts.append(Fact(label="Parent", text=visible(task.parent), at=None, seconds=None, href=ask.urls.task(task.parent), code=True))
    return facts


def _fact(label: str, text: str, *, code: bool = False) -> Fact:
    return Fact(label=label, text=visible(text), at=None, seconds=None, href=None, code=code)


def _metadata(task: Task) -> bytes:
    return msgspec.json.encode(dict(task.metadata), enc_hook=repr)


def _payload(ask: Ask, task: Task, data: bytes, part: str) -> Payload:
    codec = "json" if part == "metadata" else task.codec
    href = ask.urls.task_part(task.id, part)
    return payload(data, codec, name=task.name, codecs=ask.store.codecs, redact=ask.redact, raw_href=href)


def stored(task: Task, part: str) -> tuple[bytes | None, str]:
    """The bytes of ``arguments``, ``result``, ``checkpoint`` or ``metadata`` and the codec that they are written in."""
    match part:
        case "arguments":
            return task.args, task.codec
        case "result":
            return task.result, task.codec
        case "checkpoint":
            return task.checkpoint, task.codec
        case _:
            return _metadata(task), "json"


def _arguments(ask: Ask, task: Task) -> ArgumentsPart:
    return ArgumentsPart(payload=_payload(ask, task, task.args, "arguments"))


def _result(ask: Ask, task: Task) -> ResultPart:
    return ResultPart(payload=None if task.result is None else _payload(ask, task, task.result, "result"))


# --- attempts --------------------------------------------------------------------------------------------------


def _attempts(ask: Ask, task: Task, attempts: Sequence[Attempt]) -> AttemptsPart:
    latest_failure = next((place for place in reversed(range(len(attempts))) if attempts[place].error), None)
    rows = [_attempt(ask, task, attempt, place, opened=place == latest_failure) for place, attempt in enumerate(attempts)]
    return AttemptsPart(attempts=tuple(reversed(rows)), cut=len(attempts) >= KEPT)


def _attempt(ask: Ask, task: Task, attempt: Attempt, place: int, *, opened: bool) -> AttemptRow:
    error = attempt.error
    traceback = redacted_text(task.name, error.traceback, ask.redact) if error and error.traceback else None
    outcome = attempt.outcome.value if attempt.outcome else "running"
    started = int(attempt.started_at.timestamp() * 1000) if attempt.started_at else place
    return AttemptRow(
        dom_id=f"attempt-{attempt.number}-{started}",
        number=attempt.number,
        outcome=outcome.replace(" ", "-"),
        label=outcome.capitalize(),
        worker=visible(attempt.worker) if attempt.worker else None,
        started_at=attempt.started_at,
        running_since=attempt.started_at if attempt.outcome is None else None,
        seconds=attempt.ran_for,
        error_line=redacted_text(task.name, error.line, ask.redact) if error else None,
        error_message=_long_message(ask, task, error) if error else None,
        traceback=traceback,
        frames=frames(traceback) if traceback else (),
        open=opened and attempt.outcome is not AttemptOutcome.SUCCEEDED,
    )


def _long_message(ask: Ask, task: Task, error: ErrorInfo) -> str | None:
    """The whole message, where the line does not say it all."""
    return redacted_text(task.name, error.message, ask.redact) if error.message.strip() not in error.line else None


# --- what it logged ----------------------------------------------------------------------------------------------


def _log(ask: Ask, task: Task, page: LogPage) -> LogPart:
    several = len({entry.attempt for entry in page.lines}) > 1
    rows = tuple(_log_row(ask, task, entry, several) for entry in page.lines)
    return LogPart(lines=rows, cut=page.older is not None, command=f"prinia tasks logs {shlex.quote(task.id)}")


def _log_row(ask: Ask, task: Task, entry: LogEntry, several: bool) -> LogRow:
    message = redacted_text(task.name, entry.message, ask.redact) or ""
    return LogRow(
        dom_id=f"log-{entry.place}",
        at=entry.at,
        level=_level(entry.level),
        label=visible(entry.level_name),
        attempt=entry.attempt if several else None,
        logger=visible(entry.logger),
        message=message[:SHOWN_CHARACTERS],
        cut=len(message) > SHOWN_CHARACTERS,
    )


def _level(level: int) -> str:
    return "error" if level >= 40 else "warning" if level >= 30 else "info" if level >= 20 else "debug"


# --- who touched it -------------------------------------------------------------------------------------------


def _audit_line(entry: AuditEntry) -> AuditLine:
    others = entry.count - 1
    return AuditLine(
        at=entry.at,
        actor=visible(entry.actor),
        text=f"{_done(entry.action)} it" + (f" with {plural(others, 'other')}" if others > 0 else ""),
        reason=visible(entry.reason) if entry.reason else None,
    )


def _done(action: Action) -> str:
    words = {verb.action: verb.done for verb in VERBS} | {
        Action.RUN_NOW: "ran",
        Action.PUSH: "pushed",
        Action.RESCHEDULE: "rescheduled",
        Action.UPDATE: "changed",
        Action.RUN_SCHEDULE: "pushed",
    }
    return words.get(action, action.value)
