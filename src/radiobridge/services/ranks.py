"""What spurts count for: alarms that are open, open microphones, measures against their talkers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from radiobridge.core.emergency import RANK_MEDIA_TIME, ranked
from radiobridge.core.measures import FREE, Level, Standing
from radiobridge.model.ids import TalkgroupId
from radiobridge.model.patch import Member
from radiobridge.model.voice import MAX_PRIORITY, Claim, TalkClass


def unlimited(talkgroup: TalkgroupId) -> Member:
    """Return terms that leave every rank; an emergency still needs an open alarm."""
    return Member(talkgroup=talkgroup, max_class=TalkClass.EMERGENCY, max_priority=MAX_PRIORITY)


@dataclass(slots=True, kw_only=True)
class Ranks:
    """What the rest of the gateway knows about the rank of talkers."""

    alarm_open: Callable[[TalkgroupId], bool] = lambda _talkgroup: False
    """Whether an open alarm of its agency gives rank on a talkgroup."""
    standing: Callable[[Claim], Standing] = lambda _claim: FREE
    """What supervisors have decided about the talker of a spurt."""
    spent: Callable[[Claim], None] = lambda _claim: None
    """A spurt of ours has lost its rank: its microphone is open for too long."""

    def own(self, claim: Claim, member: Member | None, priority: int, media_time: int = 0) -> Claim:
        """Return what a spurt of ours claims from here on; the same object when that is the same.

        `media_time`: where in the spurt we are.
        """
        talkgroup = claim.talkgroup
        alarm_open = self.alarm_open(talkgroup)
        late = media_time > RANK_MEDIA_TIME
        free = self.standing(claim).everywhere is Level.NONE
        wanted = TalkClass.EMERGENCY if alarm_open and free and not late else TalkClass.NORMAL
        asked = replace(claim, talk_class=wanted, priority=priority)
        asked = ranked(asked, member or unlimited(talkgroup), alarm_open=alarm_open)
        return claim if asked == claim else asked


class Counted:
    """What the claims of one sender count for; remembers the last one (hot)."""

    __slots__ = (
        "_alarm_open",
        "_claim",
        "_late",
        "_member",
        "_ranks",
        "_raw",
        "played",
        "standing",
    )

    def __init__(self, ranks: Ranks) -> None:
        self.standing = FREE
        """How the talker of the last claim stands."""
        self.played: Claim
        """The last claim, as the transmitters of this gateway take it."""
        self._ranks = ranks
        self._member: Member
        self._alarm_open = False
        self._raw: Claim | None = None
        self._late = False
        self._claim: Claim

    def bind(self, talkgroup: TalkgroupId, member: Member | None) -> None:
        """Take the terms that cap what is claimed; among our own there are none.

        Called before the first claim, and whenever something has changed.
        """
        self._member = member or unlimited(talkgroup)
        self._alarm_open = self._ranks.alarm_open(talkgroup)
        self._raw = None

    def claim(self, raw: Claim, media_time: int) -> Claim:
        """Return what a claim counts for at `media_time`; the same object for the same claim."""
        late = media_time > RANK_MEDIA_TIME
        if raw is self._raw and late is self._late:
            return self._claim
        self._raw, self._late = raw, late
        standing = self.standing = self._ranks.standing(raw)
        claim = self._claim = ranked(
            raw,
            self._member,
            alarm_open=self._alarm_open,
            media_time=media_time,
            demoted=standing.everywhere is Level.DEMOTED,
        )
        plain = standing.here is Level.DEMOTED and claim.talk_class is not TalkClass.NORMAL
        self.played = replace(claim, talk_class=TalkClass.NORMAL) if plain else claim
        return claim
