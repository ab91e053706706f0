"""Where a PostgreSQL store is: a URL to what its connections need to know."""

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from queue_core.errors import InvalidValue

Mode = Literal["listen", "poll"]
"""How changes of other processes are heard of. ``poll`` needs no session state, so it works through a transaction pooler."""

DEFAULT_SCHEMA: Final = "prinia"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")
_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d+)?")
_OURS: Final = ("schema", "mode")
_EXAMPLE = "Write postgresql://user:password@host:5432/database, and after it, if you need them, ?schema=shop&mode=poll."


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
    def has_several_hosts(self) -> bool:
        """Whether the driver has to find the server that takes writes."""
        return "," in urlsplit(self.dsn).netloc.rpartition("@")[2]


def address_of(url: str) -> Address:
    """The store that ``url`` names. Raises InvalidValue for one that cannot be."""
    parts = _parts(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    ours = {name: value for name, value in query if name in _OURS}
    rest = urlencode([(name, value) for name, value in query if name not in _OURS], quote_via=quote)
    dsn = urlunsplit(("postgresql", parts.netloc, parts.path, rest, ""))
    return Address(dsn, _schema(ours.get("schema", DEFAULT_SCHEMA)), _mode(ours.get("mode", "listen")))


def _parts(url: str) -> SplitResult:
    """``url`` taken apart. What is wrong with it is said without repeating it, because a piece of the password may be in the wrong place."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidValue(f"The host of the store URL cannot be read. {_EXAMPLE}") from None
    if parts.fragment:
        raise InvalidValue(f"The store URL must not have a fragment. A # in a password is written %23. {_EXAMPLE}")
    if not all(_HOST.fullmatch(host) for host in parts.netloc.rpartition("@")[2].split(",")):
        raise InvalidValue(f"The store URL must have a host and a port that is a number. A / in a password is written %2F, a : is %3A. {_EXAMPLE}")
    return parts


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
