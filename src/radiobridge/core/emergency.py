"""Alarms: what the documents of all gateways, taken together, say now; and the rank they give.

Rules (DESIGN §5, issue 3 part D):
  An alarm concerns the raiser's own agency, and whoever is in a patch in force with its talkgroup.
  It is open until somebody has acknowledged it and the raiser's agency has cleared it, valid
  or false, with a reason. Clearing before anybody has acknowledged counts once somebody has.
  Raising again draws a new token; acknowledgements, clears and spent ranks name the token that they
  are about, so what was said about the last time says nothing about this time.
  Nobody has acknowledged 15 s after it was raised: it escalates, on every gateway alike.
  While it is open, an alarm of the field with its rank held lets its agency's spurts on that
  talkgroup claim the class emergency. Everybody clamps them alike (`ranked`). A spurt that has
  talked for more than 30 s (open microphone) has lost that rank by its own media time.

The stages of one raising (`clear` and `ack` in either order):

    stage           document                    then
    RAISED          ack                         ACKNOWLEDGED, or CLEARED when a clear is there
                    clear                       RAISED still (`verdict` is shown)
    ACKNOWLEDGED    clear                       CLEARED
    any             raised again                RAISED, with a new token
    any             rank spent                  the same, without rank

The state is a function of the newest document of each gateway and of the time: any order of arrival
gives the same (a property test). Two contents under one version contradict each other: neither
counts, until a higher version.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from radiobridge.core.floor import clamp
from radiobridge.core.newest import Newest, Said
from radiobridge.model.ids import AgencyId, GatewayId, TalkgroupId
from radiobridge.model.patch import Member
from radiobridge.model.voice import MEDIA_RATE, Claim, TalkClass
from radiobridge.wire.alarms import Acknowledgement, Alarm, AlarmKind, Rank, Verdict

ESCALATE_MS = 15_000
"""How long an alarm may stay unacknowledged before it escalates."""

OPEN_MICROPHONE_S = 30.0
"""An emergency spurt that talks longer has lost its rank. All gateways must use the same."""

RANK_MEDIA_TIME = round(OPEN_MICROPHONE_S * MEDIA_RATE)
"""The same in media time."""

MAX_ALARMS = 64
"""Alarms remembered for each gateway that says something about them."""

MAX_ACKS = 256
"""Acknowledgements remembered for each gateway."""

AlarmKey: TypeAlias = tuple[GatewayId, str]
"""Raiser and id."""


class Stage(StrEnum):
    """How far an alarm is."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"


class AlarmChange(StrEnum):
    """What happened to an alarm."""

    RAISED = "raised"
    """For the first time, or again."""
    RANK_SPENT = "rank-spent"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    CLEAR_WAITS = "clear-waits"
    """Its agency has cleared it, and nobody has acknowledged it yet."""
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmState:
    """One alarm as all documents together have it."""

    alarm: Alarm
    """As its raiser says it is."""
    stage: Stage
    rank: bool
    """It lets its agency's spurts on the talkgroup claim the class emergency."""
    escalated: bool
    acknowledged_by: tuple[tuple[GatewayId, str], ...] = ()
    """Gateway, and who there."""
    cleared_by: tuple[GatewayId, str] | None = None
    verdict: Verdict | None = None
    reason: str = ""

    @property
    def key(self) -> AlarmKey:
        """Return raiser and id."""
        return self.alarm.raiser, self.alarm.alarm

    @property
    def open(self) -> bool:
        """Tell whether it is not over yet."""
        return self.stage is not Stage.CLEARED


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent:
    """One change of one alarm."""

    change: AlarmChange
    state: AlarmState


