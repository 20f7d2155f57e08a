"""What works on a radio, and what keeps it off the air."""

from dataclasses import dataclass, field

from radiobridge.model.interface import NOT_OPEN
from radiobridge.services.holds import NOTHING, Hold, Holds
from radiobridge.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What works on a radio, for people."""

    interface_lost: Text | None = NOT_OPEN
    audio_lost: Text | None = NOT_OPEN
    cor: bool = False
    stuck: bool = False
    holds: Holds = field(default_factory=lambda: NOTHING)
    channel: str | None = None
    alarms: frozenset[str] = frozenset()

    @property
    def inhibited_by(self) -> str | None:
        """Return who keeps this radio off the air."""
        return self.holds.get(Hold.INHIBIT) or self.holds.get(Hold.STOP)
