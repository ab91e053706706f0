"""Examining who else uses a PostgreSQL server: connections, old transactions, and locks that nobody lets go."""

from typing import Any, Final

from queue_core.backends.postgres.line import Connection
from queue_core.backends.postgres.reader import READERS
from queue_core.cli.doctor.finding import Finding
from queue_core.cli.words import duration, many

WORKER: Final = 6 + READERS
"""Most connections of a worker process: claims, acks, heartbeats, signals, upkeep, the pushes of its handlers, and reads."""
PRODUCER: Final = 3
"""Connections of a program that only pushes: pushes, signals, adding up."""
BOARD: Final = 2 + READERS
"""Most connections of a board: reads, signals, and what people do."""
OLD: Final = 300.0
"""Seconds after which a transaction is in the way of cleaning up."""
OLD_ROWS: Final = 1_000_000
"""The same in transactions of others, for what has no beginning that is known."""
IDLE: Final = 10.0
"""Seconds that a transaction may wait for its program with locks on Prinia's tables."""

_ROOM = """
    SELECT
      current_setting('max_connections')::int AS most,
      least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
          - coalesce(current_setting('reserved_connections', true)::int, 0) - count(*),
        (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()) - count(*) FILTER (WHERE datname = current_database()),
        (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = session_user) - count(*) FILTER (WHERE usename = session_user)
      ) AS free,
      count(*) AS used,
      count(*) FILTER (WHERE datname = current_database() AND application_name LIKE 'prinia %') AS ours
    FROM pg_stat_activity
    WHERE datid IS NOT NULL
      AND pid <> pg_backend_pid()
      AND coalesce(backend_type, 'client backend') = 'client backend'
"""
"""Of sessions of other roles only some columns may be seen, and the kind of backend is not among them."""
_OLDEST = """
    SELECT who, pid, extract(epoch FROM clock_timestamp() - since)::float8 AS lasts, held
    FROM (
      SELECT
        coalesce(nullif(application_name, ''), usename, backend_type) AS who, pid, xact_start AS since,
        greatest(age(backend_xmin), age(backend_xid)) AS held
      FROM pg_stat_activity
      WHERE pid <> pg_backend_pid()
        AND (datname = current_database() OR backend_type = 'walsender')
        AND backend_type <> 'autovacuum worker'
        AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
      UNION ALL
      SELECT 'prepared transaction ' || gid, NULL, prepared, age(transaction)
      FROM pg_prepared_xacts
      WHERE database = current_database()
      UNION ALL
      SELECT 'replication slot ' || slot_name, NULL, NULL, age(xmin)
      FROM pg_replication_slots
      WHERE xmin IS NOT NULL
    ) AS holder
    ORDER BY held DESC, since
    LIMIT 1
"""
_UNSEEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = '<insufficient privilege>'"
_IDLE = """
    SELECT
      activity.pid, coalesce(nullif(activity.application_name, ''), activity.usename) AS who,
      extract(epoch FROM clock_timestamp() - activity.state_change)::float8 AS lasts,
      string_agg(DISTINCT relation.relname, ', ' ORDER BY relation.relname) AS tables
    FROM pg_stat_activity AS activity
    JOIN pg_locks AS held ON held.pid = activity.pid
    JOIN pg_class AS relation ON relation.oid = held.relation
    JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace
    WHERE schema.nspname = $1
      AND relation.relkind = 'r'
      AND activity.datname = current_database()
      AND activity.state LIKE 'idle in transaction%'
      AND held.granted
      AND held.mode <> 'AccessShareLock'
      AND activity.state_change < clock_timestamp() - make_interval(secs => $2)
    GROUP BY activity.pid, activity.application_name, activity.usename, activity.state_change
    ORDER BY activity.state_change
"""


async def room(connection: Connection) -> Finding:
    """How many connections are left, by whichever limit is nearest."""
    row = await connection.fetchrow(_ROOM)
    says = f"{row['used']} of {row['most']} in use, {row['ours']} by Prinia; {max(row['free'], 0)} free for this role"
    if row["free"] >= WORKER:
        return Finding("connections", says)
    cure = (
        f"A worker process takes up to {WORKER}, a program that pushes {PRODUCER}, a board {BOARD}. "
        "Raise max_connections (or the limit of the role or database), or let other programs take fewer."
    )
    return Finding("connections", says, cure)


async def oldest(connection: Connection) -> Finding:
    """Who keeps rows that are dead from being cleaned away."""
    row = await connection.fetchrow(_OLDEST)
    if row is None or not _is_old(row):
        unseen = await connection.fetchval(_UNSEEN)
        hidden = f", among those that this role may see ({many(unseen, 'session')} it may not: GRANT pg_read_all_stats)" if unseen else ""
        return Finding("snapshots", f"no transaction is older than {duration(OLD)}{hidden}")
    since = "" if row["lasts"] is None else f" for {duration(row['lasts'])}"
    who = row["who"] + (f" (process {row['pid']})" if row["pid"] else "")
    cure = f"SELECT pg_terminate_backend({row['pid']})" if row["pid"] else "commit or roll back that transaction, or drop that slot"
    return Finding("snapshots", f"{who} keeps dead rows from being cleaned away{since}, {many(row['held'], 'transaction')} back", f"End it: {cure}")


def _is_old(row: Any) -> bool:
    return bool(row["held"] > OLD_ROWS if row["lasts"] is None else row["lasts"] > OLD)


async def idle(connection: Connection, schema: str) -> Finding:
    """Transactions that hold locks on Prinia's tables while their program does something else."""
    rows = await connection.fetch(_IDLE, schema, IDLE)
    if not rows:
        return Finding("locks", "no transaction holds any while its program does something else")
    first = rows[0]
    says = f"{first['who']} (process {first['pid']}), idle in a transaction for {duration(first['lasts'])}, locks {first['tables']}"
    cure = (
        f"Commit soon after pushing. End this one: SELECT pg_terminate_backend({first['pid']}). "
        "idle_in_transaction_session_timeout ends such by itself."
    )
    return Finding("locks", says + (f" (and {many(len(rows) - 1, 'other')})" if rows[1:] else ""), cure)
