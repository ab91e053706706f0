"""Codecs: what goes in comes out, and what cannot go in is refused with a sentence."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_core.codec import CODECS, Codec, codec_named, convert
from queue_core.errors import DecodeError, EncodeError
from tests.core.steady import steady


@dataclasses.dataclass
class Address:
    street: str
    number: int = 1


class Order(msgspec.Struct):
    id: UUID
    to: Address
    total: Decimal
    lines: list[str] = []


class Invoice(pydantic.BaseModel):
    number: int
    due: date
    paid: bool = False


class Color(Enum):
    RED = "red"


VALUES: list[tuple[Any, Any]] = [
    (None, type(None)),
    (True, bool),
    (2**60, int),
    (0.1, float),
    ("ü 🦀 \x00", str),
    (b"\x00\xff", bytes),
    ([1, 2], list[int]),
    ((1, "a"), tuple[int, str]),
    ({"a": {"b": [None]}}, dict[str, Any]),
    ({1: "one"}, dict[int, str]),
    ({1, 2}, set[int]),
    (datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC), datetime),
    (date(2026, 1, 2), date),
    (timedelta(seconds=90), timedelta),
    (UUID(int=7), UUID),
    (Decimal("1.10"), Decimal),
    (Color.RED, Color),
    (Address("Main", 5), Address),
    (Order(UUID(int=1), Address("x"), Decimal("9.99"), ["a"]), Order),
    (Invoice(number=1, due=date(2026, 1, 2)), Invoice),
    ([Invoice(number=1, due=date(2026, 1, 2))], list[Invoice]),
    ({"a": Address("x")}, dict[str, Address]),
    (Address("x"), Address | None),
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)

codecs = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)


@codecs
@pytest.mark.parametrize(("value", "kind"), VALUES, ids=lambda each: getattr(each, "__name__", str(each))[:30])
def test_a_value_comes_out_as_it_went_in(codec: Codec, value: Any, kind: Any) -> None:
    assert convert(codec.decode(codec.encode(value)), kind) == value


@codecs
@given(value=JSON_VALUES)
@steady
def test_any_plain_value_comes_out_as_it_went_in(codec: Codec, value: Any) -> None:
    assert codec.decode(codec.encode(value)) == value


@codecs
@given(data=st.binary(max_size=60))
@steady
def test_any_bytes_decode_or_are_refused_with_a_sentence(codec: Codec, data: bytes) -> None:
    said = ""
    try:
        codec.decode(data)
    except DecodeError as error:
        said = str(error)
    assert not said or said.startswith(f"The stored {len(data)} bytes are not valid {codec.name}")


@codecs
@pytest.mark.parametrize(
    "value", [object(), lambda: None, {"a": [object()]}, 1j, Address], ids=["object", "function", "nested object", "complex", "class"]
)
def test_what_the_format_cannot_hold_is_refused(codec: Codec, value: Any) -> None:
    with pytest.raises(EncodeError, match=f"cannot be stored as {codec.name}: .*pass builtins, dataclasses, msgspec structs or pydantic models"):
        codec.encode(value)


@codecs
def test_a_lone_surrogate_and_a_circle_are_refused(codec: Codec) -> None:
    circle: list[Any] = []
    circle.append(circle)
    for value in ("\ud800", circle):
        with pytest.raises(EncodeError, match="cannot be stored"):
            codec.encode(value)


@codecs
def test_deep_nesting_is_refused_and_kills_nobody(codec: Codec) -> None:
    data = b"[" * 100_000 + b"]" * 100_000 if codec.name == "json" else b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(DecodeError):
        codec.decode(data)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", int),
        ({"street": 5}, Address),
        ({}, Address),
        ({"number": "x", "due": "y"}, Invoice),
        ("nope", UUID),
        ("nope", datetime),
        (1, Color),
        ([1], dict[str, int]),
    ],
)
def test_a_value_of_another_kind_is_refused(value: Any, kind: Any) -> None:
    with pytest.raises(DecodeError):
        convert(value, kind)


def test_text_counts_as_a_number_unless_strict() -> None:
    assert convert("42", int) == 42
    with pytest.raises(DecodeError):
        convert("42", int, strict=True)


def test_codecs_are_found_by_name() -> None:
    assert codec_named("json").name == "json"
    assert codec_named("msgpack").name == "msgpack"


def test_an_unknown_codec_is_named_with_the_known_ones() -> None:
    with pytest.raises(DecodeError, match=r"No codec is called 'pickle'; known here: json, msgpack\."):
        codec_named("pickle")
