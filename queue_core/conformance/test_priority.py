"""The order of claims: priority high to low, then run_at, then order of pushing; over all queues together."""

from datetime import timedelta

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import claim, new_task, push_one, registered
from queue_core.expose import Connected


async def _order(connected: Connected, *queues: str, limit: int = 100) -> list[str]:
    boot = await registered(connected, queues=queues or ("default",))
    return [task.name for task in await claim(connected, boot, *queues, limit=limit)]


async def test_a_higher_priority_goes_first_and_a_negative_one_last(connected: Connected) -> None:
    await connected.backend.push([new_task("low", priority=-5), new_task("usual"), new_task("high", priority=5), new_task("top", priority=32_767)])
    assert await _order(connected) == ["top", "high", "usual", "low"]


async def test_of_one_priority_the_earlier_due_goes_first(connected: Connected, clock: HandWoundClock) -> None:
    ago = clock.now() - timedelta(minutes=1)
    await connected.backend.push(
        [new_task("now"), new_task("long ago", run_at=ago), new_task("a moment later", run_at=ago + timedelta(microseconds=1))]
    )
    assert await _order(connected) == ["long ago", "a moment later", "now"]


async def test_of_one_moment_the_first_pushed_goes_first_whatever_its_id(connected: Connected) -> None:
    await connected.backend.push([new_task("first", id="zzz"), new_task("second", id="aaa"), new_task("third", id="mmm")])
    assert await _order(connected) == ["first", "second", "third"]


async def test_several_queues_share_one_order(connected: Connected, clock: HandWoundClock) -> None:
    await connected.backend.push([new_task("b usual", queue="b"), new_task("a usual", queue="a"), new_task("b high", queue="b", priority=1)])
    await push_one(connected, "a early", queue="a", run_at=clock.now() - timedelta(seconds=1))
    assert await _order(connected, "a", "b") == ["b high", "a early", "b usual", "a usual"]


async def test_the_limit_cuts_the_order_at_its_end(connected: Connected) -> None:
    await connected.backend.push([new_task(str(priority), priority=priority, queue="ab"[priority % 2]) for priority in range(20)])
    assert await _order(connected, "a", "b", limit=4) == ["19", "18", "17", "16"]


async def test_an_urgent_task_that_is_not_due_yet_does_not_hold_up_the_others(connected: Connected, clock: HandWoundClock) -> None:
    await connected.backend.push([new_task("urgent later", priority=100, run_after=60), new_task("now")])
    assert await _order(connected) == ["now"]
    clock.advance(60)
    assert await _order(connected) == ["urgent later"]


async def test_a_task_that_fell_due_takes_its_place_by_priority(connected: Connected, clock: HandWoundClock) -> None:
    await connected.backend.push([new_task("later", priority=1, run_after=10), new_task("now")])
    clock.advance(10)
    assert await _order(connected) == ["later", "now"]
