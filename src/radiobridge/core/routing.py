"""Who hears whom: talkgroups joined, radios to key and to mute, voice to ask for, keys to give.

Rules (DESIGN §5, §6):

* A talkgroup hears another when an own join holds both, or when a patch in force has both, the
  source may speak and the listener may hear. Hearing does not pass on: what a patch brings to one
  talkgroup does not go on through a join to another, nor the other way, because no owner agreed
  to that (docs/decisions/0001).
* A talkgroup hears itself only across separate coverages. Otherwise its radios share one channel,
  and a radio that repeats what it hears there would talk over the talker. The radio that a spurt
  came in by is never keyed for it.
* A foreign talkgroup gets a radio keyed only by a patch that names both.
* What is encrypted on its own air goes on clear air only where its owner's terms say so.
* The floor is shared by everything that one transmitter could be asked to carry at once: the
  members of a patch, and the joins of our own agency that touch them.
* While a spurt is transmitted on a talkgroup, all receivers of that talkgroup are muted, on every
  gateway, unless it has separate coverages: radio waves close the loop that the network cannot.

Computed anew when the map or the patches in force change; lookups are dictionary reads.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import permutations
from typing import TypeAlias

from radiobridge.model.ids import AgencyId, GatewayId, PatchId, RadioName, TalkgroupId
from radiobridge.model.patch import Member, Terms
from radiobridge.model.talkgroup import Talkgroup, TalkgroupMap

_Heard: TypeAlias = Mapping[TalkgroupId, Set[TalkgroupId]]
_Served: TypeAlias = Mapping[TalkgroupId, Talkgroup]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Talkgroups that share one floor."""

    talkgroups: frozenset[TalkgroupId]
    patches: tuple[PatchId, ...]
    """The patches that hold the group together; empty for a join of our own."""
    members: Mapping[TalkgroupId, Member]
    """The terms by which a claim is clamped; a talkgroup that is in no patch has none."""


@dataclass(frozen=True, slots=True)
class Play:
    """One radio of this gateway to key, and the talkgroup that it transmits."""

    radio: RadioName
    talkgroup: TalkgroupId


def groups(tg_map: TalkgroupMap, patches: Sequence[Terms]) -> tuple[Group, ...]:
    """Return the floor groups of our talkgroups, in the order of their first talkgroup.

    A talkgroup that is joined with nothing is a group of its own. Patches without a talkgroup of
    ours are not our business.
    """
    ours = [terms for terms in _ordered(patches) if _touches(tg_map, terms)]
    sets = [frozenset({tg}) for tg in tg_map.talkgroups]
    sets += [join & tg_map.talkgroups.keys() for join in tg_map.joins]
    sets += [_members(terms) for terms in ours]
    return tuple(_group(together, ours) for together in _merged(sets))


def heard_by(tg_map: TalkgroupMap, patches: Sequence[Terms]) -> dict[TalkgroupId, set[TalkgroupId]]:
    """Return for each talkgroup, own or foreign, which others it hears; itself is not among them.

    Foreign ones are there only as listeners or sources of ours.
    """
    heard: dict[TalkgroupId, set[TalkgroupId]] = {tg: set() for tg in tg_map.talkgroups}
    for join in tg_map.joins:
        for listener, source in permutations(join & tg_map.talkgroups.keys(), 2):
            heard[listener].add(source)
    for terms in patches:
        for listener_member, source_member in permutations(terms.members, 2):
            pair = {listener_member.talkgroup, source_member.talkgroup}
            if _hears(listener_member, source_member) and pair & tg_map.talkgroups.keys():
                heard.setdefault(listener_member.talkgroup, set()).add(source_member.talkgroup)
    return heard


