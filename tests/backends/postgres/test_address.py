"""What a store URL means, and what is said of one that means nothing: a sentence with its cure, and never the password."""

from urllib.parse import urlsplit

import pytest
from asyncpg.connect_utils import _parse_connect_dsn_and_args

from queue_core.backends.postgres.address import Address, address_of
from queue_core.errors import InvalidValue

EXAMPLE = "Write postgresql://user:password@host:5432/database"


def refused(url: str) -> str:
    with pytest.raises(InvalidValue) as refusal:
        address_of(url)
    assert "secret" not in str(refusal.value)
    return str(refusal.value)


def test_what_is_ours_is_kept_from_the_driver() -> None:
    address = address_of("postgres://u:p%40ss@h:6543/shop?schema=mail&sslmode=require&mode=poll")
    assert address == Address("postgresql://u:p%40ss@h:6543/shop?sslmode=require", "mail", "poll")
    assert address.shown == "postgresql://u@h:6543/shop?schema=mail"
    assert not address.has_several_hosts


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql:///shop",
        "postgresql://h",
        "postgresql://u@/shop",
        "postgresql://[::1]:5432/shop",
        "postgresql://h:1/shop",
        "postgresql://h:65535/shop",
        "postgresql:///shop?host=%2Frun%2Fpostgresql&port=6543",
        "postgresql://h/shop?options=-c%20statement_timeout%3D5000",
    ],
)
def test_a_url_reaches_the_driver_as_it_is(url: str) -> None:
    assert urlsplit(address_of(url).dsn) == urlsplit(url)


def test_of_several_hosts_each_may_have_a_port() -> None:
    assert address_of("postgresql://a:1,b,[::1]:3/shop").has_several_hosts


def test_a_password_with_a_colon_or_a_percent_is_the_drivers_password() -> None:
    """The others of its letters have to be written in another way, as the refusals say."""
    address = address_of("postgresql://u:a:b%40%3A%2F%3F%23%25c@h/shop")
    _, parameters, *_ = _parse_connect_dsn_and_args(
        dsn=address.dsn, host=None, port=None, user=None, password=None, passfile=None, database=None, ssl=None, service=None, servicefile=None,
        direct_tls=None, server_settings=None, target_session_attrs=None, krbsrvname=None, gsslib=None,
    )  # fmt: skip
    assert parameters.password == "a:b@:/?#%c"


@pytest.mark.parametrize("port", ["99999", "65536", "0", "abc", "", "-1", "5432x", "٣", "1,h:99999", "123456789012"])
def test_a_port_must_be_one(port: str) -> None:
    said = refused(f"postgresql://u:secret@h:{port}/shop")
    assert "a port that is a number from 1 to 65535" in said and EXAMPLE in said


@pytest.mark.parametrize("query", ["port=99999", "port=abc", "port=1,0", "port=", "host=h:99999", "host=a,b:x"])
def test_a_host_or_port_among_the_settings_too(query: str) -> None:
    said = refused(f"postgresql:///shop?{query}&password=secret")
    assert "a number from 1 to 65535" in said and EXAMPLE in said


@pytest.mark.parametrize("password", ["x@secret", "@secret", "x:5/secret", "5/secret", "5432/secret", "x?secret", "5432?secret", "5?x=secret",
                                      "x#secret", "[secret", "x/secret?y", "x@y/secret", "secret@h:5432/x"])  # fmt: skip
def test_a_password_that_spoils_the_url_hears_how_it_is_written(password: str) -> None:
    said = refused(f"postgresql://u:{password}@h/shop")
    for word in ("In a password an @ is written %40", ": is %3A", "/ is %2F", "? is %3F", "# is %23"):
        assert word in said


@pytest.mark.parametrize("name", ["wat", "Schema", "statement_timeout", "connect_timeout", ""])
def test_an_unknown_setting_is_named_beside_the_known_ones(name: str) -> None:
    said = refused(f"postgresql://u:secret@h/shop?{name}=secret")
    assert f"no setting {name!r}" in said
    assert "It has schema, mode; for the driver host, port, user" in said and "sslmode" in said
    assert "for the server options=-c%20name=value" in said


@pytest.mark.parametrize("name", ["schema", "mode", "password", "sslmode"])
def test_a_setting_given_twice_is_refused(name: str) -> None:
    assert refused(f"postgresql://h/shop?{name}=secret&{name}=secret") == (
        f"A store URL has each of its settings once, got {name} 2 times. Keep one of them."
    )


@pytest.mark.parametrize("schema", ["", "Shop", "pg_shop", "1shop", "shop-1", "s" * 49, "a;b", "a%00b"])
def test_a_schema_must_be_a_plain_name(schema: str) -> None:
    assert "schema must be a name of at most 48 small letters" in refused(f"postgresql://u:secret@h/shop?schema={schema}")


def test_a_mode_must_be_one_of_two() -> None:
    assert "mode must be listen, or poll for a transaction pooler, got 'wait'" in refused("postgresql://u:secret@h/shop?mode=wait")


@pytest.mark.parametrize("url", ["postgresql://u:secret@h/shop\n", "postgresql://h\x00/secret", "postgresql://\ud800/secret"])
def test_a_url_must_be_printable(url: str) -> None:
    assert "The store URL must be printable text. One that was read from a file may still have its line end." in refused(url)
