"""Alarms at work: raised by radios and by commands, heard from others, until they are over.

An emergency acts first: it counts here, and its rank with it, before anything is signed, sent,
stored or logged. What it is and what follows is `core.emergency`; who may read it is
`services.own_documents`. An alarm that is raised again while it is open is the same alarm.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from radiobridge.core.emergency import ESCALATE_MS, AlarmBook, AlarmEvent, AlarmState
from radiobridge.core.measures import by_radio
from radiobridge.errors import CommandError, RemoteProtocolError
from radiobridge.model.ids import GatewayId, RadioName, TalkgroupId
from radiobridge.model.voice import Claim
from radiobridge.services.clock import BridgeTime
from radiobridge.services.own_documents import OwnDocument, OwnDocuments
from radiobridge.services.timer import OneTimer
from radiobridge.wire.alarms import (
    MAX_RAISES,
    TOKEN,
    Acknowledgement,
    Alarm,
    AlarmKind,
    Rank,
    Verdict,
    ack_from_body,
)
from radiobridge.wire.documents import DocumentHeader
from radiobridge.wire.topics import TopicKind, ack_topic, alarm_topic

log = structlog.get_logger()

LIFE_MS = 7 * 24 * 3600 * 1000
"""How long a document about an alarm counts; while the alarm is open it is renewed."""

REPEAT_MS = 30_000
"""A radio sends its emergency several times: within this it is the same press of the button."""

MOST_OPEN = 8
"""Open alarms on one talkgroup; who raises one more raises the last one again. Talker ids come from
the air: whoever makes them up must not fill anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why an alarm is raised."""

    kind: AlarmKind
    talkgroup: TalkgroupId
    radio: RadioName | None = None
    talker: str = ""
    alias: str = ""
    by: str = ""
    """The operator; empty when a radio raised it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPorts:
    """What alarms ask of the rest of the gateway."""

    changed: Callable[[], None]
    """Other talkgroups have rank than before."""
    told: Callable[[AlarmEvent], None]
    """Something has happened to an alarm: for the log and the audit log."""
    names: Callable[[Claim], frozenset[str]]
    """What is known about who speaks in a spurt."""
    make_timer: Callable[[Callable[[float], None]], OneTimer]