class Routes:
    """What one gateway does with voice. Immutable; make a new one when anything changes."""

    __slots__ = (
        "_audience",
        "_group_of",
        "_mutes",
        "_plays",
        "groups",
        "receivers",
        "sends",
        "sources",
    )

    groups: tuple[Group, ...]
    """The floor groups that this gateway takes part in."""
    sources: frozenset[TalkgroupId]
    """Talkgroups whose voice this gateway needs, from other gateways or radios of its own: to
    play, to mute, and to see the same claims as every other gateway of the agency.
    """
    sends: frozenset[TalkgroupId]
    """Own talkgroups that this gateway receives off the air: it needs a voice key for each."""
    receivers: frozenset[RadioName]
    """Radios of this gateway whose receivers count; what others hear goes nowhere."""

    def __init__(self, gateway: GatewayId, tg_map: TalkgroupMap, patches: Sequence[Terms]) -> None:
        heard = heard_by(tg_map, patches)
        served = {tg: t for tg, t in tg_map.talkgroups.items() if t.radios(gateway)}
        self.sends = frozenset(tg for tg, t in served.items() if _receivers(t, gateway))
        self.receivers = frozenset(
            radio for talkgroup in served.values() for radio in _receivers(talkgroup, gateway)
        )
        found = groups(tg_map, patches)
        self.groups = tuple(g for g in found if g.talkgroups & served.keys())
        self._group_of = {tg: group for group in self.groups for tg in group.talkgroups}
        self.sources = frozenset(
            source
            for tg in self._group_of.keys() & tg_map.talkgroups.keys()
            for source in heard[tg] | _itself(tg_map.talkgroups[tg])
        )
        self._plays = _plays(gateway, served, heard)
        self._mutes = _mutes(gateway, served, heard)
        self._audience = _audience(tg_map, heard)

    @classmethod
    def for_gateway(
        cls, gateway: GatewayId, tg_map: TalkgroupMap, patches: Sequence[Terms]
    ) -> "Routes":
        """Return the routes of `gateway`; `patches` are the effective terms of those in force."""
        return cls(gateway, tg_map, patches)

    def plays(
        self, source: TalkgroupId, *, received_by: RadioName | None = None
    ) -> tuple[Play, ...]:
        """Return the radios to key for a spurt of `source`; nothing for who may not be heard.

        `received_by`: the radio of this gateway that the spurt came in by, None when it came from
        another gateway.
        """
        plays = self._plays.get(source, ())
        if received_by is None:
            return plays
        return tuple(play for play in plays if play.radio != received_by)

    def mutes(
        self, source: TalkgroupId, *, received_by: RadioName | None = None
    ) -> frozenset[RadioName]:
        """Return the radios of this gateway to mute while a spurt of `source` plays."""
        mutes = self._mutes.get(source, frozenset())
        return mutes if received_by is None else mutes - {received_by}

    def listeners(self, talkgroup: TalkgroupId) -> frozenset[AgencyId]:
        """Return the agencies entitled to hear an own talkgroup, our own among them."""
        return self._audience.get(talkgroup, frozenset())

    def group_of(self, talkgroup: TalkgroupId) -> Group | None:
        """Return the floor group of a talkgroup, None when this gateway has no part in it."""
        return self._group_of.get(talkgroup)


def _hears(listener: Member, source: Member) -> bool:
    allowed = listener.access.hears and source.access.speaks
    return allowed and source.may_reach(listener)


def _ordered(patches: Sequence[Terms]) -> list[Terms]:
    return sorted(patches, key=lambda terms: terms.patch)


def _members(terms: Terms) -> frozenset[TalkgroupId]:
    return frozenset(member.talkgroup for member in terms.members)


def _touches(tg_map: TalkgroupMap, terms: Terms) -> bool:
    return bool(_members(terms) & tg_map.talkgroups.keys())


def _merged(sets: Iterable[frozenset[TalkgroupId]]) -> list[frozenset[TalkgroupId]]:
    """Unite all sets that share a talkgroup."""
    merged: list[frozenset[TalkgroupId]] = []
    for new in sets:
        apart = [old for old in merged if not old & new]
        together = new.union(*(old for old in merged if old & new))
        merged = [*apart, together] if together else apart
    return sorted(merged, key=min)


def _group(together: frozenset[TalkgroupId], patches: Sequence[Terms]) -> Group:
    inside = [terms for terms in patches if _members(terms) & together]
    members: dict[TalkgroupId, Member] = {}
    for terms in inside:
        for member in terms.members:
            members.setdefault(member.talkgroup, member)
    return Group(
        talkgroups=together, patches=tuple(terms.patch for terms in inside), members=members
    )


def _receivers(talkgroup: Talkgroup, gateway: GatewayId) -> frozenset[RadioName]:
    return frozenset(ref.radio for ref in talkgroup.receive if ref.gateway == gateway)


def _itself(talkgroup: Talkgroup) -> set[TalkgroupId]:
    """Return the talkgroup when several radios serve it: who receives it elsewhere claims too."""
    radios = talkgroup.receive | {ref for _, ref in talkgroup.transmit}
    return {talkgroup.id} if len(radios) > 1 and talkgroup.receive else set()


def _plays(
    gateway: GatewayId, served: _Served, heard: _Heard
) -> dict[TalkgroupId, tuple[Play, ...]]:
    plays: dict[TalkgroupId, dict[RadioName, TalkgroupId]] = {}
    for listener, talkgroup in sorted(served.items(), key=lambda item: item[0]):
        itself = {listener} if talkgroup.separate_coverage else set()
        for source in heard[listener] | itself:
            for radio in talkgroup.transmitters(gateway):
                plays.setdefault(source, {}).setdefault(radio, listener)
    return {
        source: tuple(Play(radio, found[radio]) for radio in sorted(found))
        for source, found in plays.items()
    }


def _mutes(
    gateway: GatewayId, served: _Served, heard: _Heard
) -> dict[TalkgroupId, frozenset[RadioName]]:
    mutes: dict[TalkgroupId, frozenset[RadioName]] = {}
    for listener, talkgroup in served.items():
        if talkgroup.separate_coverage or not talkgroup.transmit:
            continue
        for source in heard[listener]:
            mutes[source] = mutes.get(source, frozenset()) | _receivers(talkgroup, gateway)
    return mutes


def _audience(tg_map: TalkgroupMap, heard: _Heard) -> dict[TalkgroupId, frozenset[AgencyId]]:
    audience = {tg: {tg_map.agency} for tg in tg_map.talkgroups}
    for listener, sources in heard.items():
        for source in sources & audience.keys():
            audience[source].add(listener.agency)
    return {tg: frozenset(agencies) for tg, agencies in audience.items()}
