"""The doctor finds what is wrong with a PostgreSQL store and its server, names the cure, and changes nothing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import urlsplit

import asyncpg
import pytest

from queue_core import App
from queue_core.backends.postgres.address import address_of
from queue_core.backends.postgres.line import connect
from queue_core.backends.postgres.reader import READERS
from queue_core.cli.doctor import sessions
from queue_core.cli.doctor.finding import Examined, Finding
from queue_core.cli.doctor.server import examine
from queue_core.cli.doctor.sessions import PRODUCER, WORKER
from tests.cli.conftest import Prinia
from tests.cli.test_doctor import wrong
from tests.pooler import Pooler


class Store:
    """A PostgreSQL store of one test, and a connection of its administrator."""

    def __init__(self, url: str, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.url, self.connection = url, connection
        self.address = address_of(url)
        self.schema = self.address.schema

    async def findings(self, url: str | None = None) -> dict[str, Finding]:
        return by_name(await examine(self.address if url is None else address_of(url)))

    async def make(self) -> None:
        async with App(self.url):
            pass

    async def push(self, queue: str = "mail", name: str = "greet", times: int = 1) -> None:
        app = App(self.url)

        @app.task(queue=queue, name=name)
        async def greet() -> None:
            pass

        async with app:
            for _ in range(times):
                await greet.push()

    async def run(self, sql: str) -> None:
        await self.connection.execute(sql.replace("{schema}", self.schema))

    def for_role(self, role: str) -> str:
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{role}:told@{parts.netloc.rpartition('@')[2]}").geturl()


def by_name(examined: Examined) -> dict[str, Finding]:
    return {finding.what: finding for finding in examined.findings}


@pytest.fixture
async def store(pg_url: str) -> AsyncIterator[Store]:
    """A store that is still to be made."""
    connection = await asyncpg.connect(pg_url)
    store = Store(f"{pg_url}?schema=doctor_{time.monotonic_ns()}", connection)
    try:
        yield store
        await store.run("DROP SCHEMA IF EXISTS {schema} CASCADE")
    finally:
        await connection.close()


@asynccontextmanager
async def role(store: Store, grants: str = "") -> AsyncIterator[str]:
    """The store's URL for a new role."""
    name = f"role_{time.monotonic_ns()}"
    await store.connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'told'")
    if grants:
        await store.run(grants.replace("{role}", name))
    try:
        yield store.for_role(name)
    finally:
        await store.connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


# --- what is well ----------------------------------------------------------------------------------------


async def test_a_fresh_store_is_well(store: Store) -> None:
    await store.make()
    found = await store.findings()
    del found["durability"]  # the tests' own server is quick and not durable
    assert [finding for finding in found.values() if not finding.well] == []
    assert list(found) == [
        *("server", "version", "writes", "host clock", "connections", "signals", "rights", "schema", "objects"),
        *("autovacuum", "dead rows", "numbers", "counters", "leases", "snapshots", "locks"),
    ]


async def test_a_store_that_nobody_made_is_said_to_be_missing_and_not_made(store: Store) -> None:
    found = await store.findings()
    assert "prinia migrate" in str(found["schema"].cure)
    assert not (await examine(store.address)).answers
    assert await store.connection.fetchval("SELECT to_regnamespace($1)", store.schema) is None


async def test_an_examination_writes_nothing(store: Store) -> None:
    await store.push()
    before = await store.connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
    await examine(address_of(f"{store.url}&mode=poll"))  # what sends a NOTIFY is a transaction with a number too
    assert await store.connection.fetchval("SELECT pg_current_xact_id()::text::bigint") == before + 1


def test_the_command_tells_of_server_and_service(run: Prinia, pg_url: str) -> None:
    url = f"{pg_url}?schema=doctor_{time.monotonic_ns()}"
    run("migrate", "--store", url)
    run("push", "mail", "greet", "--store", url)
    run("push", "later", "greet", "--run-after", "1h", "--store", url)
    ran = run("doctor", "--json", url)
    assert ran.returncode == 1
    assert {what: cure for what, cure in wrong(ran).items() if what != "durability"} == {"queue": "Start one: prinia worker module:app --queues mail"}
    asyncio.run(_drop(url))


async def _drop(url: str) -> None:
    connection = await connect(address_of(url), "tests")
    await connection.execute(f"DROP SCHEMA {address_of(url).schema} CASCADE")
    await connection.close()


def test_a_server_that_is_not_there(run: Prinia) -> None:
    ran = run("doctor", "--json", "postgresql://u:secret@127.0.0.1:1/db")
    assert ran.returncode == 1
    assert list(wrong(ran)) == ["server"]
    assert "nothing answers there" in ran.stdout
    assert "secret" not in ran.stdout + ran.stderr


