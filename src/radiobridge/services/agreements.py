"""What the configuration says about talkgroups and plans; replaced as a whole at SIGHUP."""

from dataclasses import dataclass

from radiobridge.model.patch import Terms
from radiobridge.model.talkgroup import TalkgroupMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreements:
    """The talkgroup map of the agency, and what was agreed in advance."""

    talkgroups: TalkgroupMap
    plans: tuple[Terms, ...]
    """Standing plans: accepted from the start, each a patch of its own."""
    on_demand: tuple[Terms, ...] = ()
    """Plans that join nothing until somebody activates them."""
