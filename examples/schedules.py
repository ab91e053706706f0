"""A task that is pushed again and again: every second here, and on weekdays at six in Berlin.

python examples/schedules.py
"""

import asyncio

from queue_core import INJECTED, App, Cron, Every, Tick
from queue_core.expose import Actor

app = App("sqlite:///schedules.db")
reported = asyncio.Event()


@app.task(queue="reports")
async def report(kind: str, tick: Tick | None = INJECTED) -> None:
    print(f"the report of schedule {tick.schedule}, {kind}" if tick else f"a report that was pushed by hand, {kind}")
    reported.set()


app.schedule(Every(seconds=1), report, name="often", arguments={"kind": "short"})
app.schedule(Cron("0 6 * * MON-FRI", "Europe/Berlin"), report, name="mornings", arguments={"kind": "long"}, missed="all")


async def main() -> None:
    async with app.running():
        await reported.wait()
        reported.clear()
        paused = await app.expose.pause_schedule("often", actor=Actor(name="olga", reason="enough"))
        print(paused.name, "is paused by", paused.pause.by if paused.pause else "nobody")
        await (await report.push(kind="short")).result(timeout=10)
        for schedule in await app.expose.list_schedules():
            print(schedule.name, "·", schedule.english, "·", *(f"{tick:%Y-%m-%d %H:%M}" for tick in schedule.next_ticks[:1]))


if __name__ == "__main__":
    asyncio.run(main())
