"""Arguments and results to bytes and back. The codec's name is stored with each row, so mixed queues decode."""

import sys
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeVar

import msgspec

from queue_core.errors import DecodeError, EncodeError, InvalidValue

T = TypeVar("T")


class Codec(Protocol):
    """Values to bytes and back. ``name`` is what is stored; two codecs must not share one.

    >>> class ReprCodec:
    ...     name = "repr"
    ...     def encode(self, value: Any) -> bytes:
    ...         return repr(value).encode()
    ...     def decode(self, data: bytes) -> Any:
    ...         return ast.literal_eval(data.decode())
    >>> app = App("memory://", codec=ReprCodec())
    >>> app.codec.name
    'repr'
    """

    @property
    def name(self) -> str:
        """The name that is stored beside the bytes."""
        ...

    def encode(self, value: Any) -> bytes:
        """The bytes of ``value``. Raises EncodeError for what the format cannot hold."""
        ...

    def decode(self, data: bytes) -> Any:
        """The plain value (dict, list, str, number, bool, None) of ``data``. Raises DecodeError."""
        ...


def _encode(codec: str, encode: Any, value: Any) -> bytes:
    try:
        data: bytes = encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EncodeError(f"{type(value).__name__} cannot be stored as {codec}: {error}.") from error
    return data


def _decode(codec: str, decode: Any, data: bytes) -> Any:
    try:
        return decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DecodeError(f"The stored {len(data)} bytes are not valid {codec}: {error}.") from error


def _plain(value: Any) -> Any:
    """What the encoder may store in place of a value that it does not know."""
    if _is_pydantic(type(value)):
        return value.model_dump(mode="json")
    raise InvalidValue(f"values of type {type(value).__name__} are not supported; pass builtins, dataclasses, msgspec structs or pydantic models")


def _model(kind: type, value: Any) -> Any:
    """Build a type that msgspec does not know from a plain value."""
    if _is_pydantic(kind):
        return kind.model_validate(value)  # type: ignore[attr-defined]  # pydantic is optional, so it is not imported
    if isinstance(value, kind):
        return value
    raise DecodeError(f"arguments of type {kind.__name__} are not supported")


def _is_pydantic(kind: type) -> bool:
    pydantic = sys.modules.get("pydantic")  # a model can only exist where pydantic is imported
    return pydantic is not None and issubclass(kind, pydantic.BaseModel)


class JsonCodec:
    """JSON by msgspec: builtins, dataclasses, structs, datetime, UUID, Decimal, bytes (as base64), pydantic models.

    >>> JsonCodec().encode({"when": datetime(2026, 1, 1), "what": b"bytes"})
    b'{"when":"2026-01-01T00:00:00","what":"Ynl0ZXM="}'
    """

    name = "json"

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder(enc_hook=_plain)
        self._decoder = msgspec.json.Decoder()

    def encode(self, value: Any) -> bytes:
        """The JSON bytes of ``value``. Raises EncodeError for what JSON cannot hold."""
        return _encode(self.name, self._encoder.encode, value)

    def decode(self, data: bytes) -> Any:
        """The plain value that the JSON ``data`` holds. Raises DecodeError."""
        return _decode(self.name, self._decoder.decode, data)


class MsgPackCodec:
    """MessagePack by msgspec: smaller than JSON, and bytes stay bytes.

    >>> MsgPackCodec().decode(MsgPackCodec().encode({"what": b"bytes"}))
    {'what': b'bytes'}
    """

    name = "msgpack"

    def __init__(self) -> None:
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
        self._decoder = msgspec.msgpack.Decoder()

    def encode(self, value: Any) -> bytes:
        """The MessagePack bytes of ``value``. Raises EncodeError for what the format cannot hold."""
        return _encode(self.name, self._encoder.encode, value)

    def decode(self, data: bytes) -> Any:
        """The plain value that ``data`` holds. Raises DecodeError."""
        return _decode(self.name, self._decoder.decode, data)


CODECS: Final[Mapping[str, Codec]] = {codec.name: codec for codec in (JsonCodec(), MsgPackCodec())}
"""The codecs that every reader knows by name."""


class Guarded:
    """A codec of somebody else's: whatever it raises, its readers and writers get the errors that a Codec raises."""

    def __init__(self, codec: Codec) -> None:
        name = getattr(codec, "name", None)
        if isinstance(codec, type) or not callable(getattr(codec, "encode", None)) or not callable(getattr(codec, "decode", None)):
            raise InvalidValue(f"codec must be the name of one, or a Codec with name, encode and decode, got {codec!r}.")
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise InvalidValue(f"The name of a codec is stored with each task, so it must be printable text, got {name!r} of {type(codec).__name__}.")
        self.name: Final = name
        self.inner: Final = codec

    def encode(self, value: Any) -> bytes:
        """The bytes of ``value``. Raises EncodeError."""
        try:
            data = self.inner.encode(value)
        except EncodeError:
            raise
        except Exception as error:
            raise EncodeError(f"{type(value).__name__} cannot be stored as {self.name}: {_said(error)}.") from error
        if not isinstance(data, bytes):
            raise EncodeError(f"The codec {self.name} must give bytes, and gave {type(data).__name__} for {type(value).__name__}.")
        return data

    def decode(self, data: bytes) -> Any:
        """The plain value that ``data`` holds. Raises DecodeError."""
        try:
            return self.inner.decode(data)
        except DecodeError:
            raise
        except Exception as error:
            raise DecodeError(f"The stored {len(data)} bytes are not valid {self.name}: {_said(error)}.") from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".: ")


def codec_named(name: str, known: Mapping[str, Codec] = CODECS) -> Codec:
    """The codec called ``name``. Raises DecodeError, because it is asked for while reading a stored row."""
    try:
        return known[name]
    except KeyError:
        raise DecodeError(f"No codec is called {name!r}; known here: {', '.join(sorted(known))}.") from None


def convert(value: Any, kind: type[T] | Any, *, strict: bool = False) -> T | Any:
    """``value``, as decoded, made into ``kind`` (a builtin, dataclass, struct or pydantic model). Raises DecodeError.

    ``strict`` refuses what would need a guess, as the text ``"42"`` for a number.
    """
    try:
        return msgspec.convert(value, kind, strict=strict, str_keys=True, dec_hook=_model)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise DecodeError(str(error)) from error
