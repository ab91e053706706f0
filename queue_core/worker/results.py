"""What a handler returned, as it is stored."""

from collections.abc import Mapping
from typing import Any

from queue_core.codec import Codec, codec_named
from queue_core.errors import EncodeError, HandlerReturnedFalse, UnstorableResult
from queue_core.handler import Handler


def stored_result(value: Any, handler: Handler, codec: str, codecs: Mapping[str, Codec]) -> bytes | None:
    """The bytes of ``value``; None where there is nothing to store. Raises HandlerReturnedFalse, UnstorableResult."""
    if value is False:
        raise HandlerReturnedFalse
    if value is None or not handler.keep_result:
        return None
    try:
        return codec_named(codec, codecs).encode(value)
    except EncodeError as error:
        told = f"The handler succeeded, but its result cannot be stored: {error} Return something else, or set keep_result=False."
        raise UnstorableResult(told) from error
