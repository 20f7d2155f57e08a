"""Who holds the floor in one group of joined talkgroups.

Rules (DESIGN §5). Nobody asks anybody: every voice packet carries its claim, and every gateway
that has seen the same spurts names the same holder, in whatever order it saw them. So the holder
is a function of the live claims, and of nothing else:

* Live is a claim that was heard less than 400 ms ago, has not ended, and is within the talk limit
  by its own media time.
* The holder is the best live claim by `Claim.order`: class, priority, earlier start (names break
  exact ties). Only a strictly higher rank cuts off a holder that its rival could hear, because
  `request` refuses to start at equal rank; the earlier start settles what started unheard: races
  and healed partitions.
* One sender has one spurt on one talkgroup, and its starts rise: a later start replaces the
  earlier spurt at once, so a lost end packet does not clip the next one, and an earlier start is
  refused from then on.
* Who was refused and is still live when the holder goes takes the floor: it could not hear the
  holder, and what it says is better heard late than never.
* A talkgroup that may only listen in the patch goes after everybody who may speak, whatever the
  class. Its voice goes to its own agency only, so nobody else would know whom to wait for.
* The holder is warned once, `warning_s` before its talk limit.

What an entry is, and what makes it so (entry = newest spurt of one sender on one talkgroup):

    entry       heard           silent 400 ms  released   media time > limit   later start heard
    (none)      LIVE            -              -          SPENT                -
    LIVE        LIVE            SILENT         ENDED      SPENT                LIVE (the new one)
    SILENT      LIVE            SILENT         ENDED      SPENT                LIVE (the new one)
    ENDED       REFUSE_ENDED    ENDED          ENDED      ENDED                LIVE (the new one)
    SPENT       REFUSE_TALK_    SPENT          ENDED      SPENT                LIVE (the new one)
                LIMIT

An earlier start than the entry's is REFUSE_REPLACED and changes nothing. SILENT is not kept as a
state: it is `heard_at` being 400 ms ago. Entries are forgotten 5 s after
they were last heard, longer than any packet stays fresh.

Bound: one entry for each (sender, talkgroup) heard within 5 s; only authenticated senders that
are in the group come here.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from radiobridge.model.ids import GatewayId, TalkgroupId
from radiobridge.model.patch import Member
from radiobridge.model.voice import MEDIA_RATE, Claim, TalkClass

FORGET_S = 5.0
"""Longer than a packet stays fresh (2 s late, 1 s early), so that an ended spurt stays ended."""


class Verdict(Enum):
    """What becomes of a packet, or of a request to start."""

    PLAY = "play"
    """The claim holds the floor."""
    REFUSE_LOWER = "refuse-lower"
    """Another live claim holds it and goes first."""
    REFUSE_TALK_LIMIT = "refuse-talk-limit"
    """The spurt has talked longer than the limit."""
    REFUSE_ENDED = "refuse-ended"
    """The spurt has ended. A late packet may fill a gap in what still plays; it starts nothing."""
    REFUSE_REPLACED = "refuse-replaced"
    """The same sender has started a later spurt on the same talkgroup."""


class FloorChange(Enum):
    """What happened to a claim."""

    TAKEN = "taken"
    """It holds the floor now."""
    CUT_OFF = "cut-off"
    """It held the floor and lost it to a better claim."""
    ENDED = "ended"
    """It held the floor and has ended, or was replaced by its sender's next spurt."""
    SILENT = "silent"
    """It held the floor and was not heard for 400 ms."""
    TALK_LIMIT = "talk-limit"
    """It held the floor and talked longer than the limit."""
    WITHDRAWN = "withdrawn"
    """It held the floor and its talkgroup has left the group."""
    NEAR_LIMIT = "near-limit"
    """It holds the floor and will soon have talked as long as it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorEvent:
    """One change of holder, or its warning. From A to B is told as A's loss, then B's TAKEN."""

    change: FloorChange
    claim: Claim
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorSettings:
    """Times in s. All gateways of a group must use the same, so change the defaults nowhere."""

    silence_s: float = 0.4
    """A holder that sends nothing for so long has lost the floor."""
    talk_limit_s: float = 55.0
    """Longest spurt, by its own media time.

    Below the usual time-out of a transmitter (60 s) by more than a late grant and `hold`, so that
    too long a spurt ends everywhere alike, and no transmitter cools down before the answer.
    """
    warning_s: float = 5.0
    """How long before its limit the holder is warned."""


_Order: TypeAlias = tuple[bool, tuple[int, int, int, str, str]]


class _Entry:
    """The newest spurt of one sender on one talkgroup."""

    __slots__ = ("claim", "ended", "heard_at", "look_at", "media_time", "order", "spent")

    def __init__(self, claim: Claim, order: _Order, media_time: int, now: float) -> None:
        self.claim = claim
        self.order = order
        self.look_at = 0
        """Media time beyond which something may happen: the warning, then the limit."""
        self.media_time = media_time
        self.heard_at = now
        self.ended = False
        self.spent = False


class Floor:
    """The floor of one group. `heard` is called for each packet, own ones included."""

    __slots__ = (
        "_entries",
        "_events",
        "_holder",
        "_limit",
        "_listeners",
        "_silence_s",
        "_warning",
    )

    def __init__(
        self,
        settings: FloorSettings | None = None,
        *,
        listeners: frozenset[TalkgroupId] = frozenset(),
    ) -> None:
        """Begin with nobody; `listeners` are the members that may only listen."""
        settings = settings or FloorSettings()
        self._silence_s = settings.silence_s
        self._limit = round(settings.talk_limit_s * MEDIA_RATE)
        self._warning = round((settings.talk_limit_s - settings.warning_s) * MEDIA_RATE)
        self._listeners = listeners
        self._entries: dict[tuple[GatewayId, TalkgroupId], _Entry] = {}
        self._holder: _Entry | None = None
        self._events: list[FloorEvent] = []

    @property
    def holder(self) -> Claim | None:
        """The claim that holds the floor, as of the last call."""
        return None if self._holder is None else self._holder.claim

    def heard(self, claim: Claim, media_time: int, now: float) -> Verdict:
        """Take one packet of `claim` (already clamped to the terms); tell what becomes of it.

        `media_time`: position of the packet in its spurt, 48 kHz samples. The own spurt of this
        gateway goes through here as well: any verdict but PLAY means stop publishing at once.
        """
        holder = self._holder
        if (
            holder is not None
            and (claim is holder.claim or claim == holder.claim)
            and media_time <= holder.look_at
            and now < holder.heard_at + self._silence_s
        ):
            holder.heard_at = now
            if media_time > holder.media_time:
                holder.media_time = media_time
            return Verdict.PLAY
        return self._heard(claim, media_time, now)

    def request(self, claim: Claim, now: float) -> Verdict:
        """Ask whether a local spurt may start; on PLAY it holds the floor.

        Refused when a live holder of equal or higher rank is heard, whatever the start. Who comes
        in once that holder has ended makes a new claim that starts then.
        """
        self._settle(now)
        holder = self._holder
        if holder is not None and not self._beats(claim, holder.claim):
            return Verdict.PLAY if holder.claim == claim else Verdict.REFUSE_LOWER
        return self._heard(claim, 0, now)

    def released(self, claim: Claim, now: float) -> None:
        """Note that the spurt of `claim` has ended: its end packet came, or it stopped here."""
        self._settle(now)
        entry = self._entry(claim, 0, now)
        if entry is None:
            return
        entry.ended = True
        self._choose(now, FloorChange.ENDED)

    def restrict(
        self,
        members: frozenset[TalkgroupId],
        now: float,
        *,
        listeners: frozenset[TalkgroupId] = frozenset(),
    ) -> None:
        """Forget the claims of talkgroups that are no longer in the group.

        `listeners`: the members that may only listen from now on.
        """
        self._settle(now)
        self._listeners = listeners
        for key in [key for key in self._entries if key[1] not in members]:
            del self._entries[key]
        for entry in self._entries.values():
            entry.order = self._order(entry.claim)
        self._choose(now, FloorChange.WITHDRAWN)

    def tick(self, now: float) -> list[FloorEvent]:
        """Let time pass; return every change since the last tick, oldest first.

        Changes made by `heard`, `request`, `released` and `restrict` are among them.
        """
        self._settle(now)
        self._forget(now)
        events, self._events = self._events, []
        return events

    def next_deadline(self) -> float | None:
        """Return when `tick` wants to be called: in the past when a change waits to be told."""
        if self._events:
            return self._events[0].at
        return None if self._holder is None else self._dead_at(self._holder)

    def _heard(self, claim: Claim, media_time: int, now: float) -> Verdict:
        self._settle(now)
        entry = self._entry(claim, media_time, now)
        if entry is None:
            return Verdict.REFUSE_REPLACED
        if entry.ended:
            return Verdict.REFUSE_ENDED
        self._update(entry, claim, media_time, now)
        entry.spent = entry.spent or media_time > self._limit
        self._choose(now, FloorChange.TALK_LIMIT if entry.spent else FloorChange.CUT_OFF)
        if entry.spent:
            return Verdict.REFUSE_TALK_LIMIT
        if entry is not self._holder:
            return Verdict.REFUSE_LOWER
        self._warn(entry, now)
        return Verdict.PLAY

    def _warn(self, entry: _Entry, now: float) -> None:
        """Warn a holder that nears its limit, once."""
        if entry.media_time <= self._warning:
            entry.look_at = self._warning
        elif entry.look_at != self._limit:
            entry.look_at = self._limit
            self._tell(FloorChange.NEAR_LIMIT, entry.claim, now)

    def _update(self, entry: _Entry, claim: Claim, media_time: int, now: float) -> None:
        """Take a packet of a known spurt. The latest part of a spurt says what its rank is."""
        entry.heard_at = now
        if media_time < entry.media_time:
            return
        entry.media_time = media_time
        if claim != entry.claim:
            entry.order = self._order(claim)
        entry.claim = claim

    def _entry(self, claim: Claim, media_time: int, now: float) -> _Entry | None:
        """Return the entry of this spurt, made if need be; None when a later one has its place."""
        key = (claim.sender, claim.talkgroup)
        entry = self._entries.get(key)
        if entry is not None:
            if claim.start_ms == entry.claim.start_ms:
                return entry
            if claim.start_ms < entry.claim.start_ms:
                return None
            if entry is self._holder:
                self._tell(FloorChange.ENDED, entry.claim, now)
                self._holder = None
        entry = self._entries[key] = _Entry(claim, self._order(claim), media_time, now)
        return entry

    def _order(self, claim: Claim) -> _Order:
        return claim.talkgroup in self._listeners, claim.order

    def _beats(self, claim: Claim, holder: Claim) -> bool:
        """Tell whether a new claim cuts off a live holder: by rank alone, not by its start."""
        speaks = claim.talkgroup not in self._listeners
        if speaks is (holder.talkgroup not in self._listeners):
            return claim.beats(holder)
        return speaks

    def _settle(self, now: float) -> None:
        """Take the floor from a silent holder."""
        if self._holder is not None and now >= self._dead_at(self._holder):
            self._choose(now, FloorChange.SILENT)

    def _choose(self, now: float, loss: FloorChange) -> None:
        """Make the best live claim the holder; `loss` says how the old holder lost it."""
        live = [e for e in self._entries.values() if self._is_live(e, now)]
        best = min(live, key=_order_of, default=None)
        old = self._holder
        if best is old:
            return
        if old is not None:
            still = self._is_live(old, now) and self._entries.get(_key(old)) is old
            self._tell(FloorChange.CUT_OFF if still else loss, old.claim, now)
        self._holder = best
        if best is not None:
            self._tell(FloorChange.TAKEN, best.claim, now)

    def _is_live(self, entry: _Entry, now: float) -> bool:
        return not (entry.ended or entry.spent) and now < self._dead_at(entry)

    def _dead_at(self, entry: _Entry) -> float:
        return entry.heard_at + self._silence_s

    def _tell(self, change: FloorChange, claim: Claim, now: float) -> None:
        self._events.append(FloorEvent(change=change, claim=claim, at=now))

    def _forget(self, now: float) -> None:
        old = [key for key, e in self._entries.items() if now >= e.heard_at + FORGET_S]
        for key in old:
            del self._entries[key]


def clamp(claim: Claim, member: Member, *, alarm_open: bool = False) -> Claim:
    """Return `claim` within the terms of its member talkgroup; the same object when it already is.

    Emergency needs an open alarm of the claiming agency (DESIGN §5); without one it counts as
    imminent peril, if the terms allow that. Every gateway clamps alike.
    """
    highest = member.max_class if alarm_open else min(member.max_class, TalkClass.IMMINENT_PERIL)
    if claim.talk_class <= highest and claim.priority <= member.max_priority:
        return claim
    return replace(
        claim,
        talk_class=min(claim.talk_class, highest),
        priority=min(claim.priority, member.max_priority),
    )


def _order_of(entry: _Entry) -> _Order:
    return entry.order


def _key(entry: _Entry) -> tuple[GatewayId, TalkgroupId]:
    return entry.claim.sender, entry.claim.talkgroup
