"""One gateway at work: links, radios, voice and control together, and what people see of it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from radiobridge.core.floor import FloorChange, FloorEvent
from radiobridge.core.presence import GatewayPresence, PresenceBook, PresenceWord
from radiobridge.core.transmit import NotDelivered
from radiobridge.errors import RemoteProtocolError, StoreError
from radiobridge.model.ids import GatewayId, RadioName, TalkgroupId
from radiobridge.model.talker import Talker
from radiobridge.model.voice import Claim
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import OBSERVE_S, BridgeTime
from radiobridge.services.control import ControlPlane
from radiobridge.services.durable import HANGS
from radiobridge.services.emergency import Emergency
from radiobridge.services.heads import Heads
from radiobridge.services.holds import ChannelChange
from radiobridge.services.identities import Identities
from radiobridge.services.kill_switch import KillSwitch
from radiobridge.services.own_presence import OwnPresence
from radiobridge.services.papers import Papers
from radiobridge.services.radio import RadioRunner
from radiobridge.services.tasks import PATIENCE_S, Tasks
from radiobridge.services.undelivered import Undelivered
from radiobridge.services.voice import VoicePlane
from radiobridge.spi import Link, PatchApi, StateStore
from radiobridge.text import Text
from radiobridge.wire.documents import Document
from radiobridge.wire.topics import Topic, TopicKind, spurt_topic
from radiobridge.wire.words import (
    Presence,
    SpurtNotice,
    SpurtState,
)

log = structlog.get_logger()

NOTICE_LIFE_MS = 60_000


@dataclass(frozen=True, slots=True)
class _LinkState:
    """One link as people see it."""

    up: bool
    since: float
    reason: Text


class Gateway:
    """Implements `spi.LinkSink` for every link and `spi.GatewayApi` for the API."""

    def __init__(
        self,
        me: GatewayId,
        boot: str,
        version: str,
        *,
        bridge: BridgeTime,
        voice: VoicePlane,
        control: ControlPlane,
        papers: Papers,
        store: StateStore,
        auditor: Auditor,
        emergency: Emergency,
        heads: Heads,
    ) -> None:
        self.emergency = emergency
        """The commands on emergencies (spi.GatewayApi)."""
        self.process_status: Callable[[], Mapping[str, Any]] = dict
        """What the status tells of the processes: `keyer`, `timers`, `process`."""
        self.alive: Callable[[], None] = _nothing
        """Called each second: the event loop turns."""
        self.misled: Callable[[], None] = _nothing  # by the clock: start anew
        self.tells_talkers = True  # in notices, which brokers' operators read
        self._me = me
        self._boot = boot
        self._version = version
        self._started = time.monotonic()
        self._bridge = bridge
        self._voice = voice
        self._control = control
        self._papers = papers
        self._store = store
        self._auditor = auditor
        self._tasks = Tasks()
        self._heads = heads
        self._links: dict[str, Link] = {}
        self._link_states: dict[str, _LinkState] = {}
        self._own_presence = OwnPresence(
            me, boot, runners=voice.runners, papers=papers, bridge=bridge, store=store
        )
        self._presence = PresenceBook()
        self._switch = KillSwitch(voice.runners, store, auditor)
        self._undelivered = Undelivered(
            me, auditor=auditor, counters=voice.counters, publish=self._publish_notice
        )
        self._identities = Identities()
        self._housekeeping: asyncio.Task[None] | None = None
        self._storing: asyncio.Task[None] | None = None
        control.intake.ports.heard = self._heard
        voice.talker_of = self._identities.of
        control.intake.ports.emergency = emergency.heard
        control.patches_changed = emergency.follow

    # --- life ----------------------------------------------------------------------------------

    async def start(self, links: Mapping[str, Link], loopback: Link) -> None:
        """Open the links and begin to decide. The radios are there already."""
        self._links = dict(links)
        self._switch.restore()
        self._papers.links = tuple(links.values())
        await loopback.open(self)
        self._voice.start(links.values())
        self.emergency.start()
        self._control.start()
        now = time.monotonic()
        for name, link in links.items():
            self._link_states[name] = _LinkState(False, now, Text("connecting", "connexion"))
            await link.open(self)
        self._housekeeping = asyncio.create_task(self._keep_house(), name="housekeeping")
        self._auditor.started(self._version, self._boot)

    async def stop(self) -> None:
        """Unkey everything, say goodbye on every link, make durable what must be."""
        until = asyncio.get_running_loop().time() + PATIENCE_S
        self.quiet()
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        await asyncio.gather(*(link.close() for link in self._links.values()))
        try:
            async with asyncio.timeout_at(until):
                await self._make_durable()
        except TimeoutError:
            log.error("not-all-stored", error=HANGS.en)  # noqa: TRY400
        self._auditor.stopped()

    async def _make_durable(self) -> None:
        await self._switch.close()
        await self._heads.close()
        await self._control.settle()
        await self.emergency.settle()
        await self._tasks.settle()
        with suppress(StoreError):  # `_persist` meets the same disk, and says so
            await self._own_presence.persist()
        await self._persist()

    def quiet(self) -> None:
        """Unkey everything and hear nothing more; the first thing that SIGTERM does."""
        self._control.stop()
        self.emergency.stop()
        self._voice.stop()

    async def _keep_house(self) -> None:
        synchronised = self._bridge.synchronised
        while True:
            await asyncio.sleep(OBSERVE_S)
            if self._bridge.observe():
                self._store_time()
            if self._bridge.synchronised is not synchronised:
                synchronised = self._bridge.synchronised
                log.warning("clock", synchronised=synchronised, offset_ms=self._bridge.offset_ms)
                self._control.refresh()
            if self._bridge.misled and not self._somebody_talks():
                log.error("start-anew-by-the-clock", offset_ms=self._bridge.offset_ms)
                self.misled()
            up = (one for one in self._links.items() if self._link_states[one[0]].up)
            self._own_presence.show(up, time.monotonic())
            for change in self._presence.tick(time.monotonic()):
                self._partner(change)
            self._heads.tick()
            self.alive()

    def _somebody_talks(self) -> bool:
        return any(floor["holder"] is not None for floor in self._voice.status()["floor"])

    def _store_time(self) -> None:
        """Store bridge time beside all else: a disk that hangs holds up nothing."""
        if self._storing is not None and not self._storing.done():
            log.error("bridge-time-not-stored", error=HANGS.en)
            return
        self._storing = self._tasks.spawn(self._persist())

    async def _persist(self) -> None:
        try:
            await self._bridge.persist()
        except StoreError as error:
            log.error("bridge-time-not-stored", error=str(error))  # noqa: TRY400

    # --- documents that are for people ---------------------------------------------------------

    def _heard(self, sender: GatewayId, topic: Topic, document: Document, link: str) -> None:
        if topic.kind is TopicKind.PRESENCE:
            said = Presence.from_body(document.body)
            word = PresenceWord(gateway=sender, link=topic.name, boot=said.boot,
                                connection=said.connection, online=said.online,
                                version=document.header.version)  # fmt: skip
            self._partner(self._presence.heard(word, link, time.monotonic()))
        elif topic.kind is TopicKind.SPURT:
            notice = SpurtNotice.from_body(document.body)
            if notice.state is SpurtState.REFUSED and notice.talkgroup.agency == self._me.agency:
                self._undelivered.there(sender, notice, document.header.topic)
                return
            self.emergency.noticed(sender, notice)
            self._identities.noticed(sender, notice)
            log.info("spurt-notice", sender=str(sender), talkgroup=str(notice.talkgroup),
                     state=notice.state.value, radio=str(notice.radio), reason=notice.reason,
                     talker=notice.talker, alias=notice.alias)  # fmt: skip
        elif topic.kind is TopicKind.HEAD:
            self._heads.heard(sender, document)

    def not_delivered(self, runner: RadioRunner, claim: Claim | None, why: NotDelivered) -> None:
        """Tell the talker's side that a spurt was not put on the air here."""
        runner.not_delivered(claim, why)
        self._undelivered.here(runner.name, runner.talkgroup, claim, why)

    def channel_changed(self, radio: RadioName, change: ChannelChange) -> None:
        """Note that a radio was cut for its channel, or is back on it."""
        self._auditor.channel(radio, change)

    def loop_opened(self, radio: RadioName, talkgroup: TalkgroupId, why: str) -> None:
        """A radio heard what it had sent, and was cut."""
        self._auditor.loop_opened(radio, talkgroup, why)

    def _partner(self, change: GatewayPresence | None) -> None:
        if change is not None:
            if change.online:
                log.info("partner-online", partner=str(change.gateway))
            else:
                log.warning("partner-lost", partner=str(change.gateway))

    def told(self, event: FloorEvent) -> None:
        """Tell the others who talks here, for display and record."""
        claim = event.claim
        own = claim.sender == self._me
        if event.change is FloorChange.NEAR_LIMIT:
            if own:
                self._say_spurt(claim, SpurtState.STARTED, reason=event.change.value)
            return
        talker = self._identities.of(claim)
        radio = self._voice.speakers.get(claim.talkgroup) if own else None
        self._auditor.spurt(event, radio, talker.id if talker is not None else "")
        if not own:
            return
        started = event.change is FloorChange.TAKEN
        self._say_spurt(
            claim,
            SpurtState.STARTED if started else SpurtState.ENDED,
            reason="" if started else event.change.value,
        )

    def identified(self, claim: Claim, talker: Talker) -> None:
        """Somebody who talks by a radio of ours has told who it is."""
        if not self._identities.learn(claim.sender, claim.talkgroup, claim.start_ms, talker):
            return
        log.info("talker", talkgroup=str(claim.talkgroup), talker=talker.id, alias=talker.alias)
        self.emergency.identified(claim, talker.id)
        self._say_spurt(claim, SpurtState.STARTED)

    def _say_spurt(self, claim: Claim, state: SpurtState, reason: str = "") -> None:
        """Publish how a spurt of ours stands, where others hear it."""
        if not self._voice.leaves(claim.talkgroup):
            return
        talker = self._identities.of(claim) if self.tells_talkers else None
        notice = SpurtNotice(
            talkgroup=claim.talkgroup,
            start_ms=claim.start_ms,
            talk_class=claim.talk_class,
            priority=claim.priority,
            radio=self._voice.speakers[claim.talkgroup],
            state=state,
            reason=reason,
            talker=talker.id if talker is not None else "",
            alias=talker.alias if talker is not None else "",
        )
        self._publish_notice(claim.talkgroup, notice)

    def _publish_notice(self, talkgroup: TalkgroupId, notice: SpurtNotice) -> None:
        """Publish for display and record, on the topic of an own talkgroup, beside its voice."""
        topic = spurt_topic(self._me, talkgroup.name)
        expires_ms = self._bridge.now_ms() + NOTICE_LIFE_MS
        self._papers.notice(topic, notice.to_body(), expires_ms=expires_ms)

    # --- presence ------------------------------------------------------------------------------

    def presence(self, link: str, connection: int, *, online: bool) -> tuple[str, bytes]:
        """Return topic and payload of this gateway's presence on a link (spi.LinkSink)."""
        return self._own_presence.word(link, connection, online=online)

    # --- links ---------------------------------------------------------------------------------

    def voice(self, topic: str, payload: bytes, link: str) -> None:
        """Take a voice packet of a link (spi.LinkSink)."""
        try:
            self._voice.voice(topic, payload, link)
        except Exception:
            self._voice.counters["errors"] += 1
            log.exception("voice-error", topic=topic[:200], link=link)

    def document(self, topic: str, payload: bytes, link: str) -> None:
        """Take a document of a link (spi.LinkSink)."""
        try:
            self._control.document(topic, payload, link)
        except RemoteProtocolError as error:
            log.warning("document-refused", topic=topic[:200], reason=error.reason, link=link)
        except Exception:
            log.exception("document-error", topic=topic[:200], link=link)

    def link_up(self, link: str) -> None:
        """Note that a link is up (spi.LinkSink)."""
        if link in self._links:
            self._link_states[link] = _LinkState(True, time.monotonic(), Text("", ""))
            self._heads.link_up(link)
            log.info("link-up", link=link)

    def link_down(self, link: str, reason: Text) -> None:
        """Note that a link is down (spi.LinkSink)."""
        if link not in self._links:
            return
        before = self._link_states.get(link)
        now = time.monotonic()
        self._heads.link_down(link)
        since = before.since if before is not None and not before.up else now
        self._link_states[link] = _LinkState(False, since, reason)
        if before is None or before.up or before.reason != reason:
            log.warning("link-down", link=link, reason=reason.en)
        for change in self._presence.link_down(link, now):
            self._partner(change)

    # --- the API -------------------------------------------------------------------------------

    @property
    def desk(self) -> PatchApi:
        """Return the commands on patches (spi.GatewayApi)."""
        return self._control.desk

    def status(self) -> dict[str, Any]:
        """Return the gateway as it is now (spi.GatewayApi)."""
        voice = self._voice.status()
        return {
            "gateway": str(self._me),
            "boot": self._boot,
            "version": self._version,
            "since": self._ago_ms(self._started),
            "clock": {
                "synchronised": self._bridge.synchronised,
                "bridge_ms": self._bridge.now_ms(),
                "offset_ms": self._bridge.offset_ms,
            },
            **self.process_status(),
            "links": [self._link_status(name) for name in self._links],
            "radios": self.radios(),
            "transmit": {"stopped_by": self._switch.stopped_by},
            "partners": [self._partner_status(one) for one in self._presence.gateways()],
            "patches": self._control.status(),
            "state": self._heads.status(self._bridge.now_ms()),
            "floor": voice["floor"],
            "alarms": self.emergency.list_alarms(),
            "talkers": self.emergency.list_measures(),
            "not_delivered": self._undelivered.status(),
            "audit": self._audit_status(),
            "counters": {**self._control.intake.counters, **voice["counters"]},
        }

    def _audit_status(self) -> dict[str, Any]:
        state = self._auditor.state()
        return {
            "head": str(state.head) if state.head is not None else None,
            "waiting": state.waiting,
            "left_out": state.left_out,
            "failures": state.failures,
            "error": state.error._asdict() if state.error is not None else None,
            "heads": self._heads.audit_status(),
        }

    def links_up(self) -> list[tuple[str, bool]]:
        """Return the links, and whether each is up."""
        return [(name, state.up) for name, state in self._link_states.items()]

    def partners_online(self) -> frozenset[GatewayId]:
        """Return who some link shows."""
        return frozenset(one.gateway for one in self._presence.gateways() if one.online)

    def _link_status(self, name: str) -> dict[str, Any]:
        state = self._link_states[name]
        return {
            "name": name,
            "up": state.up,
            "since": self._ago_ms(state.since),
            "reason": state.reason._asdict(),
            "served_old": self._heads.served_old(name),
            "counters": {
                **self._links[name].stats(),
                "voice_first": self._voice.late_links.first[name],
            },
        }

    def _partner_status(self, one: GatewayPresence) -> dict[str, Any]:
        return {
            "agency": str(one.gateway.agency),
            "gateway": str(one.gateway),
            "online": one.online,
            "since": self._ago_ms(one.since),
            "links": list(one.links),
        }

    def _ago_ms(self, monotonic: float) -> int:
        """Return bridge time of a monotonic moment."""
        return self._bridge.now_ms() - round((time.monotonic() - monotonic) * 1000)

    def radios(self) -> list[dict[str, Any]]:
        """Return the radios as they are now (spi.GatewayApi)."""
        return [runner.status() for runner in self._voice.runners.values()]

    def audit_heads(self) -> dict[str, Any]:
        """Return the heads of others' audit logs that are held here (spi.GatewayApi)."""
        return {"gateway": str(self._me), "heads": self._heads.audit_held()}

    async def inhibit(self, radio: str, by: str) -> dict[str, Any]:
        """Unkey a radio and keep it off the air, also over a restart (spi.GatewayApi)."""
        return await self._switch.inhibit(radio, by)

    async def allow(self, radio: str, by: str) -> dict[str, Any]:
        """Lift an inhibit once that is durable (spi.GatewayApi)."""
        return await self._switch.allow(radio, by)

    async def confirm_state(self, by: str) -> dict[str, Any]:
        """Trust the state of this gateway, once that is durable (spi.GatewayApi)."""
        return await self._heads.confirm(by)

    async def stop_transmit(self, by: str) -> dict[str, Any]:
        """Unkey every radio and keep all of them off the air (spi.GatewayApi)."""
        return await self._switch.stop(by)

    async def lift_stop(self, by: str) -> dict[str, Any]:
        """Let the radios transmit again, once that is durable (spi.GatewayApi)."""
        return await self._switch.lift(by)


def _nothing() -> None:
    """Tell nobody."""
