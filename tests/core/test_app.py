"""Defining tasks, pushing them, and following them."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from queue_core import (
    INJECTED,
    App,
    Data,
    InvalidValue,
    MsgPackCodec,
    Rate,
    ResultTimeout,
    Retry,
    Status,
    TaskKilled,
    UnknownTaskName,
    WorkerContext,
)
from queue_core.errors import IllegalTransition, NotConnected, UnknownScheme
from queue_core.expose import TaskFilter
from queue_core.testing import drain
from tests.core.steps import becomes, working
from tests.stores import kinds


@dataclass
class Address:
    street: str
    zip: int


class Money(msgspec.Struct):
    cents: int


class Person(pydantic.BaseModel):
    name: str
    born: datetime


async def test_a_pushed_task_runs_and_gives_its_result(stored_app: App) -> None:
    @stored_app.task
    async def add(a: int, b: int = 2) -> int:
        return a + b

    async with working(stored_app):
        handle = await add.push(1, b=4)
        assert handle.created
        assert await handle.result(timeout=10) == 5
        assert await (await add.push(a=1)).result(timeout=10) == 3
        assert (await handle.fetch()).status is Status.DONE


async def test_a_definition_is_called_like_its_function(memory_app: App) -> None:
    @memory_app.task
    async def double(n: int) -> int:
        """Twice as much."""
        return 2 * n

    @memory_app.task(queue="words")
    def shout(text: str) -> str:
        return text.upper()

    assert await double(2) == 4
    assert shout("hey") == "HEY"
    assert double.__doc__ == "Twice as much."
    assert (double.name, double.queue, shout.queue) == ("double", "default", "words")
    assert set(memory_app.tasks) == {"double", "shout"}


async def test_rich_arguments_and_results_arrive_as_their_types(app: App) -> None:
    @app.task
    async def bill(who: Person, where: Address, price: Money, tags: set[str], when: datetime | None = None) -> Money:
        assert isinstance(who, Person)
        assert isinstance(where, Address)
        assert isinstance(tags, set)
        assert when is None or isinstance(when, datetime)
        return Money(price.cents + where.zip)

    born = datetime(1815, 12, 10, tzinfo=UTC)
    handle = await bill.push(Person(name="Ada", born=born), Address("Main", 7), Money(100), {"a"}, when=born)
    await drain(app)
    assert await handle.result(timeout=0) == Money(107)


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({}, "send needs the argument user_id (int), which was not given."),
        ({"user_id": "42"}, "send: user_id must be int, got '42' (str)."),
        ({"user_id": True}, "send: user_id must be int, got True (bool)."),
        ({"user_id": 1, "usr": 2}, "send has no parameter 'usr'; its parameters: user_id, note, extra."),
        ({"user_id": 1, "note": object}, "send: note=<class 'object'> cannot be stored: values of type type are not supported; pass builtins"),
        ({"user_id": 1, "ctx": None}, "send gets ctx from its worker; leave it out."),
        ({"user_id": 1, "smtp": None}, "send gets smtp from its worker; leave it out."),
        ({"user_id": 1, "extra": [1, "x"]}, "send: extra must be list[int], got [1, 'x'] (list). Expected `int`, got `str` - at `$[1]`."),
        ({"user_id": float("nan")}, "send: user_id must be int, got nan (float)."),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_before_anything_is_stored(memory_app: App, kwargs: dict[str, Any], sentence: str) -> None:
    @memory_app.task
    async def send(
        user_id: int,
        note: Any = None,
        extra: Sequence[int] | list[int] | None = None,
        *,
        smtp: Annotated[Money, Data()],
        ctx: WorkerContext = INJECTED,
    ) -> None: ...

    @memory_app.task(name="send2")
    async def send_list(extra: list[int]) -> None: ...

    target: Any = send
    if "extra" in kwargs:
        target, sentence = send_list, sentence.replace("send:", "send2:")
        kwargs = {"extra": kwargs["extra"]}
    with pytest.raises(InvalidValue) as refused:
        await target.push(**kwargs)
    assert str(refused.value).startswith(sentence)
    with pytest.raises(InvalidValue):
        await target.push_many([{"user_id": 1}, kwargs])
    assert await memory_app.expose.counts() == {}


async def test_positional_arguments_are_bound_by_name(app: App) -> None:
    @app.task
    async def pair(a: int, b: int, *, c: int = 0) -> list[int]:
        return [a, b, c]

    untyped: Any = pair
    with pytest.raises(InvalidValue, match=r"pair takes 2 positional arguments, got 3\."):
        await untyped.push(1, 2, 3)
    with pytest.raises(InvalidValue, match=r"pair got the argument a twice"):
        await untyped.push(1, a=2)
    handle = await pair.push(1, 2, c=3)
    await drain(app)
    assert await handle.result(0) == [1, 2, 3]


async def test_a_handler_may_take_any_other_arguments(app: App) -> None:
    @app.task
    async def collect(first: str, **rest: int) -> dict[str, int]:
        return rest

    handle = await collect.push("a", b=1, c=2)
    await drain(app)
    assert await handle.result(0) == {"b": 1, "c": 2}
    untyped: Any = collect
    with pytest.raises(InvalidValue, match="b must be int"):
        await untyped.push("a", b="x")


async def test_options_of_one_push(stored_app: App) -> None:
    @stored_app.task(max_attempts=3)
    async def work(n: int) -> None: ...

    later = datetime.now(UTC) + timedelta(hours=1)
    task = (
        await work.using(
            run_at=later,
            expires_at=later,
            priority=10,
            key="k",
            max_attempts=9,
            timeout=2.5,
            retry=Retry(min=3),
            queue="other",
            tags=["a", "b"],
            metadata={"trace": 1},
            id="my-id",
        ).push(n=1)
    ).task
    assert (task.expires_at, task.retry) == (task.run_at, Retry(min=3))
    assert (task.priority, task.key, task.max_attempts, task.timeout) == (10, "k", 9, 2.5)
    assert (task.queue, task.tags, task.metadata, task.id) == ("other", ("a", "b"), {"trace": 1}, "my-id")
    assert abs((task.run_at - later).total_seconds()) < 0.001
    assert (await work.push(n=3)).task.max_attempts == 3
    again = await work.using(key="k", queue="other").push(n=2)
    assert not again.created
    assert again.id == "my-id"


async def test_wrong_options_are_refused(memory_app: App) -> None:
    @memory_app.task
    async def work() -> None: ...

    untyped: Any = work
    with pytest.raises(InvalidValue, match="work: using\\(\\) has no option prio; it takes connection, run_after"):
        untyped.using(prio=1)
    with pytest.raises(InvalidValue, match="tags must be several texts"):
        untyped.using(tags="urgent")
    with pytest.raises(InvalidValue, match="run_after must be a number of seconds"):
        await work.using(run_after=-1).push()
    with pytest.raises(InvalidValue, match=r"transaction|connection"):
        await work.using(connection=object()).push()
    with pytest.raises(InvalidValue, match="take mappings of parameter names"):
        await untyped.push_many([1])


async def test_push_many_is_atomic_and_ordered(stored_app: App) -> None:
    @stored_app.task
    async def square(n: int) -> int:
        return n * n

    handles = await square.push_many({"n": n} for n in range(500))
    assert [handle.task.seq for handle in handles] == sorted(handle.task.seq for handle in handles)
    async with working(stored_app):
        assert [await handle.result(timeout=20) for handle in handles] == [n * n for n in range(500)]


async def test_following_a_task_through_its_handle(app: App) -> None:
    @app.task(max_attempts=1)
    async def fail() -> None:
        raise ValueError("no luck")

    handle = await fail.push()
    with pytest.raises(ResultTimeout):
        await handle.result(timeout=0.01)
    with pytest.raises(IllegalTransition):
        await handle.retry()
    await drain(app)
    with pytest.raises(TaskKilled, match=r"\(fail\) was killed \(exhausted\) after 1 of 1 attempts: ValueError: no luck\."):
        await handle.result(timeout=5)
    await handle.retry()
    assert (await becomes(handle, Status.PENDING)).attempts == 1
    await handle.kill()
    assert (await handle.fetch()).status is Status.KILLED


async def test_what_cannot_be_a_task_is_refused_at_its_definition(memory_app: App) -> None:
    def positional(*numbers: int) -> None: ...

    async def slow() -> None: ...

    with pytest.raises(InvalidValue, match=r"positional: the parameter \*numbers: int has no name"):
        memory_app.task(positional)
    with pytest.raises(InvalidValue, match="slow is an async function, which runs on the event loop"):
        memory_app.task(executor="process")(slow)
    with pytest.raises(InvalidValue, match="executor='process' needs a function at the top level of a module"):
        memory_app.task(executor="process")(lambda: None)
    with pytest.raises(InvalidValue, match="max_attempts must be a whole number from 1"):
        memory_app.task(max_attempts=0)(slow)
    untyped: Any = memory_app
    with pytest.raises(InvalidValue, match="executor must be 'thread' or 'process'"):
        untyped.task(executor="fork")(slow)
    memory_app.task(slow)
    with pytest.raises(InvalidValue, match=r"The task name 'slow' is taken by tests\.core\.test_app\."):
        memory_app.task(slow)
    with pytest.raises(UnknownTaskName, match=r"No task is called 'slwo' here\. Did you mean slow\?"):
        memory_app.registry.find("slwo")


async def test_an_app_refuses_unknown_stores_and_codecs() -> None:
    with pytest.raises(UnknownScheme, match="The store URL must start with one of"):
        App("redis://")
    with pytest.raises(InvalidValue, match="codec must be one of json, msgpack"):
        App("memory://", codec="yaml")


async def test_messagepack_keeps_bytes_and_mixed_queues_decode() -> None:
    async with App("memory://mixed", codec=MsgPackCodec()) as packed, App("memory://mixed") as plain:

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


async def test_an_app_opens_itself_and_can_be_opened_again() -> None:
    app = App("memory://again")

    @app.task
    async def work() -> None: ...

    handle = await work.push()
    await app.close()
    await app.close()
    assert (await handle.fetch()).status is Status.PENDING
    await app.close()


async def test_who_asks_the_store_of_an_app_that_is_not_open_hears_how_to_open_it(url: str) -> None:
    with pytest.raises(NotConnected, match="Open it first: async with app"):
        await App(url).expose.counts()


FORGETFUL = """
import asyncio, sys
from queue_core import App

