"""What the owners' restrictions leave of accepted terms.

Restrictions of one patch only ever add up, in whatever order they arrive: each takes the stricter
of two values, so the result depends on the set of them alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from radiobridge.model.ids import AgencyId, TalkgroupId
from radiobridge.model.patch import Access, Member, Recording, Terms
from radiobridge.wire.words import Limit, PatchWord

_STRICTNESS = (Recording.NONE, Recording.OWN, Recording.ALL)


@dataclass(slots=True)
class Restriction:
    """All that one gateway has taken away from one patch."""

    agency: AgencyId
    limits: dict[TalkgroupId, Limit] = field(default_factory=dict)
    end_ms: int | None = None
    recording: Recording | None = None

    def add(self, word: PatchWord) -> None:
        """Take the limits of a NARROW; those on talkgroups of other agencies say nothing."""
        for limit in word.limits:
            if limit.talkgroup.agency == self.agency:
                known = self.limits.get(limit.talkgroup)
                self.limits[limit.talkgroup] = limit if known is None else _stricter(known, limit)
        self.end_ms = _least(self.end_ms, word.end_ms)
        if word.recording is not None:
            self.recording = strictest(self.recording or word.recording, word.recording)

    def copy(self) -> "Restriction":
        """Return one like this that can grow by itself."""
        return Restriction(self.agency, dict(self.limits), self.end_ms, self.recording)

    @property
    def empty(self) -> bool:
        """Tell whether nothing is restricted."""
        return not self.limits and self.end_ms is None and self.recording is None


def narrowed(
    terms: Terms, restrictions: Iterable[Restriction], withdrawn: frozenset[AgencyId]
) -> Terms:
    """Return `terms` without the members of `withdrawn` agencies and within all restrictions.

    The result may have no members left, or end before it starts.
    """
    members = tuple(m for m in terms.members if m.talkgroup.agency not in withdrawn)
    end_ms, recording = terms.end_ms, terms.recording
    for one in restrictions:
        if one.agency not in terms.agencies or one.agency in withdrawn:
            continue
        members = tuple(left for m in members if (left := _limited(m, one)) is not None)
        end_ms = end_ms if one.end_ms is None else min(end_ms, one.end_ms)
        recording = recording if one.recording is None else strictest(recording, one.recording)
    return replace(terms, members=members, end_ms=end_ms, recording=recording)


def strictest(one: Recording, other: Recording) -> Recording:
    """Return the terms of recording that allow less."""
    return min(one, other, key=_STRICTNESS.index)


def common_access(one: Access | None, other: Access | None) -> Access | None:
    """Return what both allow; None when they have nothing in common."""
    if one is None or other is None:
        return None
    if one is Access.BOTH:
        return other
    return one if other in (Access.BOTH, one) else None


def _limited(member: Member, restriction: Restriction) -> Member | None:
    limit = restriction.limits.get(member.talkgroup)
    if limit is None:
        return member
    access = common_access(member.access, limit.access)
    if access is None:
        return None
    return replace(
        member,
        access=access,
        max_class=min(member.max_class, limit.max_class),
        max_priority=min(member.max_priority, limit.max_priority),
    )


def _stricter(one: Limit, other: Limit) -> Limit:
    return Limit(
        talkgroup=one.talkgroup,
        access=common_access(one.access, other.access),
        max_class=min(one.max_class, other.max_class),
        max_priority=min(one.max_priority, other.max_priority),
    )


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)
