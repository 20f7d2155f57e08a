"""Canonical JSON: one value has one spelling, and nothing else is taken."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.wire.canonical import (
    MAX_DEPTH,
    MAX_INTEGER,
    Json,
    decode_bytes,
    dump,
    encode_bytes,
    parse,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = TEXT | st.integers(-MAX_INTEGER, MAX_INTEGER)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=10
)

SPELLINGS: list[tuple[dict[str, Json], bytes]] = [
    ({}, b"{}"),
    ({"b": 1, "a": "x"}, b'{"a":"x","b":1}'),
    ({"a": [1, "2", {"c": []}]}, b'{"a":[1,"2",{"c":[]}]}'),
    ({"é": "\u20ac\n\x0f"}, '{"é":"€\\n\\u000f"}'.encode()),
    # RFC 8785, 3.2.3: names are sorted by UTF-16 code units, so U+1F600 comes before U+FB33.
    ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'.encode()),
    ({"n": MAX_INTEGER, "m": -MAX_INTEGER}, b'{"m":-9007199254740991,"n":9007199254740991}'),
]

REFUSED = {
    "empty": b"",
    "not an object": b"[1]",
    "text only": b'"a"',
    "a name twice": b'{"a":1,"a":1}',
    "a name twice inside": b'{"a":{"b":1,"b":2}}',
    "white space": b'{"a": 1}',
    "a trailing line": b'{"a":1}\n',
    "unsorted": b'{"b":1,"a":1}',
    "an escape that is not needed": b'{"a":"\\u0041"}',
    "upper-case escape": b'{"a":"\\u000F"}',
    "true": b'{"a":true}',
    "null": b'{"a":null}',
    "a fraction": b'{"a":1.5}',
    "an exponent": b'{"a":1e3}',
    "an integer as a fraction": b'{"a":1.0}',
    "minus zero": b'{"a":-0}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "above 2**53": b'{"a":9007199254740992}',
    "thousands of digits": b'{"a":' + b"9" * 60_000 + b"}",
    "a lone surrogate": b'{"a":"\\ud800"}',
    "a lone surrogate as a name": b'{"\\ud800":1}',
    "not UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "a NUL": b'{"a":1}\0',
    "arrays in arrays": b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    "a bomb of arrays": b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "a bomb of objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "an open bomb": b"[" * 65_000,
}


@pytest.mark.parametrize(("value", "raw"), SPELLINGS)
def test_both_ways(value: dict[str, Json], raw: bytes) -> None:
    assert dump(value) == raw
    assert parse(raw) == value


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_refused(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse(raw)


def test_deepest_that_is_taken() -> None:
    raw = b'{"a":' + b"[" * (MAX_DEPTH - 2) + b"1" + b"]" * (MAX_DEPTH - 2) + b"}"
    assert dump(parse(raw)) == raw


@pytest.mark.parametrize("value", [True, None, 1.0, 2**53, b"a", {1: 2}, "\ud800"])
def test_what_has_no_spelling_is_our_mistake(value: object) -> None:
    with pytest.raises(LocalProtocolError):
        dump({"a": value})  # type: ignore[dict-item]  # what the types already forbid


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_round_trip(value: dict[str, Json]) -> None:
    assert parse(dump(value)) == value


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_any_other_spelling_is_refused(value: dict[str, Json]) -> None:
    raw = json.dumps(value).encode()
    if raw != dump(value):
        with pytest.raises(RemoteProtocolError):
            parse(raw)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_parse_or_are_refused(raw: bytes) -> None:
    try:
        value = parse(raw)
    except RemoteProtocolError:
        return
    assert dump(value) == raw


@pytest.mark.parametrize(
    "text", ["QQ==", "Q", "QQ\n", " QQ", "QR", "Q+", "Q/", "QQQQQ", "é", "Q\x00Q"]
)
def test_other_spellings_of_bytes(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_bytes(text)


@given(st.binary(max_size=100))
def test_bytes_round_trip(raw: bytes) -> None:
    assert decode_bytes(encode_bytes(raw)) == raw