# --- what somebody broke ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "what", "cure"),
    [
        ("DELETE FROM {schema}.migrations", "schema", "prinia migrate"),
        ("INSERT INTO {schema}.migrations (number, name) VALUES (999, 'later')", "schema", "Update Prinia"),
        ("DROP INDEX {schema}.tasks_claim", "objects", "Create them again"),
        ("DROP FUNCTION {schema}.fold", "objects", "Create them again"),
        ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{schema}.tasks_list'::regclass", "objects", "REINDEX INDEX CONCURRENTLY"),
        ("ALTER TABLE {schema}.tasks SET (autovacuum_enabled = off)", "autovacuum", "RESET (autovacuum_enabled)"),
        ("INSERT INTO {schema}.changes (at, n, queue, what) SELECT 1, 0, 'mail', 'touched' FROM generate_series(1, 100000)", "numbers", "worker"),
        ("UPDATE {schema}.folded SET below = '4611686018427387904'", "numbers", "SET below = '0'"),
        ("UPDATE {schema}.counters SET n = n + 7", "counters", "past Prinia"),
        ("UPDATE {schema}.tasks SET stage = 2, boot = 'a ghost'", "leases", "as soon as any worker lives"),
    ],
)
async def test_what_somebody_broke_is_found(store: Store, statement: str, what: str, cure: str) -> None:
    await store.push()
    await store.run("SELECT {schema}.fold(1000)")
    await store.run(statement)
    found = await store.findings()
    assert cure in str(found[what].cure)


async def test_dead_rows_that_nobody_cleans_away(store: Store) -> None:
    await store.make()
    await store.run("ALTER TABLE {schema}.changes SET (autovacuum_enabled = off)")
    await store.run("INSERT INTO {schema}.changes (at, n, what) SELECT 1, 0, 'audit' FROM generate_series(1, 100001)")
    await store.run("DELETE FROM {schema}.changes")
    while not await store.connection.fetchval(
        "SELECT n_dead_tup FROM pg_stat_all_tables WHERE schemaname = $1 AND relname = 'changes'", store.schema
    ):
        await asyncio.sleep(0.05)  # the server counts them a moment later
    found = await store.findings()
    assert found["dead rows"].says == "changes: 100,001 dead beside 0 live, never vacuumed"
    assert f"VACUUM (ANALYZE) {store.schema}.changes" in str(found["dead rows"].cure)
    await store.run("VACUUM {schema}.changes")
    assert (await store.findings())["dead rows"].well


async def test_the_cure_for_a_dump_from_another_server_counts_everything_again(store: Store) -> None:
    await store.push()
    await store.run("SELECT {schema}.fold(1000)")
    await store.push(times=2)
    await store.run("UPDATE {schema}.folded SET below = '4611686018427387904'")
    found = await store.findings()
    assert found["counters"].says == "mail Pending: 1 counted, 3 stored"
    await store.run(str(found["numbers"].cure))
    found = await store.findings()
    assert found["numbers"].well
    assert found["counters"].well


# --- who else is there -----------------------------------------------------------------------------------


