"""Examining the server and the schema of a PostgreSQL store, in a transaction that only reads."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

import asyncpg

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.failures import DRIVER_ERRORS, POOLER, explain
from queue_core.backends.postgres.line import Connection, end
from queue_core.backends.postgres.signals import ANSWER_LIMIT, IDLE_POLL, POLL_EVERY
from queue_core.cli.doctor import sessions, tables
from queue_core.cli.doctor.finding import Examined, Finding
from queue_core.cli.server import reached, reading
from queue_core.cli.words import duration

FAR: Final = 0.05
"""Seconds of a round trip from which on every claim and push is slow."""
SKEW: Final = 2.0
"""Seconds by which the clock of this host may differ from the server's."""
OLDEST: Final = 130_000
ROUNDS: Final = 3


async def examine(address: Address) -> Examined:
    """Everything about the server, the schema in it, and who else is there."""
    try:
        async with reading(address) as connection:
            return await _examine(connection, address)
    except DRIVER_ERRORS as error:
        cure = "Mend that first: without a connection nothing more can be examined."
        return Examined([Finding("server", str(explain(error, address)), cure)])


async def _examine(connection: Connection, address: Address) -> Examined:
    findings = [await _server(connection), await _version(connection)]
    if not findings[-1].well:
        return Examined(findings)
    findings += [await check(connection) for check in CHECKS]
    findings += [await sessions.room(connection), signals := await _signals(address)]
    of_tables = await tables.examine(connection, address.schema)
    return Examined([*findings, *of_tables.findings], of_tables.answers and signals.well, of_tables.waiting)


async def _server(connection: Connection) -> Finding:
    fastest = min([await _round_trip(connection) for _ in range(ROUNDS)])
    cure = "Every push and claim takes that long at least. Run workers nearer to the server." if fastest > FAR else None
    return Finding("server", f"answers within {fastest * 1000:.1f} ms", cure)


async def _round_trip(connection: Connection) -> float:
    began = time.perf_counter()
    await connection.execute("SELECT")
    return time.perf_counter() - began


async def _version(connection: Connection) -> Finding:
    number, version, encoding = await connection.fetchrow(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('server_encoding')"
    )
    if number < OLDEST:
        return Finding("version", f"PostgreSQL {version}", "Upgrade it: Prinia needs 13 or newer.")
    if encoding != "UTF8":
        return Finding("version", f"PostgreSQL {version}; the database is encoded in {encoding}", "Create a database in UTF8 and use that.")
    return Finding("version", f"PostgreSQL {version}, {encoding}")


async def _writes(connection: Connection) -> Finding:
    """The transaction that asks is read-only by its own wish, so that is not what is looked at."""
    standby, read_only = await connection.fetchrow("SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean")
    if standby:
        cure = "Name the server that takes writes, or all of them with commas in between: the one that takes writes is then found."
        return Finding("writes", "the server is a standby", cure)
    if read_only:
        cure = "Reset default_transaction_read_only, for the role, the database or the server, wherever it is set."
        return Finding("writes", "transactions are read-only by default", cure)
    return Finding("writes", "the server takes writes")


async def _clock(connection: Connection) -> Finding:
    before = datetime.now(UTC)
    there = await connection.fetchval("SELECT clock_timestamp()")
    after = datetime.now(UTC)
    ahead = (before + (after - before) / 2 - there).total_seconds()
    if abs(ahead) > SKEW:
        cure = "Let this host follow a time server: tasks pushed with run_at or expires_at, which is this host's time, would run early or late."
        return Finding("host clock", f"this host is {duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the server", cure)
    return Finding("host clock", "this host and the server agree")


async def _durability(connection: Connection) -> Finding:
    row = await connection.fetchrow(
        "SELECT current_setting('fsync')::boolean, current_setting('full_page_writes')::boolean, current_setting('synchronous_commit')"
    )
    fsync, full_pages, synchronous = row
    if not (fsync and full_pages):
        off = " and ".join(name for name, on in (("fsync", fsync), ("full_page_writes", full_pages)) if not on)
        return Finding("durability", f"off: {off}", "A loss of power can destroy the whole database. Turn it on in the server's configuration.")
    if synchronous == "off":
        return Finding("durability", "synchronous_commit is off: a loss of power takes the last moments with it, acknowledged pushes too")
    return Finding("durability", f"what is acknowledged is on the disk (synchronous_commit {synchronous})")


CHECKS: Final[tuple[Callable[[Connection], Awaitable[Finding]], ...]] = (_writes, _clock, _durability)


async def _signals(address: Address) -> Finding:
    """Whether a message to oneself arrives, on a channel of its own, so that nobody else is woken."""
    if address.mode == "poll":
        return Finding("signals", f"mode=poll: every process asks for changes each {POLL_EVERY:g} to {IDLE_POLL:g} s")
    try:
        heard = await _hears_itself(address)
    except asyncpg.ReadOnlySQLTransactionError:
        return Finding("signals", "a standby hears nothing")
    except DRIVER_ERRORS as error:
        return Finding("signals", f"LISTEN is refused: {error}", f"{POOLER}.")
    if not heard:
        return Finding("signals", "LISTEN is taken and nothing is heard", f"{POOLER}.")
    return Finding("signals", "LISTEN and NOTIFY arrive")


async def _hears_itself(address: Address) -> bool:
    channel, heard = f"prinia_doctor_{secrets.token_hex(4)}", asyncio.Event()
    connection = await reached(address)
    try:
        await connection.add_listener(channel, lambda *_: heard.set())
        await connection.execute("SELECT pg_notify($1, '')", channel)
        async with asyncio.timeout(ANSWER_LIMIT):
            await heard.wait()
    except TimeoutError:
        return False
    finally:
        await end(connection)
    return True
