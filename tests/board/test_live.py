"""Live pages: one rendering for all, nothing lost, nobody held up."""

import asyncio
from typing import Any

import pytest

from board import Board
from board.live import view as live_view
from board.live.patch import Patch, data_lines
from board.live.subscriber import MOST_PLACES, Subscriber
from board.rendering import Renderer
from board.screen import Fragment
from queue_core.expose import Actor, Connected, Status, StoreUnavailable
from tests.board.helpers import client_of, eventually, ids_in, live_of, push, reading, task_in
from tests.stores import kinds, url_of

ME = Actor(name="olga")


@pytest.fixture(params=kinds("memory", "sqlite", "postgres"))
def url(request: pytest.FixtureRequest) -> str:
    """Where a store of this test is; each kind tells of changes in its own way."""
    return url_of(request)


class Counting(Renderer):
    """Counts what is rendered."""

    def __init__(self) -> None:
        super().__init__()
        self.rendered: list[str] = []

    def fragment(self, fragment: Fragment) -> str:
        self.rendered.append(fragment.id)
        return super().fragment(fragment)


@pytest.fixture
def renderer(board: Board) -> Counting:
    counting = Counting()
    for site in board._sites:
        site.renderer = counting
    return counting


async def test_a_page_gets_every_fragment_when_it_connects(board: Board, connected: Connected) -> None:
    task = await push(connected)
    async with client_of(board) as client, reading(board, *live_of("/tasks")) as reader:
        name, data = await reader.event()
        page = (await client.get("/tasks")).text
    assert name == "patch"
    assert {"board-status", "tasks-chips", f"task-{task.id}", "tasks-empty", "tasks-pager", "board-cost"} <= set(ids_in(data))
    for chunk in data.split("<!--next-->"):
        assert chunk.strip() in page or 'id="board-cost"' in chunk


async def test_a_pushed_task_appears_by_itself(board: Board, connected: Connected) -> None:
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.event()
        task = await push(connected)
        assert f'id="task-{task.id}"' in await reader.until(task.id)


async def test_a_hundred_viewers_cost_one_rendering(board: Board, renderer: Counting, connected: Connected) -> None:
    from contextlib import AsyncExitStack

    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(reading(board, *live_of("/tasks"))) for _ in range(100)]
        for reader in readers:
            await reader.event()
        renderer.rendered.clear()
        task = await push(connected)
        for reader in readers:
            await reader.until(task.id)
    assert renderer.rendered.count(f"task-{task.id}") == 1


async def test_a_burst_of_changes_settles_to_few_messages(board: Board, connected: Connected) -> None:
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.event()
        for _ in range(300):
            last = await push(connected)
        await reader.until(last.id)
        assert reader.waiting <= 1
    views = board._sites[0].hub.cost().context
    assert views.renders_per_minute < 15  # type: ignore[attr-defined]


async def test_what_did_not_change_is_not_sent_again(board: Board, connected: Connected) -> None:
    kept = await push(connected, name="kept")
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.event()
        other = await push(connected, name="other")
        data = await reader.until(other.id)
    assert f'id="task-{kept.id}"' not in data


async def test_a_row_that_left_the_filter_is_still_brought_up_to_date(board: Board, connected: Connected) -> None:
    task = await push(connected)
    async with reading(board, *live_of("/tasks?status=Pending")) as reader:
        await reader.until(task.id)
        await connected.expose.kill([task.id], actor=ME)
        data = await reader.until(f'id="task-{task.id}"')
    assert "Killed" in data


async def test_a_deleted_row_is_marked_as_gone(board: Board, connected: Connected) -> None:
    task = await task_in(connected, Status.DONE)
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.until(task.id)
        await connected.expose.delete([task.id], actor=ME)
        data = await reader.until(f'id="task-{task.id}"')
    assert "data-gone" in data


async def test_the_page_of_a_deleted_task_says_so_and_loses_its_buttons(board: Board, connected: Connected) -> None:
    task = await task_in(connected, Status.DONE)
    async with reading(board, *live_of(f"/tasks/{task.id}")) as reader:
        await reader.until("task-head")
        await connected.expose.delete([task.id], actor=ME)
        data = await reader.until('id="task-head"')
    assert "No stored task has the id" in data
    assert "/tasks/delete" not in data


async def test_a_reader_that_was_away_gets_the_whole_view_again(board: Board, connected: Connected) -> None:
    async with reading(board, *live_of("/tasks")) as first:
        await first.event()
    missed = await push(connected)
    async with reading(board, *live_of("/tasks")) as second:
        assert missed.id in (await second.event())[1]


async def test_a_second_reader_of_a_view_gets_it_whole_at_once(board: Board, connected: Connected) -> None:
    task = await push(connected)
    async with reading(board, *live_of("/tasks")) as first:
        await first.event()
        async with reading(board, *live_of("/tasks")) as second:
            assert task.id in (await second.event())[1]


async def test_a_page_that_applied_every_patch_is_the_page_that_is_loaded_anew(board: Board, connected: Connected) -> None:
    seen: dict[str, str] = {}

    async def is_current() -> bool:
        page = (await client.get("/tasks")).text
        return all(html in page for id, html in seen.items() if id in ids_in(page) and id != "board-cost") and {
            id for id in ids_in(page) if id.startswith("task-")
        } <= set(seen)

    async def apply() -> None:
        while True:
            _, data = await reader.event()
            seen.update({ids_in(chunk)[0]: chunk.strip() for chunk in data.split("<!--next-->")})

    async with client_of(board) as client, reading(board, *live_of("/tasks")) as reader:
        browser = asyncio.create_task(apply())
        tasks = [await push(connected) for _ in range(40)]
        for task in tasks[::2]:
            await connected.expose.kill([task.id], actor=ME)
        for task in tasks[::4]:
            await connected.expose.retry([task.id], actor=ME)
            await asyncio.sleep(0.01)
        await eventually(is_current)
        browser.cancel()


