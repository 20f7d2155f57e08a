"""Emergencies of one gateway: alarms and measures together, their documents, log and commands.

Implements `spi.EmergencyApi`. What happens to alarms is logged after it was done; only what gives a
talker its rights back is in the audit log before.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import structlog

from radiobridge.core.emergency import ESCALATE_MS, AlarmChange, AlarmEvent, AlarmState
from radiobridge.core.measures import MeasureState, by_radio
from radiobridge.core.patch_state import PatchState
from radiobridge.errors import CommandError, RadioBridgeError, StoreError
from radiobridge.model.audit import AuditEvent
from radiobridge.model.ids import (
    AgencyId,
    GatewayId,
    RadioName,
    TalkgroupId,
    parse_gateway,
    parse_talkgroup,
)
from radiobridge.model.interface import RadioAlarm
from radiobridge.model.talker import clean
from radiobridge.model.voice import Claim
from radiobridge.services.agreements import Agreements
from radiobridge.services.alarms import AlarmPorts, Alarms, Cause
from radiobridge.services.asked import Asked
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.directory import Directory
from radiobridge.services.durable import settled
from radiobridge.services.own_documents import OwnDocument, OwnDocuments
from radiobridge.services.papers import Papers
from radiobridge.services.ranks import Ranks
from radiobridge.services.talkers import TalkerPorts, Talkers
from radiobridge.services.tasks import Tasks
from radiobridge.services.timer import OneTimer
from radiobridge.spi import StateStore
from radiobridge.wire.alarms import (
    Acknowledgement,
    AckVerb,
    Alarm,
    AlarmKind,
    Verdict,
    ack_from_body,
    parse_talker,
)
from radiobridge.wire.documents import Document
from radiobridge.wire.topics import Topic, TopicKind
from radiobridge.wire.words import SpurtNotice

log = structlog.get_logger()

Json = dict[str, Any]

_FIELD, _DONOR = "emergency", "donor-emergency"
"""What drivers call an emergency of the field, and the donor radio's own switch."""

_EVENTS = {
    AlarmChange.RAISED: AuditEvent.ALARM_RAISED,
    AlarmChange.RANK_SPENT: AuditEvent.ALARM_RANK_SPENT,
    AlarmChange.ACKNOWLEDGED: AuditEvent.ALARM_ACKNOWLEDGED,
    AlarmChange.ESCALATED: AuditEvent.ALARM_ESCALATED,
    AlarmChange.CLEAR_WAITS: AuditEvent.ALARM_CLEAR_SAID,
    AlarmChange.CLEARED: AuditEvent.ALARM_CLEARED,
}

_MEASURES = {
    AckVerb.DEMOTE: AuditEvent.TALKER_DEMOTED,
    AckVerb.EXCLUDE: AuditEvent.TALKER_EXCLUDED,
    AckVerb.RESTORE: AuditEvent.TALKER_RESTORED,
}