class AlarmBook:
    """All alarms known to one gateway. Times are ms of bridge time."""

    def __init__(self, own: AgencyId, escalate_ms: int = ESCALATE_MS) -> None:
        """Start for a gateway of agency `own`."""
        self._own = own
        self._escalate_ms = escalate_ms
        self._members: frozenset[TalkgroupId] = frozenset()
        self._alarms: Newest[Alarm] = Newest(MAX_ALARMS, "too-many-alarms", _is_cleared)
        self._acks: Newest[Acknowledgement] = Newest(MAX_ACKS, "too-many-acks", lambda _: True)
        self._told: dict[AlarmKey, AlarmState] = {}

    def set_members(self, members: frozenset[TalkgroupId]) -> None:
        """Say which talkgroups are in patches in force: other agencies' alarms concern us there."""
        self._members = members

    def alarm(
        self, sender: GatewayId, word: Alarm, *, version: int, expires_ms: int, now_ms: int
    ) -> None:
        """Take an authentic alarm document, own ones too, in any order.

        Raises RemoteProtocolError when its sender already fills MAX_ALARMS.
        """
        self._alarms.take(sender, _name(word), Said(version, expires_ms, word), now_ms)

    def ack(
        self,
        sender: GatewayId,
        word: Acknowledgement,
        *,
        version: int,
        expires_ms: int,
        now_ms: int,
    ) -> None:
        """Take an authentic acknowledgement, own ones too, in any order.

        Raises RemoteProtocolError when its sender already fills MAX_ACKS.
        """
        self._acks.take(sender, word.id, Said(version, expires_ms, word), now_ms)

    def states(self, now_ms: int) -> tuple[AlarmState, ...]:
        """Return how each alarm that concerns us stands, the one raised first first."""
        words = [(who, word) for who, word in self._alarms.words(now_ms) if self._concerns(word)]
        acks = list(self._acks.words(now_ms))
        raised = [word for sender, word in words if sender == word.raiser]
        found = [self._state(word, words, acks, now_ms) for word in raised]
        return tuple(sorted(found, key=lambda s: (s.alarm.raised_ms, s.key)))

    def has_rank(self, talkgroup: TalkgroupId, now_ms: int) -> bool:
        """Tell whether an open alarm gives rank on `talkgroup`."""
        return any(s.rank and s.alarm.talkgroup == talkgroup for s in self.states(now_ms))

    def tick(self, now_ms: int) -> list[AlarmEvent]:
        """Return what has changed since the last tick."""
        before, self._told = self._told, {state.key: state for state in self.states(now_ms)}
        return [
            AlarmEvent(change=change, state=state)
            for key, state in self._told.items()
            for change in _changes(before.get(key), state)
        ]

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """Return when `tick` may have something to tell by itself."""
        escalations = (
            state.alarm.raised_ms + self._escalate_ms
            for state in self.states(now_ms)
            if state.stage is Stage.RAISED and not state.escalated
        )
        moments = (*escalations, self._alarms.next_expiry_ms(now_ms))
        return min((at for at in moments if at is not None and at > now_ms), default=None)

    def _concerns(self, word: Alarm) -> bool:
        return word.raiser.agency == self._own or word.talkgroup in self._members

    def _state(
        self,
        word: Alarm,
        words: list[tuple[GatewayId, Alarm]],
        acks: list[tuple[GatewayId, Acknowledgement]],
        now_ms: int,
    ) -> AlarmState:
        """Return the state of the alarm that its raiser describes in `word`."""
        said = [(who, other) for who, other in words if _same(other, word)]
        who = tuple((by, a.by) for by, a in acks if _of(a, word))
        # The raiser's own clear first, then by name: the same one everywhere.
        clears = [(by, other) for by, other in said if other.cleared]
        clear = min(clears, key=lambda c: (c[0] != word.raiser, c[0]), default=None)
        stage = _stage(acknowledged=bool(who), cleared=clear is not None)
        held = all(other.rank is Rank.HELD for _, other in said)
        return AlarmState(
            alarm=word,
            stage=stage,
            rank=held and word.kind is AlarmKind.FIELD and stage is not Stage.CLEARED,
            escalated=not who and now_ms >= word.raised_ms + self._escalate_ms,
            acknowledged_by=who,
            cleared_by=None if clear is None else (clear[0], clear[1].by),
            verdict=None if clear is None else clear[1].verdict,
            reason="" if clear is None else clear[1].reason,
        )


def ranked(
    claim: Claim,
    member: Member,
    *,
    alarm_open: bool,
    media_time: int = 0,
    demoted: bool = False,
) -> Claim:
    """Return what `claim` counts for; the same object when that is what it says.

    `member`: the terms of its talkgroup. `media_time`: where in its spurt. Every gateway comes to
    the same, so that all name the same holder.
    """
    if claim.talk_class is TalkClass.EMERGENCY and media_time > RANK_MEDIA_TIME:
        demoted = True
    if demoted and claim.talk_class is not TalkClass.NORMAL:
        claim = replace(claim, talk_class=TalkClass.NORMAL)
    return clamp(claim, member, alarm_open=alarm_open)


def _is_cleared(word: Alarm) -> bool:
    return word.cleared


def _name(word: Alarm) -> str:
    return f"{word.raiser}/{word.alarm}"


def _same(word: Alarm, alarm: Alarm) -> bool:
    """Tell whether `word` is about the last raising of `alarm`."""
    return (word.raiser, word.alarm, word.token) == (alarm.raiser, alarm.alarm, alarm.token)


def _of(ack: Acknowledgement, alarm: Alarm) -> bool:
    return (ack.raiser, ack.alarm, ack.token) == (alarm.raiser, alarm.alarm, alarm.token)


def _stage(*, acknowledged: bool, cleared: bool) -> Stage:
    if not acknowledged:
        return Stage.RAISED
    return Stage.CLEARED if cleared else Stage.ACKNOWLEDGED


def _changes(before: AlarmState | None, now: AlarmState) -> Iterator[AlarmChange]:
    """Yield what happened between two looks, in the order in which it makes sense."""
    known = before is not None and before.alarm.token == now.alarm.token
    old = set(_facts(before)) if before is not None and known else set()
    return (fact for fact in _facts(now) if fact not in old)


def _facts(state: AlarmState) -> Iterator[AlarmChange]:
    yield AlarmChange.RAISED
    if state.alarm.kind is AlarmKind.FIELD and state.open and not state.rank:
        yield AlarmChange.RANK_SPENT
    if state.escalated:
        yield AlarmChange.ESCALATED
    if state.acknowledged_by:
        yield AlarmChange.ACKNOWLEDGED
    if state.stage is Stage.CLEARED:
        yield AlarmChange.CLEARED
    elif state.verdict is not None:
        yield AlarmChange.CLEAR_WAITS
