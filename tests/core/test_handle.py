"""Following tasks by their handles and ids, and changing them."""

import pytest

from queue_core import App, InvalidValue, ResultTimeout, Status, TaskHandle, UnknownTask
from queue_core.errors import IllegalTransition
from queue_core.expose import Actor
from queue_core.testing import drain

ACTOR = Actor(name="test")


@pytest.fixture
async def shop(stored_app: App) -> App:
    @stored_app.task
    async def double(number: int) -> int:
        return 2 * number

    @stored_app.task
    async def shout(text: str) -> str:
        return text.upper()

    return stored_app


async def pushed(app: App, number: int = 4) -> TaskHandle[int]:
    return await app.tasks["double"].push(number)


async def test_a_known_id_gives_a_handle_with_the_result(shop: App) -> None:
    id = (await pushed(shop)).id
    await drain(shop)
    for handle in (await shop.handle(id), await shop.tasks["double"].handle(id)):
        assert await handle.result(timeout=5) == 8
        assert await handle.status() is Status.DONE


async def test_an_unknown_id_is_said_to_be_unknown(shop: App) -> None:
    for ask in (shop.handle, shop.tasks["double"].handle):
        with pytest.raises(UnknownTask, match="nobody"):
            await ask("nobody")


async def test_a_definition_refuses_the_task_of_another(shop: App) -> None:
    with pytest.raises(InvalidValue, match="is one of double, not of shout"):
        await shop.tasks["shout"].handle((await pushed(shop)).id)


async def test_the_task_of_a_handler_that_is_not_here_can_be_followed(shop: App, url: str) -> None:
    id = (await pushed(shop)).id
    await drain(shop)
    if not url.startswith("memory"):
        async with App(url) as stranger:
            assert await (await stranger.handle(id)).result(timeout=5) == 8


async def test_status_is_that_of_now(shop: App) -> None:
    handle = await pushed(shop)
    assert await handle.status() is Status.PENDING
    await handle.kill()
    assert await handle.status() is Status.KILLED
    await shop.expose.delete([handle.id], actor=ACTOR)
    with pytest.raises(UnknownTask):
        await handle.status()


async def test_tasks_are_awaited_by_handle_and_by_id(shop: App) -> None:
    first, second = await pushed(shop), await pushed(shop)
    await drain(shop)
    assert {task.id async for task in shop.wait_for([first, second.id], timeout=5)} == {first.id, second.id}


async def test_waiting_ends_when_its_time_is_up(shop: App) -> None:
    handle = await pushed(shop)
    with pytest.raises(ResultTimeout):
        _ = [task async for task in shop.wait_for([handle], timeout=0.01)]


async def test_new_arguments_are_checked_and_run(shop: App) -> None:
    handle = await pushed(shop)
    with pytest.raises(InvalidValue, match="number must be int"):
        await handle.update(arguments={"number": "many"})
    with pytest.raises(InvalidValue, match="no option arguemnts"):
        await handle.update(arguemnts={})  # type: ignore[call-arg]
    report = await handle.update(arguments={"number": 21}, priority=5, tags=["vip"])
    assert report.changed == (handle.id,)
    task = await handle.fetch()
    assert (task.priority, task.tags) == (5, ("vip",))
    await drain(shop)
    assert await handle.result(timeout=5) == 42


async def test_a_finished_task_is_not_changed(shop: App) -> None:
    handle = await pushed(shop)
    await drain(shop)
    with pytest.raises(IllegalTransition, match="is Done"):
        await handle.update(priority=5)
