"""What argparse finds wrong with a command line, as a sentence with its cure."""

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Final

_MISSING: Final = re.compile(r"the following arguments are required: (.+)", re.DOTALL)
_CHOICE: Final = re.compile(r"argument .*?: invalid choice: (.+?) \(choose from (.+)\)", re.DOTALL)
_NUMBER: Final = re.compile(r"argument (.+?): invalid (?:int|float) value: (.+)", re.DOTALL)
_VALUE: Final = re.compile(r"argument (.+?): expected one argument", re.DOTALL)
_UNKNOWN: Final = re.compile(r"unrecognized arguments: (.+)", re.DOTALL)


def sentence(message: str, options: Iterable[str]) -> str:
    """``message`` in words for people. ``options``: those that the command has."""
    known = list(options)
    for pattern, say in _SENTENCES:
        if found := pattern.fullmatch(message):
            return say(known, *found.groups())
    return f"{message[0].upper()}{message[1:]}."


def is_about_a_command(message: str) -> bool:
    """Whether no command was named where one has to be."""
    found = _MISSING.fullmatch(message)
    return found is not None and found[1] in {"COMMAND", "ACTION"}


def _missing(_: list[str], names: str) -> str:
    return f"{names.replace(', ', ' and ')} must be given."


def _choice(_: list[str], given: str, choices: str) -> str:
    names = re.findall(r"[\w-]+", choices)
    near = difflib.get_close_matches(given.strip("'\""), names, 1)
    hint = f"Did you mean {near[0]}?" if near else f"The commands are {', '.join(names)}."
    return f"There is no command {given}. {hint}"


def _number(_: list[str], name: str, given: str) -> str:
    return f"{name} must be a whole number, got {given}."


def _value(_: list[str], name: str) -> str:
    return f"{name} needs a value after it."


def _unknown(options: list[str], words: str) -> str:
    from queue_core.expose import without_password  # only here: --help has to answer at once

    first = without_password(words.split()[0])
    if "://" in first and "--store" in options:
        return f"A store is named by --store here, got {first} without it."
    if not first.startswith("-"):
        return f"{first!r} is more than this command takes."
    near = difflib.get_close_matches(first.partition("=")[0], options, 1)
    return f"There is no {first}.{f' Did you mean {near[0]}?' if near else ''}"


_SENTENCES: Final[tuple[tuple[re.Pattern[str], Callable[..., str]], ...]] = (
    (_MISSING, _missing),
    (_CHOICE, _choice),
    (_NUMBER, _number),
    (_VALUE, _value),
    (_UNKNOWN, _unknown),
)
