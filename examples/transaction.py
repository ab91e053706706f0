"""Push inside your own transaction: the order and its task are stored together, or neither is.

python examples/transaction.py
"""

import asyncio
import sqlite3

from queue_core import App

DATABASE = "shop.db"
app = App(f"sqlite:///{DATABASE}")


@app.task
async def ship(order: int) -> str:
    return f"order {order} is on its way"


async def place_order(connection: sqlite3.Connection, item: str) -> int:
    order = connection.execute("INSERT INTO orders (item) VALUES (?)", (item,)).lastrowid
    assert order is not None
    await ship.using(connection=connection).push(order=order)
    if item == "a unicorn":
        raise ValueError("we have no unicorns")
    return order


async def main() -> None:
    shop = sqlite3.connect(DATABASE)
    shop.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT)")
    async with app.running():
        for item in ("a nest box", "a unicorn"):
            try:
                with shop:  # commits, or rolls back on an error: both rows and tasks
                    order = await place_order(shop, item)
                print(f"{item}: order {order}")
            except ValueError as error:
                print(f"{item}: {error}; neither order nor task was stored")
        stored = sum(count.total for count in (await app.expose.counts()).values())
        print(f"{stored} task stored for 1 order")
    shop.close()


if __name__ == "__main__":
    asyncio.run(main())
