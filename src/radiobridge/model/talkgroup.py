"""The talkgroup map of one agency: who receives and who transmits each talkgroup."""

from dataclasses import dataclass, field

from radiobridge.model.ids import AgencyId, GatewayId, RadioName, TalkgroupId
from radiobridge.model.patch import Air
from radiobridge.text import Text


@dataclass(frozen=True, slots=True, order=True)
class RadioRef:
    """One radio of one gateway of the agency."""

    gateway: GatewayId
    radio: RadioName


@dataclass(frozen=True, slots=True, kw_only=True)
class Talkgroup:
    """One talkgroup as the map has it."""

    id: TalkgroupId
    label: Text
    air: Air
    receive: frozenset[RadioRef]
    transmit: tuple[tuple[str, RadioRef], ...]
    """(coverage, the one radio that transmits there)."""
    separate_coverage: bool = False
    """Its radios do not hear each other on the air: receivers stay open while others transmit."""
    announce: bool = True
    """Its users are told when a patch begins and ends."""

    def radios(self, gateway: GatewayId) -> frozenset[RadioName]:
        """Return the radios of `gateway` that serve this talkgroup."""
        refs = self.receive | {ref for _, ref in self.transmit}
        return frozenset(ref.radio for ref in refs if ref.gateway == gateway)

    def transmitters(self, gateway: GatewayId) -> frozenset[RadioName]:
        """Return the radios of `gateway` that transmit this talkgroup."""
        return frozenset(ref.radio for _, ref in self.transmit if ref.gateway == gateway)


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkgroupMap:
    """All talkgroups of one agency, and which of them the agency itself joins."""

    agency: AgencyId
    talkgroups: dict[TalkgroupId, Talkgroup] = field(default_factory=dict)
    joins: tuple[frozenset[TalkgroupId], ...] = ()
    """Local joins: talkgroups of this agency that always hear each other. Disjoint."""
