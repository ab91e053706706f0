"""What is said of a server that does not let us in tells what to do about it."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from queue_core.backends.postgres.address import address_of
from queue_core.backends.postgres.failures import explain
from queue_core.errors import InvalidValue, StoreUnavailable
from queue_core.expose import connect
from tests import pg


async def _ask_for_passwords(url: str) -> None:
    """Of one role, as most servers do of all."""
    connection = await asyncpg.connect(url)
    rules = Path(await connection.fetchval("SHOW hba_file"))
    rules.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    await connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'told'; SELECT pg_reload_conf()")
    await connection.close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """A server without TLS that wants a password: its host and what follows in the URL."""
    with pg.Server() as server:
        asyncio.run(_ask_for_passwords(server.url))
        yield urlsplit(server.url).netloc.rpartition("@")[2] + "/postgres"


@pytest.fixture(autouse=True)
def _no_password_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPASSWORD", "PGPASSFILE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


async def refusal(url: str) -> str:
    with pytest.raises(InvalidValue) as caught:
        await connect(url).backend.open()
    return str(caught.value)


async def test_a_missing_password_is_not_called_a_wrong_one(guarded: str) -> None:
    said = await refusal(f"postgresql://guarded@{guarded}")
    assert "the server wants a password, and neither the URL nor $PGPASSWORD gives one. Add it there" in said


@pytest.mark.parametrize("url", ["postgresql://guarded:guess@{}", "postgresql://guarded@{}?password=guess"])
async def test_a_wrong_password_is_called_so(guarded: str, url: str) -> None:
    said = await refusal(url.format(guarded))
    assert "the password is wrong" in said
    assert "guess" not in said


async def test_a_wrong_password_of_the_environment_is_called_so(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "guess")
    assert "the password is wrong" in await refusal(f"postgresql://guarded@{guarded}")


async def test_a_server_without_tls_is_not_called_out_of_reach(guarded: str) -> None:
    said = await refusal(f"postgresql://guarded:told@{guarded}?sslmode=require")
    assert "the server has no TLS, and sslmode asks for it" in said
    assert "cannot be reached" not in said


def test_a_certificate_that_nobody_here_knows_is_named_as_the_cause() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
    said = explain(error, address_of("postgresql://shop@db.example.com/shop"), opening=True)
    assert isinstance(said, InvalidValue)
    assert "the certificate of the server is not trusted here. Name the authority" in str(said)


def test_tls_that_breaks_off_may_go_better_next_time() -> None:
    said = explain(ssl.SSLEOFError(8, "EOF occurred"), address_of("postgresql://shop@db.example.com/shop"), opening=True)
    assert isinstance(said, StoreUnavailable)
    assert "TLS with the server failed" in str(said)
