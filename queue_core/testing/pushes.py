"""Asking what was pushed."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from queue_core.app import App
from queue_core.codec import codec_named
from queue_core.definition import TaskDefinition
from queue_core.errors import InvalidValue
from queue_core.expose import Cursor, TaskFilter
from queue_core.ids import TaskId
from queue_core.task import Task
from queue_core.testing.draining import fetched

PAGE: Final = 200
SHOWN: Final = 10
"""How many tasks a failed assertion lists."""


@dataclass(frozen=True, slots=True)
class PushedTask:
    """A stored task and its arguments, as the types that its handler takes.

    >>> app = App("memory://")
    >>> @app.task
    ... async def greet(name: str) -> None: ...
    >>> async with app:
    ...     handle = await greet.using(priority=5).push("Ada")
    ...     [task] = await pushed(app, greet)
    >>> task.arguments, task.task.priority
    ({'name': 'Ada'}, 5)
    """

    task: Task
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.task.name}({_shown(self.arguments)})"


async def pushed(app: App, task: TaskDefinition[..., Any] | None = None) -> list[PushedTask]:
    """The stored tasks of one definition, or of all that the app has, in the order of their pushing, whatever has become of them since.

    Raises DecodeError for arguments that do not fit the handler.

    >>> app = App("memory://")
    >>> @app.task
    ... async def greet(name: str) -> None: ...
    >>> async with app:
    ...     handle = await greet.push("Ada")
    ...     print([str(task) for task in await pushed(app)])
    ["greet(name='Ada')"]
    """
    if task is not None:
        check_definition("pushed", task)
    await app.open()
    ids = [id async for id in _ids(app, TaskFilter(name=None if task is None else task.name))]
    return [_read(app, each) for each in await fetched(app, ids[::-1]) if each.name in app.tasks]


async def assert_pushed(app: App, task: TaskDefinition[..., Any], /, **arguments: Any) -> PushedTask:
    """Assert that a task of this definition was pushed with these ``arguments``; those that are not named may be anything. Returns the newest.

    Raises AssertionError, which lists what was pushed instead; InvalidValue for an argument that the handler does not take.

    >>> app = App("memory://")
    >>> @app.task
    ... async def greet(name: str, politely: bool = False) -> None: ...
    >>> async with app:
    ...     handle = await greet.using(run_after=60).push("Ada")
    ...     stored = await assert_pushed(app, greet, name="Ada")
    ...     await assert_pushed(app, greet, name="Grace")
    Traceback (most recent call last):
    AssertionError: No greet was pushed with name='Grace'. Pushed were: greet(name='Ada').
    """
    check_definition("assert_pushed", task)
    parameters = task.handler.parameters
    for name in arguments:
        if name not in parameters.by_name and parameters.rest is None:
            raise InvalidValue(f"{task.name} takes no argument {name!r}, so none can have been pushed. It takes {', '.join(parameters.by_name)}.")
    there = await pushed(app, task)
    for each in reversed(there):
        if all(name in each.arguments and each.arguments[name] == value for name, value in arguments.items()):
            return each
    wanted = f" with {_shown(arguments)}" if arguments else ""
    raise AssertionError(f"No {task.name} was pushed{wanted}. {_listed(there or await pushed(app))}")


def check_definition(asked_by: str, task: object) -> None:
    """Raise InvalidValue unless ``task`` is a definition."""
    if not isinstance(task, TaskDefinition):
        raise InvalidValue(f"{asked_by} needs a task that was made by @app.task, got {task!r}.")


async def _ids(app: App, wanted: TaskFilter) -> AsyncIterator[TaskId]:
    """Newest first."""
    start: Cursor | None = None
    while True:
        page = await app.expose.list_tasks(wanted, start=start, limit=PAGE)
        for task in page.tasks:
            yield task.id
        if (start := page.older) is None:
            return


def _read(app: App, task: Task) -> PushedTask:
    return PushedTask(task, app.tasks[task.name].handler.parameters.decode(task.args, codec_named(task.codec, app.codecs)))


def _listed(tasks: list[PushedTask]) -> str:
    if not tasks:
        return "Nothing was pushed."
    more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
    return f"Pushed were: {', '.join(str(task) for task in tasks[-SHOWN:])}{more}."


def _shown(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())
