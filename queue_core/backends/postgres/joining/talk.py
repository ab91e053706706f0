"""What a push says on the caller's connection, told once for all drivers: a generator yields statements and is sent their rows."""

import re
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from queue_core.backends import _rows
from queue_core.backends._rows import Row
from queue_core.backends.postgres.binding import arguments, compiled
from queue_core.backends.postgres.joining.refusals import another_store
from queue_core.backends.postgres.producing import is_ruled, parameters, pushed, row_of, rules_of
from queue_core.task import NewTask, Pushed, Task

if TYPE_CHECKING:
    from queue_core.backends.postgres.store import Store

Statement: TypeAlias = tuple[str, Sequence[Any]]
"""SQL whose parameters are ``$1`` and so on, and their values."""
Talk: TypeAlias = Generator[Statement, list[Row], list[Pushed]]

_PLACE = re.compile(r"\$(\d+)")
_PLAIN: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("ids", "queues", "names", "keys", "parents", "codecs", "groups"), str.__str__),
    **dict.fromkeys(("priorities", "max_attempts"), int),
    "timeouts": float,
    "args": bytes,
}
"""What callers may have given as a subclass, or as another kind of number: some drivers refuse lists of several types."""


def pushing(store: "Store", tasks: Sequence[NewTask]) -> Talk:
    """All of the push or nothing of it; the caller's own changes stay either way."""
    if not tasks:
        return []
    ruled = is_ruled(tasks)
    values = _values(store, tasks, ruled)
    yield "SAVEPOINT prinia_push", ()
    try:
        stored = yield from _push(store, tasks, "push_in_ruled" if ruled else "push_in", values)
    except BaseException:
        with suppress(Exception):  # a connection that is lost has nothing to go back to
            yield "ROLLBACK TO SAVEPOINT prinia_push", ()
            yield "RELEASE SAVEPOINT prinia_push", ()
        raise
    yield "RELEASE SAVEPOINT prinia_push", ()
    return stored


def _push(store: "Store", tasks: Sequence[NewTask], statement: str, values: Mapping[str, Any]) -> Talk:
    schema = store.address.schema
    sql, names = compiled(statement, schema)
    rows = yield sql, [values[name] for name in names]
    if not rows:
        raise another_store(store.address)
    [(now, seqs, twins)] = rows
    others = yield from _fetch(schema, [id for id in twins or () if id])
    return pushed(tasks, now, seqs, twins, others)


def _values(store: "Store", tasks: Sequence[NewTask], ruled: bool) -> dict[str, Any]:
    """What ``push_in.sql`` or ``push_in_ruled.sql`` is given: what ``push.sql`` or ``push_ruled.sql`` is, and the identity."""
    _, names = compiled("push_ruled" if ruled else "push", store.address.schema)
    rows = [(*row_of(new), *rules_of(new)) if ruled else row_of(new) for new in tasks]
    columns = parameters(rows, store.clock_us(), announce=store.address.mode == "listen")
    values = {name: _plain(name, column) for name, column in zip(names, columns, strict=True)}
    return {**values, "identity": store.identity}


def _plain(name: str, column: Any) -> Any:
    plain = _PLAIN.get(name)
    return column if plain is None or column is None else [None if item is None else plain(item) for item in column]


def _fetch(schema: str, ids: Sequence[str]) -> Generator[Statement, list[Row], dict[str, Task]]:
    if not ids:
        return {}
    sql, names = compiled("fetch", schema)
    rows = yield sql, arguments(names, {"ids": ids})
    return {row[0]: _rows.task([bytes(value) if isinstance(value, memoryview) else value for value in row]) for row in rows}


# --- having it -------------------------------------------------------------------------------------------


def have(talk: Talk, ask: Callable[[Statement], list[Row]]) -> list[Pushed]:
    """Say each statement of ``talk`` by ``ask``; what the talk comes to."""
    try:
        statement = next(talk)
        while True:
            try:
                rows = ask(statement)
            except BaseException as error:
                statement = talk.throw(error)
            else:
                statement = talk.send(rows)
    except StopIteration as end:
        return list(end.value)


async def have_async(talk: Talk, ask: Callable[[Statement], Awaitable[list[Row]]]) -> list[Pushed]:
    """As ``have``, where asking is awaited."""
    try:
        statement = next(talk)
        while True:
            try:
                rows = await ask(statement)
            except BaseException as error:
                statement = talk.throw(error)
            else:
                statement = talk.send(rows)
    except StopIteration as end:
        return list(end.value)


@cache
def marked(sql: str, mark: str) -> str:
    """``sql`` with ``mark``, which holds ``{}`` for the number, in the place of each parameter."""
    return _PLACE.sub(lambda found: mark.format(found[1]), sql)


def by_name(values: Sequence[Any]) -> dict[str, Any]:
    """``values`` as drivers take them who know parameters by name: ``p1`` and so on."""
    return {f"p{place}": value for place, value in enumerate(values, 1)}
