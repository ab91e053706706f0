"""How a command ends: with a sentence on stderr and an exit code, never with a traceback."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Final

from queue_core.errors import InvalidValue, PriniaError

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
TRACEBACK: Final = "PRINIA_TRACEBACK"
"""Environment variable that asks for the traceback of an error that nobody foresaw."""


class UsageError(Exception):
    """The command was called wrongly. The message is a sentence with the cure."""


class CommandFailed(Exception):
    """The command was right and could not be done. The message is a sentence."""


def guarded(command: Callable[[], int], *, who: str = "prinia") -> int:
    """Run ``command`` and return its exit code; turn what it raises into a sentence, said by ``who``, and a code."""
    try:
        code = command()
        sys.stdout.flush()  # so that a closed pipe is met here and not at interpreter exit
    except BrokenPipeError:
        return _reader_left()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (UsageError, InvalidValue) as error:
        return _say(who, error, USAGE)
    except (CommandFailed, PriniaError, OSError) as error:
        return _say(who, error, FAILED)
    except Exception as error:
        return _unforeseen(who, error)
    return code


def _say(who: str, error: BaseException, code: int) -> int:
    print(f"{who}: {_sentence(error)}", file=sys.stderr)
    return code


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and not isinstance(error, PriniaError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return str(error) or type(error).__name__


def _unforeseen(who: str, error: Exception) -> int:
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
        return FAILED
    print(f"{who}: {type(error).__name__}: {error}\nNobody foresaw this. {TRACEBACK}=1 prinia … shows where it happened.", file=sys.stderr)
    return FAILED


def _reader_left() -> int:
    """``prinia … | head``: what is left is for nobody; keep the interpreter from complaining about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
