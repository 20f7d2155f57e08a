"""How patches are written on a command line: members, limits, times, durations.

Whatever is written wrongly raises a usage error that shows how it should look.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from radiobridge.cli.words import say

MEMBER = "AGENCY/TALKGROUP[:WORD,...]"

_ACCESS = ("listen", "talk", "both")
_CLASSES = ("normal", "imminent-peril", "emergency")
_AIR = ("clear", "encrypted")
_FLAGS = ("signalling", "in-clear")
_DURATION = re.compile(r"([0-9]{1,6})(s|min|h|d)", re.ASCII)
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def member(text: str) -> dict[str, Any]:
    """Return a member as the API takes it: `us.cbp/BORDER:listen,encrypted,priority=3`."""
    talkgroup, words = _split(text)
    found: dict[str, Any] = {"talkgroup": talkgroup}
    for word in words:
        name, value = _member_word(word)
        if name in found:
            raise _wrong(text, say(f"'{word}' says it twice", f"« {word} » le dit deux fois"))
        found[name] = value
    return found


def limit(text: str) -> dict[str, Any]:
    """Return a restriction as the API takes it: `ca.opp/TAC1:listen`, `ca.opp/TAC1:none`."""
    talkgroup, words = _split(text)
    found: dict[str, Any] = {"talkgroup": talkgroup}
    for word in words:
        if word == "none":
            found["access"] = word
            continue
        name, value = _member_word(word)
        if name in ("air", *(flag.replace("-", "_") for flag in _FLAGS)):
            raise _wrong(
                text, say(f"'{word}' cannot be narrowed", f"« {word} » ne se restreint pas")
            )
        found[name] = value
    if not words:
        left = say("say what is left: ", "dites ce qui reste : ")
        raise _wrong(text, f"{left}listen, talk, none, normal, priority=N")
    return found


def duration_ms(text: str) -> int:
    """Return ms of `90s`, `30min`, `2h` or `3d`."""
    found = _DURATION.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise _wrong(
            text, say("write for example 30min, 2h or 3d", "écrivez par exemple 30min, 2h ou 3d")
        )
    return int(found[1]) * _UNITS[found[2]] * 1000


def moment_ms(text: str, now: datetime | None = None) -> int:
    """Return ms since 1970 of `17:30` (the next one, local time) or an RFC 3339 time."""
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        now = now or datetime.now(UTC).astimezone()
        at = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        at = at if at > now else at + timedelta(days=1)
        return round(at.timestamp() * 1000)
    if _RFC3339.fullmatch(text):
        try:
            return round(datetime.fromisoformat(text).timestamp() * 1000)
        except ValueError:
            pass
    example = say(
        "write for example 17:30 (local time)", "écrivez par exemple 17:30 (heure locale)"
    )
    raise _wrong(text, f"{example} | 2026-07-01T17:30:00Z")


def window(until: str | None, for_: str | None) -> dict[str, int]:
    """Return the end that `--until` or `--for` gives; a usage error for both."""
    if until is not None and for_ is not None:
        raise typer.BadParameter(
            say("give --until or --for, not both", "donnez --until ou --for, pas les deux")
        )
    if until is not None:
        return {"end_ms": moment_ms(until)}
    return {"for_ms": duration_ms(for_)} if for_ is not None else {}


def _split(text: str) -> tuple[str, list[str]]:
    talkgroup, _, rest = text.partition(":")
    agency, slash, name = talkgroup.partition("/")
    if not (agency and slash and name) or "/" in name:
        raise _wrong(text, say(f"write {MEMBER}", f"écrivez {MEMBER}"))
    return talkgroup, [word for word in rest.split(",") if word]


def _member_word(word: str) -> tuple[str, Any]:
    for name, words in (("access", _ACCESS), ("max_class", _CLASSES), ("air", _AIR)):
        if word in words:
            return name, word
    if word in _FLAGS:
        return word.replace("-", "_"), True
    name, equals, number = word.partition("=")
    if name == "priority" and equals and number.isascii() and number.isdecimal():
        return "max_priority", int(number)
    known = ", ".join(_every_word())
    raise _wrong(word, say(f"none of {known}", f"aucun de {known}"))


def _every_word() -> Iterable[str]:
    return (*_ACCESS, *_CLASSES, *_AIR, *_FLAGS, "priority=N")


def _wrong(text: str, what: str) -> typer.BadParameter:
    return typer.BadParameter(f"'{text}': {what}")
