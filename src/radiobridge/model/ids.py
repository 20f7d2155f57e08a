"""Names of agencies, gateways, talkgroups and radios.

Source: DESIGN, words and wire. An id matches `[A-Za-z0-9][A-Za-z0-9._-]{0,31}`, so it is safe in a
topic, a path and a log; ids are unique ignoring case.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

from radiobridge.errors import InvalidIdError

AgencyId = NewType("AgencyId", str)
"""An organisation that owns talkgroups and transmitters, country first: `ca.opp`."""

RadioName = NewType("RadioName", str)
"""One donor radio of one gateway: `tac1`."""

PatchId = NewType("PatchId", str)
"""One patch; never used again once it has ended."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)


def check_id(text: str) -> str:
    """Return `text` when it is an id; raise InvalidIdError when not."""
    if _ID.fullmatch(text) is None:
        raise InvalidIdError("bad id", repr(text[:40]))
    return text


@dataclass(frozen=True, slots=True, order=True)
class GatewayId:
    """One running daemon of an agency, written `ca.opp/windsor`."""

    agency: AgencyId
    name: str

    def __str__(self) -> str:
        return f"{self.agency}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class TalkgroupId:
    """A named voice channel of an agency, written `ca.opp/TAC1`."""

    agency: AgencyId
    name: str

    def __str__(self) -> str:
        return f"{self.agency}/{self.name}"


def parse_agency(text: str) -> AgencyId:
    """Return the agency id in `text`; raise InvalidIdError."""
    return AgencyId(check_id(text))


@lru_cache(maxsize=1024)
def parse_gateway(text: str) -> GatewayId:
    """Return the gateway id in `agency/name`; raise InvalidIdError."""
    agency, name = _pair(text)
    return GatewayId(AgencyId(agency), name)


@lru_cache(maxsize=1024)
def parse_talkgroup(text: str) -> TalkgroupId:
    """Return the talkgroup id in `agency/name`; raise InvalidIdError."""
    agency, name = _pair(text)
    return TalkgroupId(AgencyId(agency), name)


def _pair(text: str) -> tuple[str, str]:
    agency, slash, name = text.partition("/")
    if not slash:
        raise InvalidIdError("bad id", repr(text[:80]))
    return check_id(agency), check_id(name)