class Alarms:
    """All alarms that concern one gateway. Times are ms of bridge time."""

    def __init__(
        self,
        me: GatewayId,
        *,
        bridge: BridgeTime,
        documents: OwnDocuments,
        ports: AlarmPorts,
        escalate_ms: int = ESCALATE_MS,
    ) -> None:
        self._me = me
        self._bridge = bridge
        self._documents = documents
        self._ports = ports
        self._book = AlarmBook(me.agency, escalate_ms)
        self._timer = ports.make_timer(lambda _now: self.follow())
        self._ranked: frozenset[TalkgroupId] = frozenset()

    # --- life ----------------------------------------------------------------------------------

    def restore_alarm(self, word: Alarm, version: int, expires_ms: int) -> None:
        """Take what this gateway said about an alarm before a restart."""
        self._book.alarm(
            self._me, word, version=version, expires_ms=expires_ms, now_ms=self._bridge.now_ms()
        )

    def restore_ack(self, word: Acknowledgement, version: int, expires_ms: int) -> None:
        """Take what this gateway acknowledged before a restart."""
        self._book.ack(
            self._me, word, version=version, expires_ms=expires_ms, now_ms=self._bridge.now_ms()
        )

    def start(self) -> None:
        """Begin: what was restored was told before, except that nobody has answered meanwhile."""
        self._book.tick(0)
        self.follow()

    def close(self) -> None:
        """Tell nothing more."""
        self._timer.set(None)

    # --- what is asked -------------------------------------------------------------------------

    def has_rank(self, talkgroup: TalkgroupId) -> bool:
        """Tell whether spurts on a talkgroup may claim the class emergency (hot)."""
        return talkgroup in self._ranked

    def states(self) -> tuple[AlarmState, ...]:
        """Return the alarms that concern this gateway, the one raised first first."""
        return self._book.states(self._bridge.now_ms())

    def find(self, alarm: str, raiser: GatewayId | None = None) -> AlarmState:
        """Return one alarm; raise CommandError when there is none, or several by that id."""
        found = [
            state
            for state in self.states()
            if state.alarm.alarm == alarm and raiser in (None, state.alarm.raiser)
        ]
        if not found:
            raise CommandError(
                f"no alarm '{alarm}' here; see `radiobridge emergency list`",
                f"aucune alarme « {alarm} » ici ; voir `radiobridge emergency list`",
            )
        if len(found) > 1:
            raisers = ", ".join(str(state.alarm.raiser) for state in found)
            raise CommandError(
                f"several alarms '{alarm}'; say whose, with --raiser: {raisers}",
                f"plusieurs alarmes « {alarm} » ; dites de qui par --raiser : {raisers}",
            )
        return found[0]

    # --- what is said here ---------------------------------------------------------------------

    def raise_alarm(self, cause: Cause) -> tuple[AlarmState, "asyncio.Task[None] | None"]:
        """Raise an alarm, or again. The task makes it durable; None: nothing was new.

        Raises CommandError when too many are open that nobody has cleared.
        """
        now_ms = self._bridge.now_ms()
        talker = cause.talker
        if not talker and cause.radio is not None:
            talker = by_radio(self._me, cause.radio)
        known = self._open_like(replace(cause, talker=talker))
        if known is not None and not cause.by and self._is_repeat(known, now_ms):
            return known, None
        word = _raised(self._me, replace(cause, talker=talker), known, now_ms)
        try:
            task = self._say(word)
        except RemoteProtocolError as error:
            raise CommandError(
                "too many alarms are open here; clear some",
                "trop d'alarmes sont ouvertes ici ; closez-en",
            ) from error
        return self.find(word.alarm, word.raiser), task

    def _open_like(self, cause: Cause) -> AlarmState | None:
        """Return the open alarm of ours that is raised again: of this talker, or the last one."""
        on_it = [
            state
            for state in self.states()
            if state.open
            and state.alarm.raiser == self._me
            and (state.alarm.kind, state.alarm.talkgroup) == (cause.kind, cause.talkgroup)
        ]
        same = [state for state in on_it if state.alarm.talker == cause.talker]
        if same:
            return same[-1]
        return on_it[-1] if len(on_it) >= MOST_OPEN else None

    def _is_repeat(self, known: AlarmState, now_ms: int) -> bool:
        recent = now_ms < known.alarm.raised_ms + REPEAT_MS
        keeps = known.rank or known.alarm.kind is AlarmKind.DONOR
        return recent and keeps and known.verdict is None

    def acknowledge(self, state: AlarmState, by: str) -> "asyncio.Task[None]":
        """Say that somebody here has seen an alarm and takes care of it."""
        alarm = state.alarm
        word = Acknowledgement(alarm=alarm.alarm, raiser=alarm.raiser, token=alarm.token, by=by)
        expires_ms = self._bridge.now_ms() + LIFE_MS

        def counts(version: int) -> None:
            self.restore_ack(word, version, expires_ms)
            self.follow()

        return self._documents.say(
            ack_topic(self._me, word.id),
            word.to_body(),
            alarm.talkgroup,
            expires_ms=expires_ms,
            counts=counts,
        )

    def clear(
        self, state: AlarmState, verdict: Verdict, reason: str, by: str
    ) -> "asyncio.Task[None]":
        """Say that an alarm of this agency is over, and what it was."""
        alarm = state.alarm
        if alarm.raiser.agency != self._me.agency:
            raise CommandError(
                f"only {alarm.raiser.agency} can clear this alarm; acknowledge it here",
                f"seule {alarm.raiser.agency} peut clore cette alarme ; confirmez-la ici",
            )
        rank = Rank.HELD if state.rank else Rank.SPENT
        return self._say(replace(alarm, rank=rank, verdict=verdict, reason=reason, by=by))

    def spent(self, claim: Claim) -> None:
        """A spurt of ours was an emergency for too long: the alarms behind it lose their rank.

        Called in the middle of a packet; done in the next turn of the loop.
        """
        asyncio.get_running_loop().call_soon(self._spend, claim)

    def _spend(self, claim: Claim) -> None:
        behind = [
            state
            for state in self.states()
            if state.rank and state.alarm.talkgroup == claim.talkgroup
        ]
        names = self._ports.names(claim)
        named = [state for state in behind if state.alarm.talker in names]
        for state in named or behind:
            self._say(state.alarm.spent())

    def _say(self, word: Alarm) -> "asyncio.Task[None]":
        expires_ms = self._bridge.now_ms() + LIFE_MS

        def counts(version: int) -> None:
            self.restore_alarm(word, version, expires_ms)
            self.follow()

        return self._documents.say(
            alarm_topic(self._me, word.alarm),
            word.to_body(),
            word.talkgroup,
            expires_ms=expires_ms,
            counts=counts,
        )

    # --- what is heard -------------------------------------------------------------------------

    def heard_alarm(self, sender: GatewayId, word: Alarm, header: DocumentHeader) -> None:
        """Take what another gateway says about an alarm. Raises RemoteProtocolError."""
        if sender == word.raiser and word.raised_ms > header.issued_ms:
            raise RemoteProtocolError("bad-dates", "raised after it was said")
        self._book.alarm(
            sender,
            word,
            version=header.version,
            expires_ms=header.expires_ms,
            now_ms=self._bridge.now_ms(),
        )
        self.follow()

    def heard_ack(self, sender: GatewayId, word: Acknowledgement, header: DocumentHeader) -> None:
        """Take another gateway's acknowledgement. Raises RemoteProtocolError."""
        self._book.ack(
            sender,
            word,
            version=header.version,
            expires_ms=header.expires_ms,
            now_ms=self._bridge.now_ms(),
        )
        self.follow()

    def set_members(self, members: frozenset[TalkgroupId]) -> None:
        """Say which talkgroups are in patches in force."""
        self._book.set_members(members)
        self.follow()

    # --- what follows --------------------------------------------------------------------------

    def follow(self) -> None:
        """Do what follows from the alarms as they are now: rank first, then telling."""
        now_ms = self._bridge.now_ms()
        states = self._book.states(now_ms)
        ranked = frozenset(state.alarm.talkgroup for state in states if state.rank)
        if ranked != self._ranked:
            self._ranked = ranked
            self._ports.changed()
        for event in self._book.tick(now_ms):
            self._ports.told(event)
        self._renew(states, now_ms)
        due = self._book.next_deadline_ms(now_ms)
        self._timer.set(None if due is None else self._bridge.monotonic_at(due))

    def _renew(self, states: tuple[AlarmState, ...], now_ms: int) -> None:
        """Let no open alarm, or what we said about it, end because a document does."""
        for state in states:
            alarm = state.alarm
            ack = Acknowledgement(alarm=alarm.alarm, raiser=alarm.raiser, token=alarm.token)
            for topic in (alarm_topic(self._me, alarm.alarm), ack_topic(self._me, ack.id)):
                document = self._documents.said(topic) if state.open else None
                if document is not None and document.expires_ms < now_ms + LIFE_MS // 2:
                    self._renew_document(document, now_ms + LIFE_MS)

    def _renew_document(self, document: OwnDocument, expires_ms: int) -> None:
        topic = document.parsed

        def counts(version: int) -> None:
            if topic.kind is TopicKind.ALARM:
                alarm = Alarm.from_body(document.body, topic.name, self._me)
                self.restore_alarm(alarm, version, expires_ms)
                return
            ack = ack_from_body(document.body, topic.name)
            if isinstance(ack, Acknowledgement):
                self.restore_ack(ack, version, expires_ms)

        self._documents.say(
            document.topic,
            document.body,
            document.talkgroup,
            expires_ms=expires_ms,
            counts=counts,
        )


def _raised(me: GatewayId, cause: Cause, known: AlarmState | None, now_ms: int) -> Alarm:
    """Return the alarm that `cause` raises: a new one, or the known one once more."""
    field = cause.kind is AlarmKind.FIELD
    if known is not None:
        return replace(
            known.alarm,
            alias=cause.alias or known.alarm.alias,
            raised_ms=now_ms,
            raises=min(known.alarm.raises + 1, MAX_RAISES),
            token=secrets.token_bytes(TOKEN),
            rank=Rank.HELD if field else Rank.SPENT,
            verdict=None,
            reason="",
            by=cause.by,
        )
    return Alarm(
        alarm=secrets.token_hex(4),
        raiser=me,
        kind=cause.kind,
        talkgroup=cause.talkgroup,
        radio=cause.radio,
        talker=cause.talker,
        alias=cause.alias,
        raised_ms=now_ms,
        raises=1,
        token=secrets.token_bytes(TOKEN),
        rank=Rank.HELD if field else Rank.SPENT,
        by=cause.by,
    )
