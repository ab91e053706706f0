"""What the service answers. A user and the welcome are stored in one transaction: both, or neither."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException

from board import Board

from .tasks import count_users, database, queue, send_welcome

Database = Annotated[sqlite3.Connection, Depends(database)]


@asynccontextmanager
async def lifespan(web: FastAPI) -> AsyncIterator[None]:
    if os.environ.get("WORKER") == "elsewhere":
        async with queue:
            yield
    else:
        async with queue.running(concurrency=5, shutdown_timeout=30):  # at the end it lets what runs come to its end
            yield


web = FastAPI(lifespan=lifespan)
web.mount("/ops/queue", Board(queue, title="Service"))


@web.post("/users", status_code=201)
async def sign_up(name: str, address: str, db: Database) -> dict[str, object]:
    try:
        with db:
            user_id = db.execute("INSERT INTO users (name, address) VALUES (?, ?)", (name, address)).lastrowid
            assert user_id is not None
            task = await send_welcome.using(connection=db).push(user_id)
            if "@" not in address:
                raise HTTPException(422, "That is no address.")
    except sqlite3.IntegrityError:
        raise HTTPException(409, "This address is known already.") from None
    return {"user": user_id, "task": task.id}


@web.get("/users/count")
async def users() -> int:
    task = await count_users.push()
    return await task.result(timeout=30)
