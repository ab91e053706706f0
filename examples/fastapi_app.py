"""Prinia inside a web app: tasks are pushed by a request, run by a worker in the same process, and watched at /ops/queue.

pip install fastapi uvicorn
uvicorn examples.fastapi_app:web
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from board import Board
from queue_core import App

queue = App("sqlite:///web.db")


@queue.task(queue="email", max_attempts=5)
async def send_welcome(address: str) -> str:
    return f"sent to {address}"


@asynccontextmanager
async def lifespan(web: FastAPI) -> AsyncIterator[None]:
    async with queue.running(concurrency=5):  # leave this out where `prinia worker` runs the tasks
        yield


web = FastAPI(lifespan=lifespan)
web.mount("/ops/queue", Board(queue, title="Shop", environment="development"))


@web.post("/users", status_code=202)
async def sign_up(address: str) -> dict[str, str]:
    task = await send_welcome.push(address=address)
    return {"task": task.id}
