"""What POST answers: a confirmation of what would be touched, or what was done."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from board import params
from board.contexts import Notice
from board.notices import fragment as notice_fragment
from board.pages import patch
from board.params import Query
from board.screen import Ask, Fragment, NotFound
from board.security import check_origin
from board.site import Visit, canonical
from board.urls import name_of, with_query
from board.views.acts import confirmation, needs_confirmation, perform, set_pause, told
from board.views.rows import Verb, rows_of, verb_at
from queue_core.expose import Action, InvalidValue, QueueName, TaskId

MAX_BODY = 1_000_000
QUEUE_VERBS = {"pause": Action.PAUSE, "resume": Action.RESUME}
FORM = "application/x-www-form-urlencoded"


async def act_on_tasks(visit: Visit) -> Response:
    """Retry, run now, kill or delete the chosen tasks; ask first where a person should see what it means."""
    form = await _form(visit.request)
    verb = verb_at(visit.request.path_params["verb"])
    if verb is None:
        raise NotFound("There is no such action on tasks.")
    visit.permissions.require(verb.action)
    ids = params.ids(form.all("only") or form.all("id"))
    ask = visit.ask(_back(form))
    await visit.site.ready()
    if needs_confirmation(verb, ids) and form.get("confirmed") != "yes":
        return await _confirm(visit, ask, verb, ids)
    reason = params.bounded("reason", form.get("reason"), params.MAX_REASON)
    report = await perform(ask, visit.permissions, verb.action, ids, visit.actor(reason))
    return await _answer(visit, ask, await told(ask, report, verb), ids)


async def act_on_queue(visit: Visit) -> Response:
    """Pause or resume a queue."""
    form = await _form(visit.request)
    queue = QueueName(name_of(visit.request.path_params["queue"]))
    action = QUEUE_VERBS.get(visit.request.path_params["verb"])
    if action is None:
        raise NotFound("There is no such action on queues.")
    ask = visit.ask(_back(form))
    visit.permissions.require(action)
    await visit.site.ready()
    reason = params.bounded("reason", form.get("reason"), params.MAX_REASON)
    return await _answer(visit, ask, await set_pause(ask, visit.permissions, queue, action, visit.actor(reason)), ())


async def _form(request: Request) -> Query:
    """The fields of a form that one of our own pages sent. Raises Forbidden, InvalidValue."""
    check_origin(request.headers, json=False)
    kind = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if kind != FORM:
        raise InvalidValue(f"A form must be sent as {FORM}, got {params.short(kind)}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise InvalidValue(f"A form may have at most {MAX_BODY:,} bytes. Choose fewer tasks.")
    return Query.parse(body.decode("utf-8", "replace"))


def _back(form: Query) -> str:
    return canonical(form.get("back") or "/tasks")


async def _confirm(visit: Visit, ask: Ask, verb: Verb, ids: Sequence[TaskId]) -> Response:
    context = await confirmation(ask, verb, ids)
    dialog = Fragment(id="dialog-body", template="tasks/_confirm.html", context=context)
    if visit.is_htmx:
        return patch(visit.site, [dialog])
    return HTMLResponse(visit.site.renderer.page("tasks/confirm.html", visit.shell("tasks"), context, [dialog]))


async def _answer(visit: Visit, ask: Ask, said: Notice, ids: Sequence[TaskId]) -> Response:
    """Without htmx: back to where the person was. With it: what changed on that page, and the notice."""
    if visit.is_htmx:
        return patch(visit.site, [*await _changed(visit, ask, ids), notice_fragment(said)])
    back = ask.back if await _exists(visit, ask) else "/tasks"
    path, _, query = back.partition("?")
    pairs = (*Query.parse(query).pairs, ("said", visit.site.notices.keep(said)))
    return RedirectResponse(visit.urls.at(with_query(path, pairs)), 303)


async def _changed(visit: Visit, ask: Ask, ids: Sequence[TaskId]) -> list[Fragment]:
    """The page that the person looks at, as it is now; of its rows only those that were acted on."""
    try:
        screen = await visit.site.show(ask)
    except NotFound:
        return []  # it was deleted; its live stream says so
    listed = screen.follow is not None
    parts = [fragment for fragment in screen.fragments if fragment.row is None]
    return [*parts, *(await rows_of(ask, ids[: params.MAX_ROWS]) if listed and ids else [])]


async def _exists(visit: Visit, ask: Ask) -> bool:
    try:
        await visit.site.show(ask)
    except NotFound:
        return False
    return True
