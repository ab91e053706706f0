"""Every address of a site, on one screen."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from board import actions, pages
from board.api import endpoints as api
from board.site import Visit

Answer = Callable[[Visit], Awaitable[Response]]


def get(path: str, answer: Answer) -> Route:
    """A page or a question."""
    return Route(path, _endpoint(answer), methods=["GET"])


def post(path: str, answer: Answer, method: str = "POST") -> Route:
    """An action."""
    return Route(path, _endpoint(answer), methods=[method])


def _endpoint(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await answer(await Visit.of(request))

    return endpoint


def routes() -> list[BaseRoute]:
    """The pages that exist are in ``site.view_at``; parameters arrive as they were sent, percent-encoded."""
    return [
        get("/", pages.page),
        get("/queues", pages.page),
        get("/queues/{queue}", pages.page),
        get("/tasks", pages.page),
        get("/tasks/rows", pages.rows),
        get("/tasks/{id}", pages.page),
        get("/tasks/{id}/{part}", pages.text),
        get("/workers", pages.page),
        get("/workers/{boot}", pages.page),
        get("/live", pages.live),
        post("/tasks/{verb}", actions.act_on_tasks),
        post("/queues/{queue}/{verb}", actions.act_on_queue),
        *[get(f"/api/v1{path}", api.checked("GET", path, answer)) for path, answer in api.QUESTIONS],
        *[post(f"/api/v1{path}", api.checked(method, path, answer), method) for method, path, answer in api.ACTIONS],
    ]
