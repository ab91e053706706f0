"""What happens to a task between its push and the store."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from queue_core import App, InvalidValue, NewTask
from tests.cli.commands import prinia


def stamped(task: NewTask) -> NewTask:
    return replace(task, metadata={**task.metadata, "by": "the hook"})


def tagged(task: NewTask) -> NewTask:
    return replace(task, tags=(*task.tags, str(task.metadata["by"])))


async def test_hooks_see_each_task_on_every_way_of_pushing_in_order(url: str) -> None:
    async with App(url, on_push=[stamped, tagged]) as app:

        @app.task
        async def work(n: int) -> None: ...

        async def numbers() -> AsyncIterator[dict[str, Any]]:
            for n in range(2):
                yield {"n": n}

        async def ready() -> AsyncIterator[NewTask]:
            yield work.new(7)

        ids = [(await work.push(1)).id, (await work.using(metadata={"mine": 1}).push(2)).id]
        ids += [handle.id for handle in await work.push_many({"n": n} for n in range(3))]
        ids += [handle.id async for handle in work.push_stream(numbers())]
        ids += [pushed.task.id for pushed in await app.push([work.new(3)])]
        ids += [pushed.task.id async for pushed in app.push_stream(ready())]
        tasks = await app.expose.fetch_many(ids)
        assert len(tasks) == 9
        assert {(task.tags, task.metadata["by"]) for task in tasks} == {(("the hook",), "the hook")}
        assert tasks[1].metadata == {"mine": 1, "by": "the hook"}


async def test_a_push_from_a_shell_goes_through_the_hooks_of_its_app(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from dataclasses import replace\n"
        "from queue_core import App\n"
        "app = App('sqlite:///tasks.db', on_push=lambda task: replace(task, tags=('from a hook',)))\n"
        "@app.task\n"
        "async def work() -> None: ...\n"
    )
    ran = prinia("push", "default", "work", "{}", "--store", "shop:app", "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "from a hook" in ran.stdout


async def test_what_a_hook_raises_the_pusher_gets_and_nothing_is_stored(url: str) -> None:
    def refuse(task: NewTask) -> NewTask:
        if b"2" in task.args:
            raise PermissionError("no twos")
        return task

    async with App(url, on_push=refuse) as app:

        @app.task
        async def work(n: int) -> None: ...

        with pytest.raises(PermissionError, match="no twos"):
            await work.push_many({"n": n} for n in range(4))
        assert not await app.expose.counts()


async def test_a_hook_that_returns_no_task_is_told_so(memory_app: App) -> None:
    async def too_modern(task: NewTask) -> NewTask:
        return task

    @memory_app.task
    async def work() -> None: ...

    for hook, returned in ((too_modern, "<coroutine"), (lambda task: None, "None")):
        memory_app.on_push = (hook,)  # type: ignore[assignment]
        with pytest.raises(InvalidValue, match=f"An on_push hook must return a NewTask, got {returned}"):
            await work.push()
