"""What PostgreSQL's errors, and those of the way to it, mean for people."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from queue_core.backends.postgres.address import Address
from queue_core.errors import InvalidValue, PriniaError, StoreUnavailable

POOLER: Final = "A transaction pooler seems to be in between: add ?mode=poll to the store's URL, or connect to the server itself"
_CAUSES: Final = {
    "25006": "the server takes no writes, as a standby does, or one that is being replaced. It will be tried again",
    "53300": "the server has no connection left. Raise max_connections, or let each process use fewer",
    "53100": "the disk of the server is full. Make room; this was not stored",
    "57014": "the query took longer than its time limit. Narrow the search, for example by queue or state",
    "55P03": "another session holds a lock for too long. End its transaction; this was not stored",
    "40P01": "it was in the way of another session again and again. Try again; this was not stored",
    "40001": "it was in the way of another session again and again. Try again; this was not stored",
    "26000": POOLER,
    "42P05": POOLER,
    "08P01": POOLER,
    "42501": "the role lacks a permission. Let it own the schema, or let the owner grant it what docs/guides/many-machines.md lists",
    "42P01": "its tables are gone. Open it again, so that they are made",
    "3F000": "its schema is gone. Open it again, so that it is made",
    "42883": "its functions are gone. Open it again, so that they are made",
    "28P01": "the password is wrong",
    "28000": "the server does not let this role in from here",
    "3D000": "the database does not exist. Create it first",
}
_FOR_GOOD: Final = {"28P01", "28000", "3D000", "42501"}
"""What no waiting mends, if it is so from the start."""
_NONE_GIVEN: Final = "the server wants a password, and neither the URL nor $PGPASSWORD gives one. Add it there, or a line that fits to ~/.pgpass"

LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    OSError,
    TimeoutError,
)
"""After these a connection is of no more use."""
LOST_IN_BETWEEN: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    ConnectionResetError,
)
"""What using a connection raises that broke while nobody used it."""
REPEATABLE: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""After these the same transaction may well succeed."""
DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""Everything that a statement can raise which is not a fault of Prinia."""


@contextmanager
def explained(address: Address, *, opening: bool = False) -> Iterator[None]:
    """Raise the driver's errors as Prinia's, in words; see ``explain``. What is one of Prinia's already stays as it is."""
    try:
        yield
    except PriniaError:
        raise
    except DRIVER_ERRORS as error:
        raise explain(error, address, opening=opening) from error


def explain(error: BaseException, address: Address, *, opening: bool = False) -> PriniaError:
    """``error`` as one of Prinia's, in words: StoreUnavailable, or InvalidValue where only another URL or a permission can help."""
    code = str(getattr(error, "sqlstate", None) or "")
    cause = _NONE_GIVEN if code == "28P01" and not address.has_password else _CAUSES.get(code) or _of_class(error)
    words = " ".join(str(error).split()).rstrip(".")
    sentence = f"The store {address.shown} cannot be used: {cause}{f' ({words})' if words else ''}."
    is_hopeless = code in _FOR_GOOD or isinstance(error, (asyncpg.ClientConfigurationError, ssl.SSLCertVerificationError)) or _is_without_tls(error)
    return InvalidValue(sentence) if opening and is_hopeless else StoreUnavailable(sentence)


def is_unstorable(error: BaseException) -> bool:
    """Whether the values are at fault, not the server or the way to it."""
    return isinstance(error, asyncpg.DataError)


def _of_class(error: BaseException) -> str:
    match error:
        case asyncpg.CannotConnectNowError():
            return "the server is starting or stopping. It will be tried again"
        case asyncpg.ClientConfigurationError():
            return "its URL has a setting that cannot be. Correct it"
        case TimeoutError():
            return "the server did not answer in time. It will be tried again"
        case ConnectionError() if _is_without_tls(error):
            return "the server has no TLS, and sslmode asks for it. Turn it on there, or leave sslmode out"
        case ssl.SSLCertVerificationError():
            return "the certificate of the server is not trusted here. Name the authority that signed it by sslrootcert="
        case ssl.SSLError():
            return "TLS with the server failed. Check sslmode and the certificates"
        case ConnectionRefusedError():
            return "nothing answers there. Start the server, or correct the URL"
        case OSError():
            return "it cannot be reached. Check the network and the URL"
        case _ if isinstance(error, LOST):
            return "the connection was lost. It will be tried again"
    return "the server refused the statement"


def _is_without_tls(error: BaseException) -> bool:
    """The driver has no class for it."""
    return isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error)
