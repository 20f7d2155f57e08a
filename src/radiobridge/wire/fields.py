"""Reading the members of a document's body: each with its type and its bounds.

Everything here raises RemoteProtocolError("bad-body", which member) and nothing else.
"""

from collections.abc import Callable
from enum import Enum
from typing import NoReturn, TypeVar

from radiobridge.errors import RemoteProtocolError
from radiobridge.wire.canonical import MAX_INTEGER, Body, Json, decode_bytes

E = TypeVar("E", bound=Enum)
T = TypeVar("T")

MAX_TEXT = 200
"""Characters in a text that people read: a purpose, an incident."""

_NO_BREAK_SPACES = str.maketrans("\u00a0\u202f", "  ")
"""French typography needs them; Python does not count them as printable."""


class Fields:
    """One object of a body. `done` says that there was nothing else in it."""

    __slots__ = ("_body", "_left")

    def __init__(self, body: Json) -> None:
        if not isinstance(body, dict):
            raise RemoteProtocolError("bad-body", "not an object")
        self._body: Body = body
        self._left = set(body)

    def has(self, name: str) -> bool:
        """Tell whether the optional member is there."""
        return name in self._body

    def value(self, name: str) -> Json:
        """Return the member, whatever it is."""
        self._left.discard(name)
        try:
            return self._body[name]
        except KeyError:
            raise RemoteProtocolError("bad-body", f"{name} is missing") from None

    def text(self, name: str, *, longest: int = MAX_TEXT) -> str:
        """Return a text for people: printable in one line, so that it cannot forge a screen."""
        value = self.value(name)
        if not isinstance(value, str) or len(value) > longest:
            self._bad(name)
        if not value.translate(_NO_BREAK_SPACES).isprintable():
            self._bad(name)
        return value

    def integer(self, name: str, *, low: int = 0, high: int = MAX_INTEGER) -> int:
        """Return an integer within `low`…`high`."""
        value = self.value(name)
        if not isinstance(value, int) or not low <= value <= high:
            self._bad(name)
        return value

    def choice(self, name: str, kind: type[E]) -> E:
        """Return the member of `kind` whose value the text is."""
        value = self.value(name)
        try:
            return kind(value)
        except ValueError:
            self._bad(name)

    def blob(self, name: str, *, length: int | None = None) -> bytes:
        """Return the bytes of a base64url text, of exactly `length` when given."""
        value = self.value(name)
        if not isinstance(value, str):
            self._bad(name)
        raw = decode_bytes(value)
        if length is not None and len(raw) != length:
            self._bad(name)
        return raw

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """Return what `parse` makes of the text; it raises RemoteProtocolError (an id, say)."""
        value = self.value(name)
        if not isinstance(value, str):
            self._bad(name)
        return parse(value)

    def items(self, name: str, *, most: int) -> list[Json]:
        """Return an array of at most `most` values."""
        value = self.value(name)
        if not isinstance(value, list) or len(value) > most:
            self._bad(name)
        return value

    def mapping(self, name: str, *, most: int) -> Body:
        """Return an object of at most `most` members."""
        value = self.value(name)
        if not isinstance(value, dict) or len(value) > most:
            self._bad(name)
        return value

    def done(self) -> None:
        """Raise when there are members that nobody asked for: what is agreed must be understood."""
        if self._left:
            raise RemoteProtocolError("bad-body", f"unknown member {min(self._left)[:40]!r}")

    def _bad(self, name: str) -> NoReturn:
        raise RemoteProtocolError("bad-body", name)
