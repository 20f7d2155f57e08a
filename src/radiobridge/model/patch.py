"""Patches: terms that each owner accepts, members and their rights."""

from dataclasses import dataclass
from enum import StrEnum

from radiobridge.model.ids import AgencyId, PatchId, TalkgroupId
from radiobridge.model.voice import TalkClass


class Access(StrEnum):
    """What a member talkgroup may do in a patch."""

    LISTEN = "listen"
    TALK = "talk"
    BOTH = "both"

    @property
    def hears(self) -> bool:
        """Tell whether the member hears the others."""
        return self is not Access.TALK

    @property
    def speaks(self) -> bool:
        """Tell whether the others hear the member."""
        return self is not Access.LISTEN


class Air(StrEnum):
    """Whether a member's own radio channel is encrypted on air."""

    CLEAR = "clear"
    ENCRYPTED = "encrypted"


class Recording(StrEnum):
    """Who may record the patch."""

    NONE = "none"
    OWN = "own"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One talkgroup in a patch."""

    talkgroup: TalkgroupId
    access: Access = Access.BOTH
    max_class: TalkClass = TalkClass.NORMAL
    max_priority: int = 0
    air: Air = Air.CLEAR
    signalling: bool = False
    """Whether in-band signalling of this member may cross."""
    in_clear: bool = False
    """Its owner's explicit word that the voice of this encrypted member may go on clear air."""

    def may_reach(self, listener: "Member") -> bool:
        """Tell whether the voice of this member may go on the air of `listener`.

        Voice that is encrypted on its own air goes on clear air by its owner's word only.
        """
        return self.air is Air.CLEAR or listener.air is Air.ENCRYPTED or self.in_clear


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the owners agree on. Equal terms are equal in every character (canonical JSON)."""

    patch: PatchId
    purpose: str
    incident: str
    host: AgencyId
    start_ms: int
    """Bridge time in ms since 1970."""
    end_ms: int
    recording: Recording
    members: tuple[Member, ...]
    """Sorted by talkgroup, no talkgroup twice."""

    @property
    def agencies(self) -> frozenset[AgencyId]:
        """Return the owners of the members."""
        return frozenset(m.talkgroup.agency for m in self.members)

    def member(self, talkgroup: TalkgroupId) -> Member | None:
        """Return the member of that talkgroup, if it is one."""
        return next((m for m in self.members if m.talkgroup == talkgroup), None)
