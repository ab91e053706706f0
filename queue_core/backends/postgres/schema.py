"""Prinia's own schema, brought up to date."""

import re
from functools import cache
from typing import Final

import asyncpg

from queue_core.backends._statements import migrations
from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.line import Connection
from queue_core.errors import InvalidValue

_OLDEST: Final = 130_000
_OURS = re.compile(r"\bprinia_([a-z_]+)")


@cache
def qualified(sql: str, schema: str) -> str:
    """``sql`` with the names ``prinia_x`` as ``schema.x``."""
    return _OURS.sub(rf'"{schema}".\1', sql).replace("{schema}", schema)


async def migrate(connection: Connection, address: Address) -> None:
    """Apply the migrations that the store has not seen, in one transaction. Many processes may do so at once.

    Raises InvalidValue, asyncpg's errors.
    """
    await _check(connection, address)
    if await _missing(connection, address.schema):
        try:
            await _apply(connection, address)
        except asyncpg.InsufficientPrivilegeError as error:
            raise await _not_allowed(connection, address) from error
    if await connection.fetchval(qualified(_IS_FROM_ELSEWHERE, address.schema)):
        await connection.execute(qualified("UPDATE prinia_folded SET below = '0'", address.schema))


async def _apply(connection: Connection, address: Address) -> None:
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock(hashtext('{address.schema}'), hashtext('migrate'))")
        missing = await _missing(connection, address.schema)
        if not await connection.fetchval(_IS_SCHEMA, address.schema):
            await connection.execute(f'CREATE SCHEMA "{address.schema}"')
        await connection.execute(qualified(_MIGRATIONS_TABLE, address.schema))
        for number, name, script in missing:
            await connection.execute(qualified(script, address.schema))
            await connection.execute(qualified("INSERT INTO prinia_migrations (number, name) VALUES ($1, $2)", address.schema), number, name)


async def _not_allowed(connection: Connection, address: Address) -> InvalidValue:
    """What to do where this role may not make the store, or bring it up to date."""
    role, database, owner = await connection.fetchrow(_WHOSE, address.schema)
    if owner is None:
        return InvalidValue(
            f"The store {address.shown} is not there, and {role} may not make it. Let somebody who may run: prinia migrate; or, as an administrator, "
            f'give {role} the schema in the database {database}: CREATE SCHEMA "{address.schema}" AUTHORIZATION "{role}".'
        )
    return InvalidValue(
        f"The store {address.shown} is not up to date, and {role} may not change that, because {owner} owns the schema {address.schema}. "
        "Let that role run: prinia migrate."
    )


async def is_made(connection: Connection, schema: str) -> bool:
    """Whether Prinia's tables are in ``schema``, as far as the list of its migrations tells. Asks the catalogue, which everybody may read."""
    return bool(await connection.fetchval(_IS_TABLE, schema))


async def identity_of(connection: Connection, schema: str) -> str:
    """What tells the store from every other. Raises asyncpg's errors."""
    return str(await connection.fetchval(qualified("SELECT id FROM prinia_identity", schema)))


# asked of the catalogue's rows, because to_regclass may answer from a cache that is older than the lock
_IS_SCHEMA: Final = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)"
_IS_TABLE: Final = """
    SELECT EXISTS (
      SELECT
      FROM pg_catalog.pg_class AS relation
      JOIN pg_catalog.pg_namespace AS schema ON schema.oid = relation.relnamespace
      WHERE schema.nspname = $1
        AND relation.relname = 'migrations'
    )
"""
# a dump that was restored in a server whose transactions have lower numbers: everything that is not added up has to be looked at again
_IS_FROM_ELSEWHERE: Final = "SELECT below > pg_snapshot_xmax(pg_current_snapshot()) FROM prinia_folded"
_WHOSE: Final = """
    SELECT current_user::text, current_database()::text, (SELECT pg_get_userbyid(nspowner)::text FROM pg_catalog.pg_namespace WHERE nspname = $1)
"""
_MIGRATIONS_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS prinia_migrations (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""


async def _check(connection: Connection, address: Address) -> None:
    version, encoding = await connection.fetchrow("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')")
    if version < _OLDEST:
        raise InvalidValue(f"PostgreSQL must be at least version 13, and the server of {address.shown} is {version // 10_000}. Upgrade it.")
    if encoding != "UTF8":
        raise InvalidValue(f"The database of {address.shown} must be encoded in UTF8, and it is in {encoding}. Create another one.")


async def _missing(connection: Connection, schema: str) -> list[tuple[int, str, str]]:
    known = await is_made(connection, schema)
    seen = {row[0] for row in await connection.fetch(qualified("SELECT number FROM prinia_migrations", schema))} if known else set()
    return [migration for migration in migrations("postgres") if migration[0] not in seen]
