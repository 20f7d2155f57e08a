"""Measures against one talker: who may decide them, how far each reaches, and what is left.

Rules (issue 3 part D): a supervisor demotes a talker (its spurts are normal ones, whatever they
claim) or excludes it (it is not carried). The talker's own agency and the host of the patch decide
for everybody; any other agency for its own transmitters only, so that the floor stays the same
everywhere. Each gateway lifts its own measures and no others; the strictest that reaches counts. A
measure ends by itself when its document expires: nobody stays excluded because it was forgotten.

A talker is named by a typed id (`mdc:1234`) or by the donor radio that hears it
(`radio:windsor/tac1`), always together with its talkgroup.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from radiobridge.core.newest import Newest, Said
from radiobridge.model.ids import AgencyId, GatewayId, RadioName, TalkgroupId
from radiobridge.wire.alarms import AckVerb, Measure

MAX_MEASURES = 64
"""Measures remembered for each gateway that decides some."""


class Level(IntEnum):
    """What is left of a talker's rights."""

    NONE = 0
    """Nothing was decided."""
    DEMOTED = 1
    EXCLUDED = 2


class Reach(StrEnum):
    """Whom a measure binds, as seen from one gateway."""

    EVERYBODY = "everybody"
    OWN = "own-transmitters"
    """The gateways of the agency that decided it, this one among them."""
    OTHERS = "others"
    """Another agency's transmitters: nothing happens here."""


class Standing(NamedTuple):
    """How one talker stands."""

    everywhere: Level = Level.NONE
    here: Level = Level.NONE
    """On this gateway's transmitters: at least `everywhere`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureState:
    """One measure that counts, and whom it binds."""

    sender: GatewayId
    measure: Measure
    reach: Reach


FREE = Standing()

_LEVELS = {AckVerb.DEMOTE: Level.DEMOTED, AckVerb.EXCLUDE: Level.EXCLUDED}


def by_radio(gateway: GatewayId, radio: RadioName) -> str:
    """Return the name of whoever is heard by one donor radio."""
    return f"radio:{gateway.name}/{radio}"


class MeasureBook:
    """All measures known to one gateway. Times are ms of bridge time."""

    def __init__(self, own: AgencyId) -> None:
        """Start for a gateway of agency `own`."""
        self._own = own
        self._hosts: dict[TalkgroupId, AgencyId] = {}
        self._measures: Newest[Measure] = Newest(
            MAX_MEASURES, "too-many-measures", lambda word: word.verb is AckVerb.RESTORE
        )

    def set_hosts(self, hosts: Mapping[TalkgroupId, AgencyId]) -> bool:
        """Say who hosts the patch in force that each member is in; tell whether that is new."""
        changed, self._hosts = self._hosts != dict(hosts), dict(hosts)
        return changed

    def measure(
        self, sender: GatewayId, word: Measure, *, version: int, expires_ms: int, now_ms: int
    ) -> None:
        """Take an authentic measure, own ones too, in any order.

        Raises RemoteProtocolError when its sender already fills MAX_MEASURES.
        """
        self._measures.take(sender, word.id, Said(version, expires_ms, word), now_ms)

    def standing(self, talkgroup: TalkgroupId, names: Collection[str], now_ms: int) -> Standing:
        """Return how a talker of `talkgroup` stands that goes by all these names."""
        everywhere = here = Level.NONE
        for state in self.states(now_ms):
            if state.measure.talkgroup != talkgroup or state.measure.talker not in names:
                continue
            level = _LEVELS[state.measure.verb]
            if state.reach is Reach.EVERYBODY:
                everywhere = max(everywhere, level)
            if state.reach is not Reach.OTHERS:
                here = max(here, level)
        return Standing(everywhere, here)

    def states(self, now_ms: int) -> tuple[MeasureState, ...]:
        """Return the measures that count now."""
        return tuple(
            MeasureState(sender=sender, measure=word, reach=self.reach(sender, word.talkgroup))
            for sender, word in self._measures.words(now_ms)
            if word.verb in _LEVELS
        )

    def reach(self, sender: GatewayId, talkgroup: TalkgroupId) -> Reach:
        """Return whom `sender` may bind in what concerns a talker of `talkgroup`."""
        if sender.agency in (talkgroup.agency, self._hosts.get(talkgroup)):
            return Reach.EVERYBODY
        return Reach.OWN if sender.agency == self._own else Reach.OTHERS

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """Return when the next measure ends by itself."""
        return self._measures.next_expiry_ms(now_ms)
