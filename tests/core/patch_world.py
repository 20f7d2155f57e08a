"""Three agencies, their rosters and words, to be told to a PatchBook in any order."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from radiobridge.core.patches import PatchBook
from radiobridge.model.ids import (
    AgencyId,
    GatewayId,
    PatchId,
    TalkgroupId,
    parse_gateway,
    parse_talkgroup,
)
from radiobridge.model.patch import Member, Recording, Terms
from radiobridge.wire.roster import Right, Roster
from radiobridge.wire.words import Limit, PatchWord, Verb
from tests.wire.people import entry, roster

T0 = 1_800_000_000_000
HOUR = 3_600_000
OPP, CBP, RCMP = AgencyId("ca.opp"), AgencyId("us.cbp"), AgencyId("ca.rcmp")
WINDSOR, SARNIA = parse_gateway("ca.opp/windsor"), parse_gateway("ca.opp/sarnia")
DETROIT, BUFFALO = parse_gateway("us.cbp/detroit"), parse_gateway("us.cbp/buffalo")
OTTAWA = parse_gateway("ca.rcmp/ottawa")
TAC1, TAC2 = parse_talkgroup("ca.opp/TAC1"), parse_talkgroup("ca.opp/TAC2")
BORDER, RIVER = parse_talkgroup("us.cbp/BORDER"), parse_talkgroup("us.cbp/RIVER")
MOUNTED = parse_talkgroup("ca.rcmp/MOUNTED")

Step: TypeAlias = Callable[[PatchBook], None]


def terms(patch: str, *groups: TalkgroupId, start: int = T0, end: int = T0 + 2 * HOUR) -> Terms:
    """Return terms that join talkgroups both ways."""
    return Terms(
        patch=PatchId(patch),
        purpose="Pursuit",
        incident="2026-114",
        host=OPP,
        start_ms=start,
        end_ms=end,
        recording=Recording.ALL,
        members=tuple(Member(talkgroup=group) for group in sorted(groups)),
    )


PAIR = terms("pair", TAC1, BORDER)
TRIO = terms("trio", TAC1, BORDER, MOUNTED)


def rosters(version: int = 1) -> tuple[Roster, ...]:
    """Return all agencies' rosters; every gateway may consent but sarnia."""
    voice = frozenset({Right.VOICE})
    return (
        roster("ca.opp", entry("ca.opp/windsor"), entry("ca.opp/sarnia", voice), version=version),
        roster("us.cbp", entry("us.cbp/detroit"), entry("us.cbp/buffalo"), version=version),
        roster("ca.rcmp", entry("ca.rcmp/ottawa"), version=version),
    )


@dataclass(frozen=True)
class Says:
    """A gateway's word, as a step that can be told to a book."""

    gateway: GatewayId
    word: PatchWord
    version: int = 1
    expires_ms: int = T0 + 24 * HOUR

    def __call__(self, book: PatchBook) -> None:
        book.word(self.gateway, self.word, version=self.version, expires_ms=self.expires_ms)


def accepts(gateway: GatewayId, what: Terms, version: int = 1) -> Says:
    """Return a gateway's acceptance."""
    return Says(gateway, PatchWord(patch=what.patch, verb=Verb.ACCEPT, terms=what), version)


def withdraws(gateway: GatewayId, what: Terms, version: int = 2) -> Says:
    """Return a gateway's withdrawal."""
    return Says(gateway, PatchWord(patch=what.patch, verb=Verb.WITHDRAW), version)


def narrows(
    gateway: GatewayId,
    what: Terms,
    *limits: Limit,
    version: int = 2,
    end_ms: int | None = None,
    recording: Recording | None = None,
) -> Says:
    """Return a gateway's narrowing."""
    word = PatchWord(
        patch=what.patch,
        verb=Verb.NARROW,
        terms=what,
        limits=limits,
        end_ms=end_ms,
        recording=recording,
    )
    return Says(gateway, word, version)


def book(
    *steps: Step,
    own: AgencyId = OPP,
    plans: Iterable[Terms] = (),
    joins: Iterable[frozenset[TalkgroupId]] = (),
) -> PatchBook:
    """Return a book that knows all rosters, and was told `steps`."""
    made = PatchBook(own)
    made.set_plans(plans, joins)
    for one in rosters():
        made.roster(one)
    for step in steps:
        step(made)
    return made


def one_character_off(what: Terms) -> Terms:
    """Return terms that differ in one character of the purpose."""
    return replace(what, purpose=what.purpose + ".")