async def test_a_view_without_readers_stops(board: Board, connected: Connected) -> None:
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.event()
        assert len(board._sites[0].hub._views) == 1
    hub = board._sites[0].hub
    await eventually(lambda: not hub._views and hub._watcher is None)


async def test_a_slow_reader_holds_the_latest_of_each_place_and_no_backlog() -> None:
    subscriber = Subscriber()
    for number in range(10_000):
        subscriber.offer(Patch({"here": data_lines(f"<p id=here>{number}</p>"), "there": data_lines("<p id=there></p>")}))
    messages = subscriber.messages()
    message = await anext(messages)
    assert message.count(b"id=here") == 1 and b"9999" in message


async def test_a_reader_that_is_hopelessly_behind_is_sent_away_to_start_anew() -> None:
    subscriber = Subscriber()
    for number in range(MOST_PLACES + 1):
        subscriber.offer(Patch({f"row-{number}": b"data: x\n"}))
    assert await anext(subscriber.messages()) == b"event: closing\ndata: closing\n\n"


async def test_a_browser_that_does_not_read_is_dropped_and_holds_nobody_up(
    board: Board, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("board.live.stream.live.__kwdefaults__", {"send_timeout": 0.2})
    async with reading(board, *live_of("/tasks")) as stuck, reading(board, *live_of("/tasks")) as lively:
        stuck.reads.clear()
        await lively.event()
        task = await push(connected)
        await lively.until(task.id)
        await eventually(lambda: stuck.task is not None and stuck.task.done())
        assert stuck.task is not None and stuck.task.exception() is None
        await eventually(lambda: sum(view.readers for view in board._sites[0].hub._views.values()) == 1)


async def test_the_loss_of_the_store_is_said_on_the_page_and_so_is_its_return(
    board: Board, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_view, "REFRESH", 0.05)
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.event()
        with monkeypatch.context() as broken:
            broken.setattr(connected.expose, "list_tasks", _unavailable)
            assert "The disk is full." in await reader.until('data-level="stale"')
        assert "The disk is full." not in await reader.until('id="board-status"')


async def _unavailable(*_: Any, **__: Any) -> Any:
    raise StoreUnavailable("The disk is full.")


async def test_a_view_that_fails_says_so_and_goes_on(
    board: Board, connected: Connected, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live_view, "REFRESH", 0.05)
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.event()
        with monkeypatch.context() as broken:
            broken.setattr(connected.expose, "list_tasks", _broken)
            data = await reader.until('id="board-status"')
        assert "an error in the board" in data and "secret detail" not in data
        task = await push(connected)
        await reader.until(task.id)
    assert "secret detail" in caplog.text


async def _broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("secret detail")


async def test_streams_end_with_a_word_when_the_server_stops(board: Board) -> None:
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.event()
        board.end_streams()
        assert (await reader.event())[0] == "closing"
        assert reader.task is not None
        async with asyncio.timeout(5):
            await reader.task


async def test_readers_with_other_permissions_see_another_view(board: Board, connected: Connected) -> None:
    await push(connected)
    async with reading(board, *live_of("/tasks")) as mine, reading(board, *live_of("/tasks"), client=("10.0.0.1", 1)) as theirs:
        assert "/tasks/kill" in (await mine.event())[1]
        assert "/tasks/kill" not in (await theirs.event())[1]


async def test_a_stream_is_never_compressed_and_never_kept(board: Board) -> None:
    async with reading(board, *live_of("/"), headers={"accept-encoding": "gzip"}) as reader:
        await reader.begun()
        assert reader.headers["content-type"].startswith("text/event-stream")
        assert reader.headers["cache-control"] == "no-store"
        assert "content-encoding" not in reader.headers
        assert "overview-health" in (await reader.event())[1]


@pytest.mark.parametrize(("view", "status"), [("/nope", 404), ("//evil.example", 422), ("/tasks?status=Nope", 200)])
async def test_a_stream_of_a_page_that_is_none_is_refused(board: Board, view: str, status: int) -> None:
    path, query = live_of(view)
    async with reading(board, path, query) as reader:
        await reader.begun()
        assert reader.status == status


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\r\nb", "event: evil\n\ndata: x"])
def test_no_line_end_in_a_fragment_breaks_out_of_its_event(text: str) -> None:
    lines = data_lines(text)
    assert lines.endswith(b"\n") and b"\r" not in lines
    assert all(line.startswith(b"data: ") for line in lines.rstrip(b"\n").split(b"\n"))


async def test_a_head_request_does_not_open_a_stream(board: Board) -> None:
    async with reading(board, *live_of("/tasks"), method="HEAD") as reader:
        await reader.begun()
        assert reader.task is not None
        async with asyncio.timeout(5):
            await reader.task
    assert reader.status == 200 and not reader.waiting


async def test_a_stream_whose_reader_leaves_ends_quietly_and_one_that_is_cancelled_says_so(board: Board) -> None:
    hub = board._sites[0].hub
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.event()
    assert reader.task is not None and not reader.task.cancelled() and reader.task.exception() is None
    async with reading(board, *live_of("/tasks")) as reader:
        await reader.event()
        assert reader.task is not None
        reader.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader.task
    await eventually(lambda: not hub._views)
