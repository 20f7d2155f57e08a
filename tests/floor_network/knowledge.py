"""What one gateway knows of who speaks, and whom the rules of the floor favour by that.

It is told every packet that the gateway has taken, and holds them against the rules as DESIGN §5
and docs/floor.md have them, in words of its own: nothing here is shared with `core.floor`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from radiobridge.model.ids import TalkgroupId
from radiobridge.model.patch import Member
from radiobridge.model.voice import MEDIA_RATE, Claim, TalkClass
from tests.floor_network.radios import SpurtName, name_of

SILENCE_S = 0.4

Order: TypeAlias = tuple[bool, int, int, int, str, str]
"""The lowest goes first: listens only, class, priority, start, names."""


@dataclass(slots=True)
class Known:
    """The newest spurt of one sender on one talkgroup."""

    name: SpurtName
    order: Order
    media_time: int
    first_at: float
    heard_at: float
    over: bool = False
    """It has ended, or talked too long, or nothing more of it leaves."""

    def live(self, now: float) -> bool:
        return not self.over and now < self.heard_at + SILENCE_S


class Knowledge:
    """See the top of the file. `members`: the terms that cap what is claimed."""

    def __init__(self, members: Mapping[TalkgroupId, Member], limit_s: float) -> None:
        self.alarms: set[TalkgroupId] = set()
        self._members = members
        self._limit = limit_s * MEDIA_RATE
        self._newest: dict[tuple[str, str], Known] = {}

    def takes(self, claim: Claim, media_time: int, now: float) -> bool:
        """Take a packet; tell whether it is to be heard."""
        known = self._known(claim, media_time, now)
        if known is None or known.over:
            return False
        known.heard_at = now
        if media_time >= known.media_time:
            known.media_time, known.order = media_time, self._order(claim)
        if media_time > self._limit:
            known.over = True
        return self.holder(now) is known

    def may_start(self, claim: Claim, now: float) -> bool:
        """Tell whether a spurt of our own may begin: over nobody but a strictly lower rank."""
        holder = self.holder(now)
        return holder is None or self._order(claim)[:3] < holder.order[:3]

    def ends(self, claim: Claim, now: float) -> None:
        """Take the news that nothing more of a spurt comes."""
        known = self._known(claim, 0, now)
        if known is not None:
            known.over = True

    def holder(self, now: float) -> Known | None:
        """Return the spurt that the floor is for."""
        live = [known for known in self._newest.values() if known.live(now)]
        return min(live, key=_by_order) if live else None

    def live(self, name: SpurtName, now: float) -> Known | None:
        """Return a spurt if it is live."""
        known = self._newest.get(name[:2])
        return known if known is not None and known.name == name and known.live(now) else None

    def _known(self, claim: Claim, media_time: int, now: float) -> Known | None:
        name = name_of(claim)
        known = self._newest.get(name[:2])
        if known is not None and known.name[2] >= name[2]:
            return known if known.name == name else None
        known = Known(name, self._order(claim), media_time, now, now)
        self._newest[name[:2]] = known
        return known

    def _order(self, claim: Claim) -> Order:
        member = self._members.get(claim.talkgroup)
        talk_class, priority, listens = claim.talk_class, claim.priority, False
        if talk_class is TalkClass.EMERGENCY and claim.talkgroup not in self.alarms:
            talk_class = TalkClass.IMMINENT_PERIL
        if member is not None:
            talk_class = min(talk_class, member.max_class)
            priority = min(priority, member.max_priority)
            listens = not member.access.speaks
        sender, talkgroup = str(claim.sender), str(claim.talkgroup)
        return listens, -int(talk_class), -priority, claim.start_ms, sender, talkgroup


def _by_order(known: Known) -> Order:
    return known.order
