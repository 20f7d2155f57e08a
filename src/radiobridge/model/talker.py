"""Who talks, as the air or a partner says: data, never to be trusted.

A talker id has a type and a value: `mdc:1234`, `p25:BEE00.2D1.1234567` (WACN, system, id),
`name:Unit 12`. An alias is what people call it. Both come from strangers and are shown on screens,
in logs and on pages, so they hold nothing that could act there: no control or direction
characters, no markup, no parts of paths. `clean` makes any text so; what comes by wire must be so
already.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_NAME = 64
"""Characters in an alias, and in the value of a talker id."""

_SAFE = frozenset(" '’-–_.,:;()#+*!?@=°º\"")
"""Beside letters, digits and the marks that belong to them. Not: < > & / \\ | [ ] { } ` $ % ~ ^."""

_MARKS_IN_A_ROW = 2
"""No script needs more on one letter; whole towers of them reach into other lines."""

_MOST_READ = 4 * MAX_NAME
"""Characters of a text that are looked at: a megabyte costs no more than a line."""

_VALUES = {
    "mdc": re.compile(r"[0-9A-F]{4}", re.ASCII),
    "p25": re.compile(r"[0-9A-F]{1,5}\.[0-9A-F]{1,3}\.[0-9]{1,8}", re.ASCII),
}
_TYPE = re.compile(r"[a-z][a-z0-9]{1,7}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Talker:
    """Who talks in one spurt."""

    id: str
    """Typed; see above."""
    alias: str = ""
    """What people call it; empty when nobody has said."""


def mdc_talker(unit: int) -> str:
    """Return the talker id of an MDC1200 unit."""
    return f"mdc:{unit:04X}"


def clean(text: str) -> str:
    """Return what may be shown of `text`: at most 64 characters of one harmless line.

    What is left out is left out without a trace, but for white space, which becomes one space.
    `clean(clean(text)) == clean(text)`.
    """
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text[:_MOST_READ]):
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if character.isspace():
            kept.append(" ")
        elif _harmless(character) or (0 < marks <= _MARKS_IN_A_ROW and kept):
            kept.append(character)
    line = re.sub(r"\.\.+", ".", re.sub(r" +", " ", "".join(kept)))
    return unicodedata.normalize("NFC", line.strip(" ")[:MAX_NAME].strip(" "))


def _harmless(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN" or character in _SAFE


def is_clean(text: str) -> bool:
    """Tell whether `text` is something, and may be shown as it is."""
    return 0 < len(text) <= MAX_NAME and clean(text) == text


def is_talker(text: str) -> bool:
    """Tell whether `text` is a talker id."""
    kind, colon, value = text[: MAX_NAME + 9].partition(":")
    if not colon or _TYPE.fullmatch(kind) is None or len(text) > MAX_NAME + 8:
        return False
    pattern = _VALUES.get(kind)
    return is_clean(value) if pattern is None else pattern.fullmatch(value) is not None
