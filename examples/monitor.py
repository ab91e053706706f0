"""Two workers side by side, one of which fails at first: the monitor starts it anew and the other never notices."""

import asyncio

from queue_core import App, Monitor, Retry, StoreUnavailable, Worker
from queue_core.events import Event, WorkerFailed

app = App("sqlite:///tasks.db")


@app.task(queue="mail")
async def write(name: str) -> str:
    return f"A letter to {name}"


@app.task(queue="files")
async def shrink(path: str) -> str:
    return f"{path}, smaller"


def files_worker(run: int) -> Worker:
    if run < 2:
        raise StoreUnavailable("the disk is not mounted yet")
    return app.worker(queues=["files"], max_tasks=1_000)


def tell(event: Event) -> None:
    if isinstance(event, WorkerFailed):
        print(f"{event.worker} failed in run {event.run}: {event.error}")


async def main() -> None:
    async with app:
        letter, file = await write.push("Ada"), await shrink.push("holiday.jpg")
        monitor = Monitor(should_restart=lambda name, error, run: run < 5, backoff=Retry(min=0.1, max=30), on_event=tell)
        monitor.register(lambda run: app.worker(queues=["mail"]), name="mail")
        monitor.register(files_worker, name="files")
        async with monitor:
            print(await letter.result(timeout=30))
            print(await file.result(timeout=30))


if __name__ == "__main__":
    asyncio.run(main())
