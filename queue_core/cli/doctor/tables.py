"""Examining Prinia's schema in a PostgreSQL database."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg

from queue_core.backends._statements import migrations
from queue_core.backends.postgres.line import Connection
from queue_core.backends.postgres.schema import is_made, qualified
from queue_core.cli.doctor import sessions
from queue_core.cli.doctor.finding import Examined, Finding, Waiting
from queue_core.cli.words import duration, many
from queue_core.expose import WorkerState

MANY_DEAD: Final = 100_000
"""Dead rows from which on a table should have been vacuumed."""
LATE: Final = 600.0
"""Seconds within which the vacuum of such a table comes."""
MANY_CHANGES: Final = 100_000
"""Changes from which on adding them up has fallen behind."""
TIME_LIMIT: Final = 20_000
"""Milliseconds that counting everything may take."""
_MADE = re.compile(r"^CREATE (?:UNIQUE )?(TABLE|INDEX|FUNCTION) (?:prinia_)?(\w+)", re.MULTILINE)


async def examine(connection: Connection, schema: str) -> Examined:
    """Everything about the schema and its tables."""
    findings: list[Finding] = []
    for needed in NEEDED:
        findings.append(await needed(connection, schema))
        if not findings[-1].well:
            return Examined(findings)
    findings += [await check(connection, schema) for check in CHECKS]
    findings += [await sessions.oldest(connection), await sessions.idle(connection, schema)]
    return Examined(findings, answers=True, waiting=await _waiting(connection, schema))


# --- what is there ---------------------------------------------------------------------------------------

_RIGHTS = """
    WITH relation AS (
      SELECT
        relname::text AS name,
        has_table_privilege(oid, 'SELECT') AS reads,
        relname = 'migrations'
          OR (has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')) AS writes,
        relname <> 'migrations' AND has_table_privilege(oid, 'INSERT, UPDATE, DELETE') AS changes
      FROM pg_class
      WHERE relnamespace = to_regnamespace($1)
        AND relkind = 'r'
    )
    SELECT
      current_user::text AS role,
      pg_get_userbyid(nspowner)::text AS owner,
      current_setting('is_superuser')::boolean AS rules,
      pg_has_role(nspowner, 'USAGE') AS inherits,
      has_schema_privilege(oid, 'USAGE') AS enters,
      ARRAY(SELECT name FROM relation WHERE NOT reads ORDER BY name) AS unread,
      ARRAY(SELECT name FROM relation WHERE NOT writes ORDER BY name) AS unwritten,
      (SELECT coalesce(bool_or(changes), false) FROM relation) AS changes
    FROM pg_namespace
    WHERE nspname = $1
"""
"""``changes``: whether the role may write anything, so that what it may not write is an oversight."""


async def _rights(connection: Connection, schema: str) -> Finding:
    row = await connection.fetchrow(_RIGHTS, schema)
    if row is None:
        return await _right_to_create(connection, schema)
    if lacks := _lacks(row, schema):
        cure = f"Use the role that owns it, {row['owner']}, or let that role GRANT what is missing."
        return Finding("rights", f"{row['role']} {lacks}", cure)
    return Finding("rights", f"{row['role']} {_may(row, schema)}")


def _lacks(row: Any, schema: str) -> str | None:
    if not row["enters"]:
        return f"may not use the schema {schema}"
    if row["unread"]:
        return f"may not read {', '.join(row['unread'][:5])}"
    if row["unwritten"] and row["changes"]:
        return f"may not write {', '.join(row['unwritten'][:5])}"
    return None


def _may(row: Any, schema: str) -> str:
    owner = row["owner"]
    if row["role"] == owner:
        return f"owns the schema {schema}"
    if row["rules"]:
        return f"is a superuser, which may do everything; {owner} owns the schema {schema}"
    if row["inherits"]:
        return f"has the rights of {owner}, which owns the schema {schema}"
    if row["unwritten"]:
        return f"may only read, as a board with read_only=True does; it may not push, work or act. {owner} owns the schema {schema}"
    return f"may read and write; {owner} owns the schema {schema}, and only that role can migrate it"


async def _right_to_create(connection: Connection, schema: str) -> Finding:
    row = await connection.fetchrow("SELECT current_user, current_database(), has_database_privilege(current_database(), 'CREATE')")
    role, database, may = row
    if may:
        return Finding("rights", f"{role} may create the schema {schema}")
    cure = f'As an administrator, in the database {database}: CREATE SCHEMA {schema} AUTHORIZATION "{role}"'
    return Finding("rights", f"{role} may not create the schema {schema}", cure)


async def _schema(connection: Connection, schema: str) -> Finding:
    known = {number for number, _, _ in migrations("postgres")}
    if not await is_made(connection, schema):
        return Finding("schema", f"no tables of Prinia are in the schema {schema}", "Is this the right database and schema? If so: prinia migrate")
    applied = {row[0] for row in await connection.fetch(qualified("SELECT number FROM prinia_migrations", schema))}
    if missing := known - applied:
        says = f"version {max(applied, default=0)}; {many(len(missing), 'migration')} behind"
        return Finding("schema", says, "Bring it up to date: prinia migrate")
    if newer := applied - known:
        return Finding("schema", f"version {max(newer)} was made by a newer Prinia", "Update Prinia here: pip install -U prinia")
    return Finding("schema", f"version {max(applied)}")


_FOUND = """
    SELECT CASE relkind WHEN 'r' THEN 'TABLE' ELSE 'INDEX' END, relname::text
    FROM pg_class
    WHERE relnamespace = to_regnamespace($1)
      AND relkind IN ('r', 'i')
    UNION ALL
    SELECT 'FUNCTION', proname::text
    FROM pg_proc
    WHERE pronamespace = to_regnamespace($1)
"""
_INVALID = """
    SELECT relation.relname::text
    FROM pg_index AS index
    JOIN pg_class AS relation ON relation.oid = index.indexrelid
    WHERE relation.relnamespace = to_regnamespace($1)
      AND NOT (index.indisvalid AND index.indisready)
    ORDER BY relation.relname
"""


async def _objects(connection: Connection, schema: str) -> Finding:
    wanted = {made for _, _, script in migrations("postgres") for made in _MADE.findall(script)}
    missing = wanted - {tuple(row) for row in await connection.fetch(_FOUND, schema)}
    if missing:
        names = ", ".join(f"{kind.lower()} {name}" for kind, name in sorted(missing))
        cure = "Somebody dropped them, or restored a part. Create them again as the files in queue_core/backends/migrations do."
        return Finding("objects", f"missing: {names}", cure)
    if invalid := [row[0] for row in await connection.fetch(_INVALID, schema)]:
        return Finding("objects", f"not valid: {', '.join(invalid)}", f"Build it anew: REINDEX INDEX CONCURRENTLY {schema}.{invalid[0]}")
    return Finding("objects", f"all {len(wanted)} tables, indexes and functions there")


# --- how they are kept -----------------------------------------------------------------------------------

_AUTOVACUUM = """
    SELECT
      current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean,
      ARRAY(
        SELECT relname::text
        FROM pg_class
        WHERE relnamespace = to_regnamespace($1)
          AND EXISTS (
            SELECT
            FROM pg_options_to_table(reloptions)
            WHERE option_name = 'autovacuum_enabled'
              AND option_value IN ('false', 'off', 'no', '0')
          )
        ORDER BY relname
      )
"""
_DEAD = """
    SELECT
      relname AS name, n_dead_tup AS dead, n_live_tup AS live,
      extract(epoch FROM clock_timestamp() - greatest(last_vacuum, last_autovacuum))::float8 AS ago
    FROM pg_stat_all_tables
    WHERE schemaname = $1
    ORDER BY n_dead_tup DESC, relname
    LIMIT 1
"""
_CHANGES = """
    SELECT count(*), extract(epoch FROM clock_timestamp())::float8 - min(at) / 1e6::float8
    FROM (
      SELECT at
      FROM prinia_changes
      WHERE xid >= (SELECT below FROM prinia_folded)
      LIMIT 1000000
    ) AS kept
"""


async def _autovacuum(connection: Connection, schema: str) -> Finding:
    on, exempt = await connection.fetchrow(_AUTOVACUUM, schema)
    if not on:
        return Finding("autovacuum", "off", "Turn autovacuum and track_counts on: without them dead rows fill the disk.")
    if exempt:
        names = ", ".join(exempt)
        return Finding("autovacuum", f"off for {names}", f"ALTER TABLE {schema}.{exempt[0]} RESET (autovacuum_enabled)")
    return Finding("autovacuum", "on")


async def _dead_rows(connection: Connection, schema: str) -> Finding:
    row = await connection.fetchrow(_DEAD, schema)
    dead, live, ago = row["dead"], row["live"], row["ago"]
    when = "never vacuumed" if ago is None else f"vacuumed {duration(ago)} ago"
    says = f"{row['name']}: {dead:,} dead beside {live:,} live, {when}"
    if dead < max(MANY_DEAD, live / 20) or (ago is not None and ago < LATE):
        return Finding("dead rows", says)
    cure = f"Clean up now: VACUUM (ANALYZE) {schema}.{row['name']}. If it happens often, raise autovacuum_vacuum_cost_limit."
    return Finding("dead rows", says, cure)


_AHEAD = "SELECT below > pg_snapshot_xmax(pg_current_snapshot()) FROM prinia_folded"


async def _changes(connection: Connection, schema: str) -> Finding:
    """How much is left to add up. A dump brings along how far another server had come with that, and this one counts its transactions from anew."""
    if await connection.fetchval(qualified(_AHEAD, schema)):
        cure = qualified("UPDATE prinia_folded SET below = '0'", schema)
        return Finding("numbers", "they come from another server, by a dump, and nothing that happens here is added to them", cure)
    number, age = await connection.fetchrow(qualified(_CHANGES, schema))
    since = f", the oldest {duration(max(age, 0.0))} old" if number else ""
    says = f"{many(number, 'change')} not added up yet{since}"
    if number < MANY_CHANGES:
        return Finding("numbers", says)
    return Finding("numbers", says, "Any process that pushes or works adds them up once a second. Start a worker; if one runs, see its log.")


_COUNTERS = """
    SELECT queue, status, sum(counted)::bigint, sum(stored)::bigint
    FROM (
      SELECT queue, status, n AS counted, 0 AS stored
      FROM prinia_counters
      UNION ALL
      SELECT queue, what, n, 0
      FROM prinia_changes
      WHERE xid >= (SELECT below FROM prinia_folded)
        AND what IN ('Pending', 'Queued', 'Running', 'Failed', 'Done', 'Killed')
      UNION ALL
      SELECT queue, status, 0, count(*)
      FROM prinia_tasks
      GROUP BY queue, status
    ) AS told
    GROUP BY queue, status
    HAVING sum(counted) <> sum(stored)
    ORDER BY queue, status
"""


async def _counters(connection: Connection, schema: str) -> Finding:
    """Both in one statement, so that workers may go on meanwhile."""
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {TIME_LIMIT}")
            rows = await connection.fetch(qualified(_COUNTERS, schema))
    except asyncpg.QueryCanceledError:
        return Finding("counters", f"not compared: counting all tasks takes more than {duration(TIME_LIMIT / 1000)}")
    if not rows:
        return Finding("counters", "equal to what is stored")
    queue, status, counted, stored = rows[0]
    cure = "Rows were changed past Prinia. Please report it if you did not do that."
    return Finding("counters", f"{queue} {status}: {counted:,} counted, {stored:,} stored" + (" (and others)" if rows[1:] else ""), cure)


async def _leases(connection: Connection, schema: str) -> Finding:
    live = [state.value for state in WorkerState if state.is_live]
    orphans = await connection.fetchval(
        qualified(
            "SELECT count(*) FROM prinia_tasks AS task LEFT JOIN prinia_workers AS worker ON worker.boot = task.boot "
            "WHERE task.stage = 2 AND (worker.boot IS NULL OR worker.state <> ALL($1))",
            schema,
        ),
        live,
    )
    cure = "They go back as soon as any worker lives: prinia worker module:app" if orphans else None
    return Finding("leases", f"{many(orphans, 'task')} held by workers that ended" if orphans else "none without a living worker", cure)


Check = Callable[[Connection, str], Awaitable[Finding]]
NEEDED: Final[tuple[Check, ...]] = (_rights, _schema, _objects)
"""What has to be well for anything else to be looked at, in this order."""
CHECKS: Final[tuple[Check, ...]] = (_autovacuum, _dead_rows, _changes, _counters, _leases)


async def _waiting(connection: Connection, schema: str) -> list[Waiting]:
    sql = "SELECT queue, name, count(*) FROM prinia_tasks WHERE stage IN (1, 3) GROUP BY queue, name ORDER BY queue, name"
    return [Waiting(*row) for row in await connection.fetch(qualified(sql, schema))]