app = App(sys.argv[1])

@app.task
async def greet() -> None: ...

for _ in range(2):
    print(asyncio.run(greet.push()).id)
"""


@pytest.mark.parametrize("url", kinds("jsonfile", "sqlite", "postgres"), indirect=True)
async def test_a_program_that_never_closes_its_app_ends_and_loses_nothing(url: str) -> None:
    ran = subprocess.run([sys.executable, "-c", FORGETFUL, url], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    async with App(url) as app:
        page = await app.expose.list_tasks(TaskFilter())
    assert {task.id for task in page.tasks} == set(ran.stdout.split())
    assert len(page.tasks) == 2


@pytest.mark.parametrize("options", [{"retry": 3}, {"retry": None}, {"retry": "exponential"}, {"keep_result": "x"}, {"priority": 1.5}])
def test_a_handlers_option_of_the_wrong_kind_is_refused_where_it_is_written(options: dict[str, Any]) -> None:
    app = App("memory://")
    with pytest.raises(InvalidValue, match=next(iter(options))):
        app.task(**options)(lambda: None)


async def test_declared_limits_are_stored_with_the_first_use_and_by_workers(stored_app: App) -> None:
    limits = stored_app.queue("mail", concurrency=3, group_rate=Rate(2, per=5))
    await stored_app.open()
    assert {queue.name: queue.limits for queue in await stored_app.expose.list_queues()} == {"mail": limits}
    later = stored_app.queue("mail", ordered=True)

    @stored_app.task(queue="mail")
    async def send() -> None: ...

    async with stored_app.running():
        assert [queue.limits for queue in await stored_app.expose.list_queues()] == [later]


@pytest.mark.parametrize(
    "wrong", [{"concurrency": 0}, {"group_concurrency": True}, {"rate": 5}, {"ordered": 1}, {"ordered": True, "group_concurrency": 2}]
)
def test_limits_that_make_no_sense_are_refused(memory_app: App, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        memory_app.queue("mail", **wrong)


@pytest.mark.parametrize("wrong", [(0, 1), (1.5, 1), (1, 0), (1, -1), (True, 1)])
def test_rates_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue):
        Rate(*wrong)
