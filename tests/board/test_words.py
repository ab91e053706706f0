"""What is made of stored text: tracebacks in frames, JSON in pieces."""

import traceback

import pytest

from board import filters, payloads, tracebacks
from queue_core.expose import CODECS


def test_a_real_traceback_comes_apart_into_its_frames() -> None:
    try:
        int("x")
    except ValueError as error:
        text = "".join(traceback.format_exception(error))
    [frame] = tracebacks.frames(text)
    assert frame.file == __file__ and frame.function == "test_a_real_traceback_comes_apart_into_its_frames"
    assert frame.code == 'int("x")' and frame.own


def test_the_code_of_libraries_is_not_the_persons_own() -> None:
    text = 'Traceback (most recent call last):\n  File "/venv/lib/python3.11/site-packages/x.py", line 3, in f\n    g()\n    ^^^\nValueError: x\n'
    [frame] = tracebacks.frames(text)
    assert (frame.line, frame.code, frame.own) == (3, "g()", False)


@pytest.mark.parametrize("text", ["", "boom", 'File "x"', '  File "' + "x" * 100_000, "\n" * 10_000])
def test_what_is_no_traceback_has_no_frames(text: str) -> None:
    assert tracebacks.frames(text) == ()


@pytest.mark.parametrize("text", ['{"a": [1, -2.5e3, true, null, "x\\"y"]}', '{"cut": "in the mid', "{", "", '"ü\n', "not json at all", "\\\\"])
def test_the_pieces_of_json_are_its_text(text: str) -> None:
    assert "".join(piece for _, piece in filters.json_tokens(text)) == text


def test_the_pieces_of_json_are_told_apart() -> None:
    kinds = {piece: kind for kind, piece in filters.json_tokens('{"a": "b", "n": -1.5, "t": true}')}
    assert (kinds['"a"'], kinds['"b"'], kinds["-1.5"], kinds["true"]) == ("key", "string", "number", "word")


def test_msgpack_is_shown_as_json() -> None:
    data = CODECS["msgpack"].encode({"a": b"\x00", "n": 2**63})
    shown = payloads.as_text(data, "msgpack", name="x", codecs=CODECS, redact=None)
    assert shown.problem is None and "9223372036854775808" in shown.text


def test_an_unknown_codec_is_named() -> None:
    shown = payloads.as_text(b"abc", "pickle", name="x", codecs=CODECS, redact=None)
    assert shown.text == "abc" and shown.problem is not None and "pickle" in shown.problem
