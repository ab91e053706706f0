"""What the service does in the background. Each task says what it takes, and asks for what it needs of the service."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Annotated

from queue_core import INJECTED, AbortError, App, Data, Depends

from .state import DATABASE, Mail, connect

queue = App(f"sqlite:///{DATABASE}")
queue.provide(Mail())


async def database() -> AsyncIterator[sqlite3.Connection]:
    with closing(connect()) as connection:
        yield connection


@queue.task(queue="email", max_attempts=5, timeout=30)
async def send_welcome(
    user_id: int, *, db: Annotated[sqlite3.Connection, Depends(database)] = INJECTED, mail: Annotated[Mail, Data()] = INJECTED
) -> str:
    user = db.execute("SELECT name, address FROM users WHERE id = ?", (user_id,)).fetchone()
    if user is None:
        raise AbortError(f"User {user_id} is gone.")
    name, address = user
    await mail.send(address, f"Welcome, {name}!")
    with db:
        db.execute("UPDATE users SET welcomed = 1 WHERE id = ?", (user_id,))
    return str(address)


@queue.task(queue="reports")
async def count_users(*, db: Annotated[sqlite3.Connection, Depends(database)] = INJECTED) -> int:
    (users,) = db.execute("SELECT count(*) FROM users").fetchone()
    return int(users)
