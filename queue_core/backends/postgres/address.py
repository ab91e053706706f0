"""Where a PostgreSQL store is: a URL to what its connections need to know."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from queue_core.errors import InvalidValue

Mode = Literal["listen", "poll"]
"""How changes of other processes are heard of. ``poll`` needs no session state, so it works through a transaction pooler."""

DEFAULT_SCHEMA: Final = "prinia"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_PORTS: Final = range(1, 65_536)
_OURS: Final = ("schema", "mode")
_OF_THE_DRIVER: Final = (
    *("host", "port", "user", "password", "passfile", "dbname", "database", "service", "options", "target_session_attrs"),
    *("sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib"),
)
_EXAMPLE = "Write postgresql://user:password@host:5432/database, and after it, if you need them, ?schema=shop&mode=poll."
_ESCAPES: Final = "In a password an @ is written %40, a : is %3A, a / is %2F, a ? is %3F, a # is %23, and a % is %25."


@dataclass(frozen=True, slots=True)
class Address:
    """A store: a schema of a database on some server."""

    dsn: str
    """What the driver is given, without what is ours."""
    schema: str = DEFAULT_SCHEMA
    mode: Mode = "listen"

    @property
    def shown(self) -> str:
        """For people, without the password."""
        parts = urlsplit(self.dsn)
        login, at, host = parts.netloc.rpartition("@")
        place = f"postgresql://{login.partition(':')[0]}{at}{host}{parts.path}"
        return place if self.schema == DEFAULT_SCHEMA else f"{place}?schema={self.schema}"

    @property
    def has_password(self) -> bool:
        """Whether the URL or the environment gives one, or names a file that may."""
        parts = urlsplit(self.dsn)
        settings = dict(parse_qsl(parts.query))
        in_url = ":" in parts.netloc.rpartition("@")[0] or not settings.keys().isdisjoint({"password", "passfile", "service"})
        return in_url or not os.environ.keys().isdisjoint({"PGPASSWORD", "PGPASSFILE", "PGSERVICE"})

    @property
    def has_several_hosts(self) -> bool:
        """Whether the driver has to find the server that takes writes."""
        return "," in urlsplit(self.dsn).netloc.rpartition("@")[2]


def address_of(url: str) -> Address:
    """The store that ``url`` names. Raises InvalidValue for one that cannot be."""
    parts = _parts(url)
    settings = _settings(parts.query)
    rest = urlencode({name: value for name, value in settings.items() if name not in _OURS}, quote_via=quote)
    dsn = urlunsplit(("postgresql", parts.netloc, parts.path, rest, ""))
    return Address(dsn, _schema(settings.get("schema", DEFAULT_SCHEMA)), _mode(settings.get("mode", "listen")))


def _parts(url: str) -> SplitResult:
    """``url`` taken apart. What is wrong with it is said without repeating it, because a piece of the password may be in the wrong place."""
    if not url.isprintable():
        raise InvalidValue(f"The store URL must be printable text. One that was read from a file may still have its line end. {_EXAMPLE}")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidValue(f"The host of the store URL cannot be read. {_ESCAPES} {_EXAMPLE}") from None
    if parts.fragment:
        raise InvalidValue(f"The store URL must not have a fragment. {_ESCAPES} {_EXAMPLE}")
    login, _, hosts = parts.netloc.rpartition("@")
    if "@" in login + parts.path:
        raise InvalidValue(f"The store URL must have one @, before its host. {_ESCAPES} {_EXAMPLE}")
    _check_hosts(hosts)
    return parts


def _check_hosts(hosts: str) -> None:
    found = [_HOST.fullmatch(host) for host in hosts.split(",")]
    if not all(host and _is_port(host[1]) for host in found):
        raise InvalidValue(f"The store URL must have a host and a port that is a number from 1 to 65535. {_ESCAPES} {_EXAMPLE}")


def _is_port(text: str | None) -> bool:
    return text is None or (text.isascii() and text.isdecimal() and int(text) in _PORTS)


def _settings(query: str) -> dict[str, str]:
    """What comes after the ``?``. With an @ in it, it may be the rest of a password, and no name of it is repeated."""
    pairs = parse_qsl(query, keep_blank_values=True)
    for name, times in Counter(name for name, _ in pairs).items():
        _check_setting(name, times, is_fit_to_show="@" not in query)
    settings = dict(pairs)
    _check_hosts(settings.get("host", ""))
    if not all(map(_is_port, settings.get("port", "5432").split(","))):
        raise InvalidValue(f"The setting port of the store URL must be a number from 1 to 65535. {_EXAMPLE}")
    return settings


def _check_setting(name: str, times: int, *, is_fit_to_show: bool) -> None:
    """Raise InvalidValue for a setting that nobody knows, and for one that is given twice."""
    if name not in (*_OURS, *_OF_THE_DRIVER):
        wrong = f"no setting {name[:60]!r}" if is_fit_to_show else "not all of these settings"
        raise InvalidValue(
            f"A store URL has {wrong}. It has {', '.join(_OURS)}; for the driver {', '.join(_OF_THE_DRIVER)}; "
            f"and for the server options=-c%20name=value. {_ESCAPES}"
        )
    if times > 1:
        raise InvalidValue(f"A store URL has each of its settings once, got {name} {times} times. Keep one of them.")


def _schema(name: str) -> str:
    if not _NAME.fullmatch(unquote(name)) or name.startswith("pg_"):
        raise InvalidValue(
            f"schema must be a name of at most 48 small letters, digits and underscores that does not begin with pg_, got {name!r}. {_EXAMPLE}"
        )
    return name


def _mode(mode: str) -> Mode:
    match mode:
        case "listen" | "poll":
            return mode
    raise InvalidValue(f"mode must be listen, or poll for a transaction pooler, got {mode!r}. {_EXAMPLE}")