class Emergency:
    """The emergencies of one gateway. Times are ms of bridge time."""

    def __init__(
        self,
        me: GatewayId,
        *,
        agreements: Callable[[], Agreements],
        bridge: BridgeTime,
        papers: Papers,
        directory: Directory,
        store: StateStore,
        auditor: Auditor,
        rerank: Callable[[], None],
        radio_of: Callable[[TalkgroupId], RadioName | None],
        make_timer: Callable[[Callable[[float], None]], OneTimer],
        escalate_ms: int = ESCALATE_MS,
    ) -> None:
        """Tie the parts together; `rerank`: what is being said counts for something else now."""
        self._me = me
        self._agreements = agreements
        self._papers = papers
        self._auditor = auditor
        self._tasks = Tasks()
        self._parties: dict[TalkgroupId, frozenset[AgencyId]] = {}
        self._documents = OwnDocuments(
            me.agency,
            papers=papers,
            directory=directory,
            bridge=bridge,
            store=store,
            tasks=self._tasks,
            concerned=self._concerned,
        )
        self.talkers = Talkers(
            me,
            bridge=bridge,
            documents=self._documents,
            ports=TalkerPorts(changed=rerank, radio_of=radio_of, make_timer=make_timer),
        )
        self._alarms = Alarms(
            me,
            bridge=bridge,
            documents=self._documents,
            ports=AlarmPorts(
                changed=rerank,
                told=self._told,
                names=self.talkers.names,
                make_timer=make_timer,
            ),
            escalate_ms=escalate_ms,
        )
        self.ranks = Ranks(
            alarm_open=self._alarms.has_rank,
            standing=self.talkers.standing,
            spent=self._alarms.spent,
        )
        """What the voice plane asks."""

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Take what was said before a restart."""
        for document in self._documents.restore(frozenset({TopicKind.ALARM, TopicKind.ACK})):
            try:
                self._restore(document)
            except RadioBridgeError as error:
                log.error("document-not-restored", topic=document.topic, error=str(error))  # noqa: TRY400
        self._alarms.start()
        self.talkers.follow()

    def _restore(self, document: OwnDocument) -> None:
        topic, version, expires_ms = document.parsed, document.version, document.expires_ms
        if topic.kind is TopicKind.ALARM:
            alarm = Alarm.from_body(document.body, topic.name, self._me)
            self._alarms.restore_alarm(alarm, version, expires_ms)
            return
        word = ack_from_body(document.body, topic.name)
        if isinstance(word, Acknowledgement):
            self._alarms.restore_ack(word, version, expires_ms)
        else:
            self.talkers.restore(word, version, expires_ms)

    def stop(self) -> None:
        """Tell nothing more; what was said stands."""
        self._alarms.close()
        self.talkers.close()
        self._documents.close()

    async def settle(self) -> None:
        """Wait until what is being written is on the disk (at the end)."""
        await self._tasks.settle()

    def follow(self, patches: Iterable[PatchState], _now_ms: int) -> None:
        """Patches may have come into force, changed, or be over."""
        in_force = [state.effective for state in patches if state.in_force]
        parties: dict[TalkgroupId, frozenset[AgencyId]] = {}
        hosts: dict[TalkgroupId, AgencyId] = {}
        for terms in in_force:
            for member in terms.members:
                others = parties.get(member.talkgroup, frozenset())
                parties[member.talkgroup] = others | terms.agencies
                if terms.host in terms.agencies:
                    hosts.setdefault(member.talkgroup, terms.host)
        self._parties = parties
        self.talkers.set_hosts(hosts)
        self._alarms.set_members(frozenset(parties))
        self._documents.follow()

    def _concerned(self, talkgroup: TalkgroupId) -> frozenset[AgencyId]:
        """Return the agencies that may read about a talkgroup."""
        return self._parties.get(talkgroup, frozenset()) | {self._me.agency}

    # --- what radios and other gateways say ----------------------------------------------------

    def radio_alarm(self, radio: RadioName, talkgroup: TalkgroupId, event: RadioAlarm) -> None:
        """Take what a driver tells. A switch that goes off again ends no alarm: people do."""
        kinds = {_FIELD: AlarmKind.FIELD, _DONOR: AlarmKind.DONOR}
        kind = kinds.get(event.kind)
        if kind is not None and event.active:
            self._raise_by_radio(Cause(kind=kind, talkgroup=talkgroup, radio=radio))

    def field(self, radio: RadioName, talkgroup: TalkgroupId, talker: str, alias: str = "") -> None:
        """Take an emergency that a radio in the field has signalled; called while it is heard.

        Done in the next turn of the loop, so that nothing changes under who calls.
        """
        cause = Cause(
            kind=AlarmKind.FIELD, talkgroup=talkgroup, radio=radio, talker=talker, alias=alias
        )
        asyncio.get_running_loop().call_soon(self._raise_by_radio, cause)

    def _raise_by_radio(self, cause: Cause) -> None:
        try:
            self._alarms.raise_alarm(cause)
        except RadioBridgeError as error:
            log.error("alarm-not-raised", radio=str(cause.radio), error=str(error))  # noqa: TRY400

    def heard(self, topic: Topic, document: Document) -> None:
        """Take a document on an alarm or an ack topic. Raises RemoteProtocolError.

        One of our own is news only where the disk has forgotten it.
        """
        sender, header = topic.gateway, document.header
        known = self._documents.said(header.topic)
        if known is not None and known.version >= header.version:
            return
        body = self._papers.opened(document, sender)
        if topic.kind is TopicKind.ALARM:
            self._alarms.heard_alarm(sender, Alarm.from_body(body, topic.name, sender), header)
            return
        word = ack_from_body(body, topic.name)
        if isinstance(word, Acknowledgement):
            self._alarms.heard_ack(sender, word, header)
            return
        self.talkers.heard(sender, word, header)
        self._auditor.caused(
            sender,
            _MEASURES[word.verb],
            source=f"{header.topic}@{header.version}",
            by=word.by,
            detail={"talkgroup": str(word.talkgroup), "talker": word.talker, "by": word.by},
        )

    def identified(self, claim: Claim, talker: str) -> None:
        """Note who talks in a spurt of ours; called while it is heard, done in the next turn."""
        note = partial(self.talkers.identified, claim.sender, claim.talkgroup, claim.start_ms)
        asyncio.get_running_loop().call_soon(note, talker)

    def noticed(self, sender: GatewayId, notice: SpurtNotice) -> None:
        """Take a notice of another gateway: who speaks in its spurt."""
        if notice.talkgroup.agency == sender.agency:
            names = by_radio(sender, notice.radio), notice.talker
            self.talkers.identified(sender, notice.talkgroup, notice.start_ms, *names)

    def _told(self, event: AlarmEvent) -> None:
        state, alarm = event.state, event.state.alarm
        who, by = _whose(event)
        detail = {
            "alarm": alarm.alarm,
            "raiser": str(alarm.raiser),
            "kind": alarm.kind.value,
            "talkgroup": str(alarm.talkgroup),
            "talker": alarm.talker,
            "by": by,
        }
        if state.verdict is not None:
            detail |= {"verdict": state.verdict.value, "reason": state.reason}
        late = event.change is AlarmChange.ESCALATED
        (log.error if late else log.warning)(f"alarm-{event.change.value}", **detail)
        source = f"radio {alarm.radio}" if alarm.radio is not None else "command"
        self._auditor.caused(who, _EVENTS[event.change], source=source, by=by, detail=detail)

    # --- the API (spi.EmergencyApi) ------------------------------------------------------------

    def list_alarms(self) -> list[Json]:
        """Return how each alarm stands, the newest first."""
        return [_alarm_view(state) for state in reversed(self._alarms.states())]

    def list_measures(self) -> list[Json]:
        """Return the measures that count, and whom each binds."""
        return [_measure_view(state) for state in self.talkers.states()]

    async def raise_alarm(self, request: object, by: str) -> Json:
        """Raise an alarm on one of our talkgroups."""
        asked = Asked(request)
        talkgroup = self._talkgroup(asked)
        talker = asked.parsed("talker", parse_talker, "") if asked.has("talker") else ""
        alias = clean(asked.text("alias")) if asked.has("alias") else ""
        asked.done()
        cause = Cause(kind=AlarmKind.FIELD, talkgroup=talkgroup, talker=talker, alias=alias, by=by)
        state, task = self._alarms.raise_alarm(cause)
        return await self._answer(state, task)

    async def acknowledge(self, alarm: str, request: object, by: str) -> Json:
        """Say that somebody here has seen an alarm and takes care of it."""
        state = self._found(alarm, Asked(request))
        task = self._alarms.acknowledge(state, by) if state.open else None
        return await self._answer(state, task)

    async def clear(self, alarm: str, request: object, by: str) -> Json:
        """Say that an alarm of our agency is over: valid or false, and why."""
        asked = Asked(request)
        verdict, reason = asked.choice("verdict", Verdict), asked.text("reason")
        state = self._found(alarm, asked)
        task = self._alarms.clear(state, verdict, reason, by) if state.open else None
        return await self._answer(state, task)

    async def decide(self, verb: str, request: object, by: str) -> Json:
        """Demote, exclude or restore one talker."""
        asked = Asked(request)
        talkgroup = asked.parsed("talkgroup", self._any_talkgroup)
        talker = asked.parsed("talker", parse_talker)
        asked.done()
        word = AckVerb(verb)
        detail = {"talkgroup": str(talkgroup), "talker": talker, "by": by}
        if word is AckVerb.RESTORE:
            await self._before_restore(detail, by)
        measure, task = self.talkers.decide(word, talkgroup, talker, by)
        if word is not AckVerb.RESTORE:
            self._auditor.after(_MEASURES[word], source="command", identity=by, detail=detail)
        log.warning(_MEASURES[word].value, **detail)
        return {
            "talkgroup": str(talkgroup),
            "talker": talker,
            "verb": measure.verb.value,
            "reach": self.talkers.reach(talkgroup).value,
            "durable": await settled(task),
        }

    async def _before_restore(self, detail: dict[str, str], by: str) -> None:
        try:
            await self._auditor.before(
                AuditEvent.TALKER_RESTORED, source="command", identity=by, detail=detail
            )
        except StoreError as error:
            raise CommandError(
                f"nothing was restored: {error}", f"rien n'a été rétabli : {error.text.fr}"
            ) from error

    async def _answer(self, state: AlarmState, task: "asyncio.Task[None] | None") -> Json:
        """Return an alarm as it is now, and whether what was said about it is on the disk."""
        durable = True if task is None else await settled(task)
        now = self._alarms.find(state.alarm.alarm, state.alarm.raiser)
        return {**_alarm_view(now), "durable": durable}

    def _found(self, alarm: str, asked: Asked) -> AlarmState:
        raiser = asked.parsed("raiser", parse_gateway) if asked.has("raiser") else None
        asked.done()
        return self._alarms.find(alarm, raiser)

    def _talkgroup(self, asked: Asked) -> TalkgroupId:
        """Return the talkgroup that is asked for; it must be one of our own map."""
        own = self._agreements().talkgroups
        talkgroup = asked.parsed("talkgroup", self._any_talkgroup)
        if talkgroup not in own.talkgroups:
            known = ", ".join(sorted(map(str, own.talkgroups))) or "-"
            raise CommandError(
                f"{talkgroup} is no talkgroup of this agency; there are: {known}",
                f"{talkgroup} n'est pas un groupe de cette agence ; il y a : {known}",
            )
        return talkgroup

    def _any_talkgroup(self, text: str) -> TalkgroupId:
        """Return the talkgroup in `agency/name`, or in the name of one of ours."""
        return parse_talkgroup(text if "/" in text else f"{self._me.agency}/{text}")


def _whose(event: AlarmEvent) -> tuple[GatewayId, str]:
    """Return which gateway caused an event, and who there."""
    state = event.state
    if event.change is AlarmChange.ACKNOWLEDGED:
        return state.acknowledged_by[0]
    if event.change in (AlarmChange.CLEARED, AlarmChange.CLEAR_WAITS) and state.cleared_by:
        return state.cleared_by
    return state.alarm.raiser, state.alarm.by


def _alarm_view(state: AlarmState) -> Json:
    alarm = state.alarm
    return {
        "id": alarm.alarm,
        "raiser": str(alarm.raiser),
        "kind": alarm.kind.value,
        "talkgroup": str(alarm.talkgroup),
        "radio": str(alarm.radio) if alarm.radio is not None else None,
        "talker": alarm.talker or None,
        "alias": alarm.alias or None,
        "raised_ms": alarm.raised_ms,
        "raises": alarm.raises,
        "stage": state.stage.value,
        "open": state.open,
        "rank": state.rank,
        "escalated": state.escalated,
        "by": alarm.by or None,
        "acknowledged_by": [_who(one) for one in state.acknowledged_by],
        "cleared_by": _who(state.cleared_by) if state.cleared_by is not None else None,
        "verdict": state.verdict.value if state.verdict is not None else None,
        "reason": state.reason or None,
    }


def _who(one: tuple[GatewayId, str]) -> Json:
    return {"gateway": str(one[0]), "by": one[1] or None}


def _measure_view(state: MeasureState) -> Json:
    measure = state.measure
    return {
        "talkgroup": str(measure.talkgroup),
        "talker": measure.talker,
        "verb": measure.verb.value,
        "gateway": str(state.sender),
        "by": measure.by,
        "reach": state.reach.value,
    }
