"""What the service has: its database and its mail."""

import sqlite3
from dataclasses import dataclass, field

DATABASE = "service.db"


@dataclass
class Mail:
    sent: list[str] = field(default_factory=list)

    async def send(self, address: str, text: str) -> None:
        self.sent.append(f"{address}: {text}")


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(DATABASE, timeout=10)
    connection.execute("CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT, address TEXT UNIQUE, welcomed INTEGER DEFAULT 0)")
    return connection
