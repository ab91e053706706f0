"""Which codec a task is stored in, on every store: the app's, its definition's, or one of somebody's own."""

import ast
import pickle
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

import queue_core
from board import Board
from queue_core import App, InvalidValue, JsonCodec, KillReason, MsgPackCodec, NewTask, Status, Task
from queue_core.codec import CODECS
from queue_core.testing import drain, run_inline
from tests.board.helpers import client_of

WITH_PICKLE: Final = {"worker/child.py", "worker/processes.py"}
"""Who speaks with child processes: over a pipe, where nothing is stored."""


class Zipped:
    """JSON, made small."""

    name = "zipped"

    def encode(self, value: Any) -> bytes:
        return zlib.compress(JsonCodec().encode(value))

    def decode(self, data: bytes) -> Any:
        return JsonCodec().decode(zlib.decompress(data))


@dataclass
class Picture:
    width: int
    pixels: bytes


def define(app: App) -> Any:
    @app.task(codec=Zipped())
    async def shrink(picture: Picture) -> Picture:
        return Picture(picture.width // 2, picture.pixels)

    return shrink


async def test_the_codec_of_a_definition_is_stored_with_its_tasks_and_their_results(stored_app: App) -> None:
    shrink = define(stored_app)

    @stored_app.task(codec="msgpack")
    async def size(data: bytes) -> int:
        return len(data)

    @stored_app.task
    async def plain(n: int) -> int:
        return n

    pushed = [await shrink.push(Picture(8, b"\xff")), await size.push(b"\xff" * 3), await plain.push(1)]
    await drain(stored_app)
    assert [await one.result(0) for one in pushed] == [Picture(4, b"\xff"), 3, 1]
    tasks = [await one.fetch() for one in pushed]
    assert [task.codec for task in tasks] == ["zipped", "msgpack", "json"]
    assert tasks[0].result is not None
    assert Zipped().decode(tasks[0].result)["width"] == 4
    assert CODECS["msgpack"].decode(tasks[1].args) == {"data": b"\xff" * 3}


async def test_a_task_run_inline_makes_the_trip_through_its_own_codec() -> None:
    assert await run_inline(define(App("memory://")), Picture(8, b"\xff")) == Picture(4, b"\xff")


async def test_the_board_of_an_app_reads_what_the_apps_own_codecs_wrote(stored_app: App) -> None:
    pushed = await define(stored_app).push(Picture(4321, b""))
    client = client_of(Board(stored_app))
    assert "4321" in (await client.get(f"/tasks/{pushed.id}")).text


async def test_one_queue_holds_tasks_of_several_codecs(url: str) -> None:
    async with App(url, codec=MsgPackCodec()) as packed, App(url) as plain:

        @packed.task
        async def size(data: bytes) -> int:
            return len(data)

        @plain.task(name="size")
        async def same(data: bytes) -> int:
            raise AssertionError("only pushed")

        one, two = await size.push(b"\xff" * 3), await same.push(b"\xff" * 4)
        assert (one.task.codec, two.task.codec) == ("msgpack", "json")
        await drain(packed)
        assert (await one.result(0), await two.result(0)) == (3, 4)


@pytest.mark.parametrize("codec", ["json", "msgpack", "zipped", "yaml"])
async def test_a_payload_that_cannot_be_decoded_is_aborted_and_kept(stored_app: App, codec: str) -> None:
    shrink = define(stored_app)
    [broken] = await stored_app.push([NewTask(name="shrink", args=b"\xff\xfe\x00", codec=codec)])
    good = await shrink.push(Picture(2, b""))
    await drain(stored_app)
    assert await good.result(0) == Picture(1, b"")
    task = await fetch(stored_app, broken.task.id)
    assert (task.status, task.reason, task.args, task.codec) == (Status.KILLED, KillReason.ABORTED, b"\xff\xfe\x00", codec)
    assert str(task.error).startswith("DecodeError: ")


async def test_a_codec_of_ones_own_that_cannot_store_a_value_is_an_error_of_the_push(stored_app: App) -> None:
    class Stubborn(Zipped):
        def encode(self, value: Any) -> Any:
            return super().encode(value).hex()

    @stored_app.task(codec=Stubborn())
    async def work(n: int) -> None: ...

    with pytest.raises(InvalidValue, match="The codec zipped must give bytes, and gave str"):
        await work.push(1)
    assert not (await stored_app.expose.counts()).get(work.queue)


def test_two_codecs_cannot_share_a_name() -> None:
    class Json(Zipped):
        name = "json"

    with pytest.raises(InvalidValue, match=r"Two codecs are called 'json', .* Give Json another\."):
        App("memory://", codecs=[Json()])
    app = App("memory://", codecs=[Zipped()])
    assert define(app).codec.name == "zipped", "the same codec may be named again"
    with pytest.raises(InvalidValue, match="codec must be one of json, msgpack, zipped, or a Codec, got 'yaml'"):
        app.task(codec="yaml")(lambda: None)


@pytest.mark.parametrize("codec", [object(), Zipped, type("Nameless", (Zipped,), {"name": ""})()], ids=["no codec", "class", "nameless"])
def test_what_is_no_codec_is_refused(codec: Any) -> None:
    with pytest.raises(InvalidValue, match="codec"):
        App("memory://", codec=codec)


# --- never pickle ----------------------------------------------------------------------------------------------


class Bomb:
    """Goes off where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemError('unpickled')",))


async def test_a_stored_pickle_is_never_loaded(stored_app: App) -> None:
    @stored_app.task
    async def work(value: Any) -> Any:
        return value

    data = pickle.dumps({"value": Bomb()})
    pushed = await stored_app.push([NewTask(name="work", args=data, codec=codec) for codec in ("json", "msgpack", "pickle")])
    await drain(stored_app)
    tasks = [await fetch(stored_app, one.task.id) for one in pushed]
    assert [(task.reason, task.args) for task in tasks] == [(KillReason.ABORTED, data)] * 3
    assert not any("unpickled" in str(task.error) for task in tasks)


async def test_what_only_pickle_could_hold_is_refused(stored_app: App) -> None:
    @stored_app.task
    async def work(value: Any = None) -> Any:
        return Bomb()

    with pytest.raises(InvalidValue, match="cannot be stored"):
        await work.push(Bomb())
    with pytest.raises(InvalidValue, match="of type Bomb"):
        await work.using(metadata={"value": Bomb()}).push()
    unstorable = await work.using(max_attempts=1).push()
    await drain(stored_app)
    task = await unstorable.fetch()
    assert (task.status, task.result) == (Status.KILLED, None)


def test_only_the_pipe_to_child_processes_knows_pickle() -> None:
    root = Path(queue_core.__file__).parent
    assert {str(path.relative_to(root)) for path in root.rglob("*.py") if "pickle" in set(imports(path))} == WITH_PICKLE
    assert not [path for path in (root.parent / "board").rglob("*.py") if "pickle" in set(imports(path))]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


async def fetch(app: App, id: Any) -> Task:
    task = await app.expose.fetch(id)
    assert task is not None
    return task
