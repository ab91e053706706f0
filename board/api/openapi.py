"""What the JSON API is, for programs: an OpenAPI document made from the table of its routes."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from starlette.responses import Response

from board.api.parameters import QUERIES
from board.settings import VERSION
from board.site import Visit
from queue_core.expose import StatType

Route = tuple[str, str, Callable[[Visit], Awaitable[Response]]]
"""Method, path and answer."""

_PARAMETER: Final = re.compile(r"{(\w+)}")
_WHOLE: Final = {"type": "integer"}
_TEXT: Final = {"type": "string"}
BODIES: Final = {
    "/queues/{queue}/tasks": {"description": "The arguments, as any JSON."},
    "/tasks/{verb}": {
        "type": "object",
        "required": ["ids"],
        "properties": {"ids": {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 1000}, "reason": {**_TEXT, "maxLength": 500}},
    },
}
VERBS: Final = {"type": "string", "enum": ["retry", "run-now", "kill", "delete"]}
PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "message"],
    "properties": {"type": _TEXT, "title": _TEXT, "status": _WHOLE, "detail": _TEXT, "message": _TEXT, "cure": _TEXT},
}

STATISTIC: Final[dict[str, Any]] = {
    "type": "object",
    "description": "One number with its title. The reference page tells what each title counts; JOBS in it are tasks.",
    "required": ["title", "stat_type", "value", "priority"],
    "properties": {
        "title": {**_TEXT, "examples": ["PENDING_JOBS"]},
        "stat_type": {**_TEXT, "enum": [kind.value for kind in StatType], "description": "How value is to be read."},
        "value": {
            **_TEXT,
            "description": "The number as text: Number is whole; Decimal and Percentage (0 to 100) have two places; "
            "Timestamp is seconds since 1970 in UTC, empty where there is none.",
            "examples": ["42", "0.70", "99.50", "1763814896", ""],
        },
        "priority": {"type": ["integer", "null"], "description": "Lower comes first."},
    },
}
_STATISTICS: Final = {"type": "array", "items": {"$ref": "#/components/schemas/Statistic"}}
ANSWERS: Final[dict[str, Any]] = {
    "/overview": _STATISTICS,
    "/queues/{queue}/stats": _STATISTICS,
    "/queues": {"type": "array", "items": {"type": "object", "properties": {"name": _TEXT, "stats": _STATISTICS}}},
}
"""What some routes answer, by path: where the names do not say it."""

PROBLEM_AT: Final = {"$ref": "#/components/schemas/Problem"}


def document(routes: Iterable[Route], server: str) -> dict[str, Any]:
    """The whole document; ``server`` is the prefix of the paths."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, answer in routes:
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, answer)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Prinia", "version": VERSION, "description": "The seed board's routes and shapes, and Prinia's own beside them."},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"schemas": {"Problem": PROBLEM, "Statistic": STATISTIC}},
    }


def _operation(method: str, path: str, answer: Callable[[Visit], Awaitable[Response]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()}_{_PARAMETER.sub('', path).strip('/').replace('/', '_').replace('__', '_').strip('_')}_{answer.__name__}",
        "summary": (answer.__doc__ or "").strip().partition("\n")[0],
        "parameters": [*map(_in_path, _PARAMETER.findall(path)), *_in_query(method, path)],
        "responses": {
            "200": {"description": "The answer.", "content": {_media(path): {"schema": ANSWERS[path]} if path in ANSWERS else {}}},
            "default": {
                "description": "What is wrong.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if method != "GET":
        operation["requestBody"] = {"content": {"application/json": {"schema": BODIES.get(path, {"type": "object"})}}}
    return operation


def _media(path: str) -> str:
    return "text/event-stream" if path == "/events" else "application/json"


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": VERBS if name == "verb" else _TEXT}


def _in_query(method: str, path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": meaning}
        for name, (schema, meaning) in QUERIES.get((method, path), {}).items()
    ]
