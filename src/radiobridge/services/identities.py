"""Who talks in which spurt, as radios and other gateways tell: for display and record.

What a gateway says of its own agency's spurts is all that counts: nobody names another's talkers.
It stays with the spurt through every patch, since whoever plays the spurt hears the same notices.
"""

from collections import OrderedDict
from typing import Any

from radiobridge.model.ids import GatewayId, TalkgroupId
from radiobridge.model.talker import Talker
from radiobridge.model.voice import Claim
from radiobridge.wire.words import SpurtNotice

_REMEMBERED = 1024
"""Talkgroups of gateways whose last talker is remembered; the oldest go."""


class Identities:
    """The talker of the newest spurt of each gateway on each talkgroup."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[GatewayId, TalkgroupId], tuple[int, Talker]] = OrderedDict()

    def learn(
        self, sender: GatewayId, talkgroup: TalkgroupId, start_ms: int, talker: Talker
    ) -> bool:
        """Note who talks in a spurt; tell whether that is news. An older spurt's is not."""
        key = sender, talkgroup
        known = self._known.get(key)
        if known is not None and (known[0] > start_ms or known == (start_ms, talker)):
            return False
        self._known[key] = start_ms, talker
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return True

    def noticed(self, sender: GatewayId, notice: SpurtNotice) -> None:
        """Take what another gateway says of its own spurt."""
        if notice.talker and notice.talkgroup.agency == sender.agency:
            talker = Talker(id=notice.talker, alias=notice.alias)
            self.learn(sender, notice.talkgroup, notice.start_ms, talker)

    def of(self, claim: Claim) -> Talker | None:
        """Return who talks in a spurt, None when nobody has told."""
        start_ms, talker = self._known.get((claim.sender, claim.talkgroup), (0, None))
        return talker if start_ms == claim.start_ms else None


def holder_view(claim: Claim | None, talker: Talker | None) -> dict[str, Any] | None:
    """Return who holds a floor, for people."""
    if claim is None:
        return None
    return {
        "sender": str(claim.sender),
        "talkgroup": str(claim.talkgroup),
        "class": claim.talk_class.name.lower(),
        "priority": claim.priority,
        "start_ms": claim.start_ms,
        "talker": talker.id if talker is not None else None,
        "alias": (talker.alias or None) if talker is not None else None,
    }
