"""The JSON API's answers. Paths and shapes are the seed board's; what is Prinia's own stands beside them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from board import params
from board.api import shapes
from board.api.events import events
from board.api.openapi import document
from board.api.parameters import check
from board.params import Query
from board.screen import Ask, NotFound
from board.security import check_origin
from board.site import Visit
from board.urls import name_of, with_query
from board.views.acts import perform, set_pause
from board.views.rows import verb_at
from board.views.task import find
from queue_core.expose import (
    Action,
    Cursor,
    DecodeError,
    InvalidValue,
    LogFilter,
    NewTask,
    QueueName,
    Span,
    Status,
    TaskFilter,
    TaskId,
)

PAGE_SIZE: Final = 10
LINES: Final = 100
MAX_PAGE_SIZE: Final = 1_000
MAX_OFFSET: Final = 10_000
MAX_BODY: Final = 16 * 1024 * 1024
STRIDE: Final = 1_000
WEEK: Final = timedelta(days=6)


# --- questions -------------------------------------------------------------------------------------------------


async def queues(visit: Visit) -> Response:
    """Every queue."""
    ask = await _ask(visit)
    now = await ask.store.now()
    answers = []
    for info in await ask.store.list_queues():
        activity = await ask.store.series(Span.DAY, since=now - WEEK, until=now, queue=info.name)
        answers.append(shapes.queue(info, await ask.store.statistics(info.name), activity))
    return _json(answers)


async def workers(visit: Visit) -> Response:
    """Every worker, once for each queue that it serves."""
    ask = await _ask(visit)
    return _json([line for worker in await ask.store.list_workers() for line in shapes.workers(worker)])


async def overview(visit: Visit) -> Response:
    """The statistics of all queues together."""
    ask = await _ask(visit)
    return _json([shapes.statistic(one) for one in await ask.store.statistics()])


async def tasks(visit: Visit) -> Response:
    """A page of the tasks of all queues."""
    return await _page(visit, None)


async def queue_tasks(visit: Visit) -> Response:
    """A page of the tasks of one queue."""
    ask = await _ask(visit)
    return await _page(visit, await _queue(ask, visit))


async def queue_task(visit: Visit) -> Response:
    """One task, if it is in this queue."""
    ask = await _ask(visit)
    queue, task = name_of(visit.request.path_params["queue"]), await find(ask, name_of(visit.request.path_params["id"]))
    if task.queue != queue:
        raise NotFound(f"The task {params.short(task.id)} is in queue {params.short(task.queue)}, not in {params.short(queue)}.")
    return _json(shapes.task(ask, task))


async def task(visit: Visit) -> Response:
    """One task, whichever queue it is in."""
    ask = await _ask(visit)
    return _json(shapes.task(ask, await find(ask, name_of(visit.request.path_params["id"]))))


async def attempts(visit: Visit) -> Response:
    """The attempts of a task, oldest first."""
    ask = await _ask(visit)
    found = await find(ask, name_of(visit.request.path_params["id"]))
    return _json([shapes.attempt(ask, found, one) for one in await ask.store.attempts(found.id)])


async def logs(visit: Visit) -> Response:
    """What the handler of a task logged: the latest lines, oldest first."""
    ask, query = await _ask(visit), _query(visit)
    found = await find(ask, name_of(visit.request.path_params["id"]))
    if not ask.store.capabilities.logs:
        raise NotFound(f"The store {ask.store.kind} has no logs: it does not keep what handlers log.")
    wanted = LogFilter(
        task=found.id,
        attempt=params.whole_number(query, "attempt", 0, low=1, high=2**31 - 1) or None,
        level=params.level_named(query.get("level")) if query.get("level") else 0,
    )
    size = params.whole_number(query, "page_size", LINES, low=1, high=MAX_PAGE_SIZE)
    page = await ask.store.list_logs(wanted, start=Cursor(query.get("cursor")) if query.get("cursor") else None, limit=size)
    return _json([shapes.log_line(ask, found, entry) for entry in page.lines], headers=_links(visit, next=page.older, prev=page.newer))


async def audit(visit: Visit) -> Response:
    """The latest actions of people, newest first."""
    ask = await _ask(visit)
    limit = params.whole_number(_query(visit), "limit", 100, low=1, high=1_000)
    return _json([shapes.audit(entry) for entry in await ask.store.list_audit(limit=limit)])


async def queue_workers(visit: Visit) -> Response:
    """The workers of one queue."""
    ask = await _ask(visit)
    queue = await _queue(ask, visit)
    return _json([line for worker in await ask.store.list_workers(queue) for line in shapes.workers(worker, queue)])


async def queue_stats(visit: Visit) -> Response:
    """The statistics of one queue."""
    ask = await _ask(visit)
    return _json([shapes.statistic(one) for one in await ask.store.statistics(await _queue(ask, visit))])


async def log(visit: Visit) -> Response:
    """Changes of tasks as log lines, as they happen."""
    return events(visit.site.hub, await _ask(visit))


async def openapi(visit: Visit) -> Response:
    """What this API is, for programs."""
    routes = [*(("GET", path, answer) for path, answer in QUESTIONS), *ACTIONS]
    return _json(document(routes, visit.urls.at("/api/v1")))


# --- pages of tasks ------------------------------------------------------------------------------------------


async def _page(visit: Visit, queue: QueueName | None) -> Response:
    """By ``page`` and ``page_size`` as the seed has it, or from a ``cursor`` on, which has no end."""
    ask, query = await _ask(visit), _query(visit)
    wanted = _filter(query, queue)
    size = params.whole_number(query, "page_size", PAGE_SIZE, low=1, high=MAX_PAGE_SIZE)
    given = query.get("cursor")
    reached, start = (True, Cursor(given)) if given else await _walk(ask, wanted, _skipped(query, size))
    if not reached:
        return _json([])
    page = await ask.store.list_tasks(wanted, start=start, limit=size)
    found = await ask.store.fetch_many([task.id for task in page.tasks])
    return _json([shapes.task(ask, task) for task in found], headers=_links(visit, next=page.older))


def _filter(query: Query, queue: QueueName | None) -> TaskFilter:
    """Which tasks are asked for: as the seed has it, the Pending ones unless said otherwise."""
    words = query.all("status") or (Status.PENDING.value,)
    return TaskFilter(
        queue=queue or QueueName(params.bounded("queue", query.get("queue"))) or None,
        statuses=() if words == ("all",) else tuple(params.status_named(word) for word in words),
        name=params.bounded("name", query.get("name")) or None,
        text=params.bounded("text", query.get("text")) or None,
    )


def _skipped(query: Query, size: int) -> int:
    """How many tasks come before the page. Raises InvalidValue beyond what is counted through."""
    number = params.whole_number(query, "page", 1, low=1, high=10**12)
    if number * size > MAX_OFFSET:
        raise InvalidValue(
            f"page {number:,} of {size:,} reaches beyond the first {MAX_OFFSET:,} tasks. Go on by the cursor parameter: "
            "each answer's Link header (rel=next) has the address of the next page."
        )
    return (number - 1) * size


async def _walk(ask: Ask, wanted: TaskFilter, skipped: int) -> tuple[bool, Cursor | None]:
    """Where the page starts, found by going there; False when the list ends before."""
    start: Cursor | None = None
    while skipped:
        page = await ask.store.list_tasks(wanted, start=start, limit=min(skipped, STRIDE))
        skipped -= min(skipped, STRIDE)
        start = page.older
        if start is None:
            return False, None
    return True, start


def _links(visit: Visit, **cursors: Cursor | None) -> dict[str, str]:
    """The header with the addresses of the pages beside this one, each under its relation."""
    links = [f'<{_address(visit, cursor)}>; rel="{relation}"' for relation, cursor in cursors.items() if cursor is not None]
    return {"Link": ", ".join(links)} if links else {}


def _address(visit: Visit, cursor: Cursor) -> str:
    pairs = [*_query(visit).without("page", "cursor"), ("cursor", str(cursor))]
    return with_query(visit.urls.at(visit.request.scope["path"]), pairs)


# --- actions -----------------------------------------------------------------------------------------------


async def push(visit: Visit) -> Response:
    """Push a task: the body is its arguments. ``name`` is its task's name (else the queue's); also run_after, priority, max_attempts, key."""
    visit.permissions.require(Action.PUSH)
    body = await _body(visit.request)
    ask, query = await _ask(visit), _query(visit)
    _parsed(body)
    queue = QueueName(name_of(visit.request.path_params["queue"]))
    run_after = params.whole_number(query, "run_after", 0, low=0, high=10**9)
    new = NewTask(
        name=query.get("name") or queue,
        args=body,
        queue=queue,
        run_after=run_after or None,
        priority=params.whole_number(query, "priority", 0, low=-32_768, high=32_767),
        max_attempts=params.whole_number(query, "max_attempts", 5, low=1, high=32_767),
        key=query.get("key") or None,
    )
    [pushed] = await ask.store.push([new], actor=visit.actor())
    return _json(shapes.task(ask, pushed.task) | {"created": pushed.created}, 201 if pushed.created else 200)


async def act(visit: Visit) -> Response:
    """Retry, kill, run now or delete tasks: ``{"ids": […], "reason": …}``. Answers what was changed and what was left alone and why."""
    given = _parsed(await _body(visit.request))
    verb = verb_at(visit.request.path_params["verb"])
    if verb is None:
        raise NotFound("There is no such action on tasks.")
    ids = _ids(given)
    ask = await _ask(visit)
    return _json(shapes.report(await perform(ask, visit.permissions, verb.action, ids, visit.actor(_reason(given)))))


async def pause(visit: Visit) -> Response:
    """Pause a queue."""
    return await _set_pause(visit, Action.PAUSE)


async def resume(visit: Visit) -> Response:
    """Resume a queue."""
    return await _set_pause(visit, Action.RESUME)


async def _set_pause(visit: Visit, action: Action) -> Response:
    body = await _body(visit.request)
    reason = _reason(_parsed(body)) if body.strip() else ""
    ask = await _ask(visit)
    queue = QueueName(name_of(visit.request.path_params["queue"]))
    said = await set_pause(ask, visit.permissions, queue, action, visit.actor(reason))
    return _json({"queue": queue, "message": said.text})


def _ids(given: Any) -> list[TaskId]:
    values = given.get("ids") if isinstance(given, dict) else None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidValue('The body must be an object with a list of task ids, as {"ids": ["0197…"]}.')
    return params.ids(tuple(dict.fromkeys(values)))


def _reason(given: Any) -> str:
    reason = given.get("reason") if isinstance(given, dict) else None
    if reason is not None and not isinstance(reason, str):
        raise InvalidValue("reason must be text.")
    return params.bounded("reason", (reason or "").strip(), params.MAX_REASON)


# --- in and out ------------------------------------------------------------------------------------------------


async def _ask(visit: Visit) -> Ask:
    await visit.site.ready()
    return visit.ask("/tasks")


def _query(visit: Visit) -> Query:
    return Query.parse(visit.request.scope["query_string"].decode("latin-1"))


async def _queue(ask: Ask, visit: Visit) -> QueueName:
    """The queue of the address. Raises NotFound when nobody ever named it."""
    queue = QueueName(name_of(visit.request.path_params["queue"]))
    if await ask.store.fetch_queue(queue) is None:
        raise NotFound(f"There is no queue {params.short(queue)}. A queue exists from its first task or worker on.")
    return queue


async def _body(request: Request) -> bytes:
    """The body of a request that may change something. Raises Forbidden, InvalidValue."""
    check_origin(request.headers, json=True)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise InvalidValue(f"The body may have at most {MAX_BODY:,} bytes.")
    return bytes(body)


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DecodeError(f"The body must be JSON: {error}.") from None


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=repr), status, headers, "application/json")


Answer = Callable[[Visit], Awaitable[Response]]


def checked(method: str, path: str, answer: Answer) -> Answer:
    """``answer``, after a look at the names of the query's parameters."""

    async def answering(visit: Visit) -> Response:
        check(method, path, _query(visit))
        return await answer(visit)

    return answering


QUESTIONS: Final[Sequence[tuple[str, Any]]] = (
    ("/queues", queues),
    ("/workers", workers),
    ("/overview", overview),
    ("/tasks", tasks),
    ("/tasks/{id}", task),
    ("/tasks/{id}/attempts", attempts),
    ("/tasks/{id}/logs", logs),
    ("/audit", audit),
    ("/queues/{queue}/tasks", queue_tasks),
    ("/queues/{queue}/tasks/{id}", queue_task),
    ("/queues/{queue}/workers", queue_workers),
    ("/queues/{queue}/stats", queue_stats),
    ("/events", log),
    ("/openapi.json", openapi),
)
"""Path and answer of every GET."""

ACTIONS: Final[Sequence[tuple[str, str, Any]]] = (
    ("PUT", "/queues/{queue}/tasks", push),
    ("POST", "/tasks/{verb}", act),
    ("POST", "/queues/{queue}/pause", pause),
    ("POST", "/queues/{queue}/resume", resume),
)
"""Method, path and answer of everything that changes something."""
