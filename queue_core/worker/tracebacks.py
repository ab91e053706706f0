"""An exception as history keeps it: the traceback begins in the user's code and has a bounded length."""

import traceback
from pathlib import Path
from typing import Final

from queue_core.errors import words
from queue_core.task import ErrorInfo

MAX_TRACEBACK: Final = 64 * 1024
MAX_MESSAGE: Final = 16 * 1024
_OURS: Final = str(Path(__file__).resolve().parents[1])
_TOLD: Final = "__prinia_error__"


def error_info(error: BaseException) -> ErrorInfo:
    """What a person needs to know about ``error``: its causes too, without the frames of the worker that called the handler."""
    told = BaseException.__getattribute__(error, "__dict__").get(_TOLD)  # past whatever its class does to attributes
    return told if isinstance(told, ErrorInfo) else _describe(error)


def remember(error: BaseException, info: ErrorInfo) -> BaseException:
    """Let ``error``, which comes from another process, be described by ``info``, which was made there."""
    BaseException.__setattr__(error, _TOLD, info)
    return error


def _describe(error: BaseException) -> ErrorInfo:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return ErrorInfo(type=name, message=_message(error), traceback=_format(error))


def _message(error: BaseException) -> str:
    return _clean(words(error))[:MAX_MESSAGE]


def _format(error: BaseException) -> str:
    try:
        told = traceback.TracebackException.from_exception(error, compact=True)
        for part in _chain(told):
            _strip(part)
        return _cut(_clean("".join(told.format())))
    except Exception as second:  # formatting reads the user's objects
        return f"<the traceback cannot be shown: {type(second).__name__}>"


def _chain(told: traceback.TracebackException) -> list[traceback.TracebackException]:
    parts: list[traceback.TracebackException] = []
    waiting = [told]
    while waiting and len(parts) < 100:
        part = waiting.pop()
        parts.append(part)
        waiting += [link for link in (part.__cause__, part.__context__, *(part.exceptions or ())) if link is not None]
    return parts


def _strip(part: traceback.TracebackException) -> None:
    while part.stack and is_ours(part.stack[0].filename):
        del part.stack[0]


def is_ours(filename: str) -> bool:
    """Whether a frame in this file is the worker's own, or that of the event loop under it."""
    return filename.startswith(_OURS) or filename.endswith(("asyncio/tasks.py", "asyncio/futures.py"))


def _cut(text: str) -> str:
    if len(text) <= MAX_TRACEBACK:
        return text
    half = MAX_TRACEBACK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def _clean(text: str) -> str:
    """Text that every store can hold: no lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")