async def test_a_transaction_that_is_left_open_with_locks(store: Store, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.push()
    monkeypatch.setattr(sessions, "IDLE", 0.0)
    theirs = await asyncpg.connect(pg_url, server_settings={"application_name": "a shell"})
    async with theirs.transaction():
        await theirs.execute(f"UPDATE {store.schema}.tasks SET priority = 1")
        found = await store.findings()
    assert found["locks"].says.startswith(f"a shell (process {theirs.get_server_pid()}), idle in a transaction")
    assert f"pg_terminate_backend({theirs.get_server_pid()})" in str(found["locks"].cure)
    assert (await store.findings())["locks"].well
    await theirs.close()


async def test_a_snapshot_that_is_held(store: Store, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.make()
    monkeypatch.setattr(sessions, "OLD", 0.0)
    theirs = await asyncpg.connect(pg_url, server_settings={"application_name": "a report"})
    async with theirs.transaction(isolation="repeatable_read"):
        await theirs.execute("SELECT count(*) FROM pg_class")
        found = await store.findings()
    assert found["snapshots"].says.startswith(f"a report (process {theirs.get_server_pid()}) keeps dead rows")
    assert f"pg_terminate_backend({theirs.get_server_pid()})" in str(found["snapshots"].cure)
    await theirs.close()


async def test_a_role_with_too_few_connections_left(store: Store) -> None:
    await store.make()
    grants = "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
    async with role(store, f"{grants}; ALTER ROLE {{role}} CONNECTION LIMIT {WORKER - 1}") as url:
        found = await store.findings(url)
    assert f"{WORKER - 1} free for this role" in found["connections"].says
    assert f"up to {WORKER}, a program that pushes {PRODUCER}" in str(found["connections"].cure)


# --- rights ----------------------------------------------------------------------------------------------


async def test_a_role_that_may_use_the_tables_and_does_not_own_them_is_well(store: Store) -> None:
    await store.make()
    grants = "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
    async with role(store, grants) as url:
        found = await store.findings(url)
    assert found["rights"].well
    assert "only that role can migrate" in found["rights"].says
    assert "may not: GRANT pg_read_all_stats" in found["snapshots"].says
    assert found["locks"].well


ENTER = "GRANT USAGE ON SCHEMA {schema} TO {role}"
LOOK = f"{ENTER}; GRANT SELECT ON ALL TABLES IN SCHEMA {{schema}} TO {{role}}"


async def test_a_role_that_may_only_read_is_told_what_it_can_and_the_examination_goes_on(store: Store, run: Prinia) -> None:
    await store.push()
    async with role(store, LOOK) as url:
        ran = await asyncio.to_thread(run, "doctor", "--json", url)
        [rights] = [finding for finding in json.loads(ran.stdout) if finding["what"] == "rights"]
    assert "may only read" in rights["says"]
    assert "may not push, work or act" in rights["says"]
    assert wrong(ran).keys() <= {"durability", "queue"}  # of the tests' own server, and of a task that nobody serves


@pytest.mark.parametrize(
    ("grants", "lacks"),
    [
        ("", "may not use the schema"),
        (ENTER, "may not read attempts, audit,"),
        (f"{LOOK}; GRANT INSERT, UPDATE, DELETE ON {{schema}}.tasks TO {{role}}", "may not write attempts, audit,"),
    ],
)
async def test_a_role_without_rights(store: Store, grants: str, lacks: str) -> None:
    await store.make()
    async with role(store, grants) as url:
        found = await store.findings(url)
    assert lacks in found["rights"].says
    assert "GRANT what is missing" in str(found["rights"].cure)


async def test_who_owns_the_schema_is_told_apart_from_who_may_do_as_much(store: Store) -> None:
    await store.make()
    me = await store.connection.fetchval("SELECT current_user")
    assert (await store.findings())["rights"].says == f"{me} owns the schema {store.schema}"
    async with role(store, "ALTER SCHEMA {schema} OWNER TO {role}") as url:
        owner = address_of(url).shown.partition("//")[2].partition("@")[0]
        assert (await store.findings())["rights"].says == f"{me} is a superuser, which may do everything; {owner} owns the schema {store.schema}"
        assert "may not read attempts" in (await store.findings(url))["rights"].says  # the tables are still those of whoever made them
        async with role(store, f"GRANT {owner} TO {{role}}; GRANT ALL ON ALL TABLES IN SCHEMA {{schema}} TO {owner}") as member:
            assert f"has the rights of {owner}, which owns the schema" in (await store.findings(member))["rights"].says
        await store.run(f"ALTER SCHEMA {{schema}} OWNER TO {me}")


async def test_a_role_that_may_not_make_the_schema(store: Store) -> None:
    async with role(store) as url:
        found = await store.findings(url)
    assert f"CREATE SCHEMA {store.schema} AUTHORIZATION" in str(found["rights"].cure)


async def test_a_database_that_is_read_only_by_default(store: Store) -> None:
    await store.make()
    async with role(store, "ALTER ROLE {role} SET default_transaction_read_only = on") as url:
        found = await store.findings(url)
    assert "default_transaction_read_only" in str(found["writes"].cure)


async def test_a_store_in_poll_mode_is_examined_without_session_state(store: Store) -> None:
    await store.make()
    found = await store.findings(f"{store.url}&mode=poll")
    assert found["signals"].says == "mode=poll: every process asks for changes each 0.25 to 1 s"
    assert found["counters"].well


@pytest.mark.parametrize("strict", [True, False])
def test_a_transaction_pooler_in_between(run: Prinia, pg_url: str, strict: bool) -> None:
    if urlsplit(pg_url).password:
        pytest.skip("the pooler of the tests knows no passwords")
    query = f"schema=doctor_{time.monotonic_ns()}"
    run("migrate", "--store", f"{pg_url}?{query}")
    with Pooler(pg_url, strict=strict) as pooler:
        ran = run("doctor", "--json", f"{pooler.url}?{query}")
        assert ran.stderr == ""
        assert any("mode=poll" in finding["says"] + str(finding["cure"]) for finding in json.loads(ran.stdout))
        assert wrong(run("doctor", "--json", f"{pooler.url}?{query}&mode=poll")).keys() <= {"durability"}
    asyncio.run(_drop(f"{pg_url}?{query}"))


# --- what is true of the code ----------------------------------------------------------------------------


async def connections(store: Store, since: datetime, wanted: set[str]) -> set[str]:
    """What the connections made ``since`` are for, once all that are ``wanted`` are there."""
    found: set[str] = set()
    while not wanted <= found:
        rows = await store.connection.fetch(
            "SELECT substr(application_name, 8) FROM pg_stat_activity WHERE application_name LIKE 'prinia %' AND backend_start > $1", since
        )
        found = {row[0] for row in rows}
        await asyncio.sleep(0.02)
    return found


async def test_a_worker_and_a_producer_have_the_connections_that_the_doctor_counts(store: Store) -> None:
    began = await store.connection.fetchval("SELECT clock_timestamp()")
    app = App(store.url)

    @app.task
    async def greet() -> None:
        pass

    produces = {"pushes", "signals", "desk"}
    async with app:
        await greet.push()
        assert await connections(store, began, produces) == produces
        assert len(produces) == PRODUCER
    works = {"claims", "acks", "heartbeat", "signals", "desk", "pushes", "reads"}
    async with app.running():
        await (await greet.push()).result(timeout=10)
        assert await connections(store, began, works) == works
        assert len(works - {"reads"}) + READERS == WORKER
