"""Canonical JSON: one value, one spelling. Strings, integers, arrays and objects, nothing else.

What is signed must read the same everywhere, so a document's payload is RFC 8785 JSON and is
refused when it is not already in that form. Booleans, null and fractions do not exist here: an
optional member is absent, a yes or no is a word, a quantity is an integer in a small enough unit.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import NoReturn, TypeAlias

import rfc8785

from radiobridge.errors import LocalProtocolError, RemoteProtocolError

Json: TypeAlias = "str | int | list[Json] | dict[str, Json]"
"""A value of a document: no bool, no float, no null."""

Body: TypeAlias = dict[str, Json]
"""The object at the top of a document."""

MAX_DEPTH = 8
"""Arrays and objects inside each other, the outermost counted."""

MAX_INTEGER = 2**53 - 1
"""What every JSON reader holds exactly (RFC 8785, 3.2.2.3)."""


def dump(value: Mapping[str, Json]) -> bytes:
    """Return the one spelling of `value` (RFC 8785). Raises LocalProtocolError if it has none."""
    try:
        _check(value)
        return rfc8785.dumps(value)
    except (RemoteProtocolError, ValueError, RecursionError) as error:
        raise LocalProtocolError(f"not canonical JSON: {type(error).__name__}") from error


def parse(raw: bytes) -> Body:
    """Return the object in `raw`; raise RemoteProtocolError unless it is spelled canonically.

    The caller bounds the length of `raw`.
    """
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except RemoteProtocolError:
        raise
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError("bad-json", type(error).__name__) from None
    if not isinstance(value, dict):
        raise RemoteProtocolError("bad-json", "not an object")
    _check(value)
    try:
        again = rfc8785.dumps(value)
    except ValueError:
        raise RemoteProtocolError("bad-json", "not Unicode text") from None
    if again != raw:
        raise RemoteProtocolError("not-canonical")
    return value


def encode_bytes(raw: bytes) -> str:
    """Return `raw` as base64url without padding (RFC 4648, 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode_bytes(text: str) -> bytes:
    """Return the bytes in unpadded base64url; raise RemoteProtocolError for any other spelling."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise RemoteProtocolError("bad-base64") from None
    if encode_bytes(raw) != text:
        raise RemoteProtocolError("bad-base64", "not the shortest spelling")
    return raw


def _check(top: object) -> None:
    """Raise RemoteProtocolError unless `top` is made of `Json` values, not nested too deep.

    Level by level, not by recursion, so that no depth can hurt.
    """
    level = [top]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _inner(value)]
        if not level:
            return
    raise RemoteProtocolError("bad-json", "nested too deep")


def _inner(value: object) -> list[object]:
    """Return what is inside of `value`, and check `value` itself."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise RemoteProtocolError("bad-json", "a name is not a string")
        return list(value.values())
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str):
        return []
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER:
        return []
    raise RemoteProtocolError("bad-json", "neither text nor integer")


def _object(pairs: list[tuple[str, Json]]) -> Body:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise RemoteProtocolError("bad-json", "a name twice")
    return body


def _no_number(_: str) -> NoReturn:
    raise RemoteProtocolError("bad-json", "a number that is no integer")


def _integer(text: str) -> int:
    if len(text) > 17:
        raise RemoteProtocolError("bad-json", "integer too large")
    return int(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_no_number,
    parse_constant=_no_number,
    parse_int=_integer,
)
