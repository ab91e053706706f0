"""Push inside your own transaction on PostgreSQL, here asyncpg's: the order and its task are stored together, or neither is.

DATABASE_URL=postgresql://user@localhost/shop python examples/transaction_postgres.py

Connections of psycopg, and connections and sessions of SQLAlchemy, are given in the same way.
"""

import asyncio
import os
from typing import Any

import asyncpg

from queue_core import App

STORE = os.environ.get("DATABASE_URL", "postgresql://localhost/shop")
DATABASE = STORE.partition("?")[0]  # without settings of the store, as ?schema=queue
app = App(STORE)


@app.task
async def ship(order: int) -> str:
    return f"order {order} is on its way"


async def place_order(connection: Any, item: str) -> int:
    order: int = await connection.fetchval("INSERT INTO orders (item) VALUES ($1) RETURNING id", item)
    await ship.using(connection=connection).push(order=order)
    if item == "a unicorn":
        raise ValueError("we have no unicorns")
    return order


async def main() -> None:
    shop = await asyncpg.connect(DATABASE)
    await shop.execute("CREATE TEMPORARY TABLE orders (id integer GENERATED ALWAYS AS IDENTITY, item text)")
    async with app.running():
        for item in ("a nest box", "a unicorn"):
            try:
                async with shop.transaction():  # commits, or rolls back on an error: both rows and tasks
                    order = await place_order(shop, item)
                print(f"{item}: order {order}")
            except ValueError as error:
                print(f"{item}: {error}; neither order nor task was stored")
        stored = sum(count.total for count in (await app.expose.counts()).values())
        print(f"{stored} task stored for 1 order")
    await shop.close()


if __name__ == "__main__":
    asyncio.run(main())
