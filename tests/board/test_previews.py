"""Arguments in one line: told from their beginning, safe whatever they are, and never past a redact hook."""

import random
from typing import Any

import httpx2
import msgspec
import pytest

from board import Board
from board.previews import SHOWN, preview
from board.screen import Redact
from queue_core.expose import ARGS_HEAD, CODECS, Connected, Status
from tests.board.helpers import client_of, push, task_in

LONG = "x" * 300


def line(args: str | bytes, codec: str = "json", redact: Redact | None = None) -> str | None:
    stored = args.encode("utf-8", "surrogatepass") if isinstance(args, str) else args
    return preview(stored[:ARGS_HEAD], codec, name="mail", codecs=CODECS, redact=redact)


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ('{"user_id":42,"name":"Ann"}', 'user_id=42 name="Ann"'),
        (' { "a" : 1.50 ,\n "b" : [1, {"c": null}] } ', 'a=1.50 b=[1, {"c": null}]'),
        ('{"huge":123456789012345678901234567890}', "huge=123456789012345678901234567890"),
        ('{"a key":1,"":2}', '"a key"=1 ""=2'),
        ('{"city":"K\\u00f6ln","note":"a\\n\\"b\\""}', r'city="Köln" note="a\n\"b\""'),
        ("{}", None),
        ("  ", None),
        ("", None),
        ("[1,2]", "[1,2]"),
        ('{"a":1} and more', '{"a":1} and more'),
        ('{"a":', '{"a":'),
        ("line\none", "line␊one"),
    ],
)
def test_arguments_read_as_pairs_and_all_else_as_it_is_stored(args: str, shown: str | None) -> None:
    assert line(args) == shown


@pytest.mark.parametrize(
    ("args", "begins", "ends"),
    [
        ('{"user_id":42,"rest":["' + LONG, 'user_id=42 rest=["xxx', "x…"),
        ('{"number":' + "1" * 300, "number=111", "1…"),
        ('{"a":"' + "é" * 300, 'a="é', "é…"),
        ("[" * 300, "[[[", "[…"),
        ('{"a":' + "[" * 300, "a=[[[", "[…"),
        ('"' * 300, '"""', '"…'),
        ('{"a":1,' * 60, '{"a":1,', "…"),
    ],
)
def test_a_long_line_ends_with_a_mark(args: str, begins: str, ends: str) -> None:
    shown = line(args)
    assert shown and shown.startswith(begins) and shown.endswith(ends) and len(shown) <= SHOWN


def test_a_head_may_be_cut_at_any_byte() -> None:
    args = b'{"user_id": 42, "na\\"me": "Ann \\u00e9", "f\xc3\xb6o": [1, {"b": "]"}], "t": true, "n": -1.5e3, "padding": "' + b" " * 250
    for start in range(len(args) - 130):
        spaces = b" " * (ARGS_HEAD - start if start < ARGS_HEAD else 0)
        shown = line(spaces + args)
        assert shown and (shown.startswith("user_id=4") or start < 15) and shown.endswith("…"), start


def test_a_number_that_may_go_on_is_not_told_as_whole() -> None:
    args = b'{"x":"' + b"y" * 80 + b'"'
    padding = b" " * (ARGS_HEAD - len(args) - len(b',"n":12'))
    assert line(padding + args + b',"n":12' + b"345}") == f'x="{"y" * 80}" n=12…'


def test_nothing_invisible_reaches_the_page() -> None:
    shown = line('{"a\u202e":"\u200f\x00\x1b[31m\ud800","b":\x07}')
    assert shown
    assert shown.isprintable() and "\u202e" not in shown and "\u200f" not in shown


def test_no_bytes_break_it() -> None:
    pieces = [
        b"{",
        b"}",
        b'"',
        b"\\",
        b":",
        b",",
        b"[",
        b"]",
        b"1",
        b"-",
        b"\n",
        b"\x00",
        b"\xff",
        b"\xc3\xa9",
        b"a",
        b"\\u",
        b"d800",
        b"\xe2\x80\xae",
    ]
    dice = random.Random(7)
    for round in range(5_000):
        shown = line((b"", b'{"a":1,"b":')[round % 2] + b"".join(dice.choices(pieces, k=dice.randrange(120))))
        assert shown is None or (len(shown) <= SHOWN and shown.isprintable()), shown


def test_other_codecs_are_read_when_they_are_whole() -> None:
    assert line(msgspec.msgpack.encode({"user_id": 42, "name": "Ann"}), "msgpack") == 'user_id=42 name="Ann"'
    assert line(msgspec.msgpack.encode({"name": LONG}), "msgpack") is None
    assert line(b"\xc1\xc1", "msgpack") is None
    assert line(b"{}", "unknown") is None


def hide_password(_: str, value: Any) -> Any:
    return {**value, "password": "***"}


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_a_redact_hook_is_heard(codec: str) -> None:
    def encoded(**args: object) -> bytes:
        return CODECS[codec].encode(args)

    assert line(encoded(user=1, password="hunter2"), codec, hide_password) == 'user=1 password="***"'
    assert line(encoded(user=1, password="hunter2", rest=LONG), codec, hide_password) is None, "the hook cannot see it whole"
    assert line(b'{"password":"hunter2"', codec, hide_password) is None
    assert "hunter2" not in str(line(encoded(password="hunter2"), codec, lambda _, value: 1 / 0))


@pytest.mark.parametrize("status", Status)
async def test_a_row_of_a_list_tells_what_its_task_is_about(client: httpx2.AsyncClient, connected: Connected, status: Status) -> None:
    await task_in(connected, status, args=b'{"email":"ann@example.org","html":"<b>"}')
    page = await client.get("/tasks")
    assert "email=&#34;ann@example.org&#34; html=&#34;&lt;b&gt;&#34;" in page.text


async def test_a_list_with_a_redact_hook_tells_nothing_of_long_arguments(connected: Connected) -> None:
    await push(connected, args=b'{"password":"hunter2","rest":"' + b"x" * 300 + b'"}')
    async with client_of(Board(connected.expose, redact=hide_password)) as client:
        assert "hunter2" not in (await client.get("/tasks")).text
