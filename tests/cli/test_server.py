"""Commands on a PostgreSQL store make it only where they are asked to."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.cli.conftest import Prinia

READING = [["tasks", "list"], ["queues", "list"], ["workers", "list"], ["tasks", "show", "01a2035b-9b95-7002-b322-6048fc864901"]]
WRITING = [["push", "mail", "greet"], ["queues", "pause", "mail"], ["prune"], ["tasks", "kill", "01a2035b-9b95-7002-b322-6048fc864901"]]


@pytest.fixture
def schema(pg_url: str) -> Iterator[str]:
    """The name of a schema that is not there yet."""
    name = f"cli_{time.monotonic_ns()}"
    yield name
    asyncio.run(_ask(pg_url, f"DROP SCHEMA IF EXISTS {name} CASCADE"))


async def _ask(url: str, sql: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql, *values))
    finally:
        await connection.close()


def schemas(url: str, name: str) -> int:
    return len(asyncio.run(_ask(url, "SELECT FROM pg_namespace WHERE nspname = $1", name)))


@pytest.mark.parametrize("words", READING + WRITING, ids=" ".join)
def test_a_mistyped_schema_is_not_answered_from_a_fresh_store(run: Prinia, pg_url: str, schema: str, words: list[str]) -> None:
    ran = run(*words, PRINIA_STORE=f"{pg_url}?schema={schema}&password=secret")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "There is no store at postgresql://" in ran.stderr
    assert "prinia migrate" in ran.stderr
    assert "secret" not in ran.stderr
    assert schemas(pg_url, schema) == 0


def test_a_schema_with_other_tables_is_no_store(run: Prinia, pg_url: str, schema: str) -> None:
    asyncio.run(_ask(pg_url, f"CREATE SCHEMA {schema} CREATE TABLE theirs (id integer)"))
    assert "There is no store" in run("tasks", "list", PRINIA_STORE=f"{pg_url}?schema={schema}").stderr


def test_a_database_that_does_not_exist(run: Prinia, pg_url: str) -> None:
    ran = run("tasks", "list", PRINIA_STORE=f"{pg_url}_no")
    assert ran.returncode == 2
    assert "Create it first" in ran.stderr


def test_migrate_makes_the_store_once(run: Prinia, pg_url: str, schema: str) -> None:
    store = f"{pg_url}?schema={schema}"
    assert "was made and is up to date" in run("migrate", PRINIA_STORE=store).stdout
    assert "is up to date" in run("migrate", PRINIA_STORE=store).stdout
    pushed = run("push", "mail", "greet", PRINIA_STORE=store)
    assert (pushed.returncode, pushed.stderr) == (0, "")
    assert "greet" in run("tasks", "list", PRINIA_STORE=store).stdout


def test_an_app_makes_its_store_as_its_program_would(run: Prinia, pg_url: str, schema: str) -> None:
    Path("pgshop.py").write_text(f"from queue_core import App\napp = App('{pg_url}?schema={schema}')\n")
    assert run("queues", "list", "--store", "pgshop:app").stdout == "No queue yet: the first push or worker makes one.\n"
