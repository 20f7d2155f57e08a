"""The voice of one gateway: who is heard, who may speak, which radio plays what.

Up: a radio's spurt asks the floor, is written under the current key and goes on every link, the
in-process one included; that is how radios of one gateway hear each other, broker or no broker.
Down: a packet of any link is found by its topic, received (`core.reception`), judged by the floor,
and played on the radios that the map names. What is not on the map does not exist here: no
reception, no key derived, no radio keyed.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from radiobridge.core.backlog import Backlog
from radiobridge.core.emergency import RANK_MEDIA_TIME
from radiobridge.core.floor import FloorChange, FloorEvent, Verdict
from radiobridge.core.measures import Level
from radiobridge.core.reception import TopicReception
from radiobridge.core.transmit import AbortReason
from radiobridge.core.voice_keys import VoiceKeys
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import GatewayId, RadioName, TalkgroupId
from radiobridge.model.patch import Member
from radiobridge.model.talker import Talker
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim, TalkClass, VoicePacket
from radiobridge.services.clock import BridgeTime
from radiobridge.services.groups import GroupFloor
from radiobridge.services.identities import holder_view
from radiobridge.services.late_links import LateLinks
from radiobridge.services.outgoing import Outgoing, OutgoingPorts
from radiobridge.services.radio import RadioRunner
from radiobridge.services.ranks import Counted, Ranks
from radiobridge.services.timer import OneTimer
from radiobridge.spi import Link
from radiobridge.wire.spurt import SpurtWriter
from radiobridge.wire.topics import TopicKind, parse_topic, voice_filter, voice_topic
from radiobridge.wire.words import KeyGrant

log = structlog.get_logger()

_LATE = frozenset({Verdict.REFUSE_ENDED, Verdict.REFUSE_REPLACED})
"""The spurt has left the floor, but may still be playing: what belongs to it fills it up."""

TICK_S = 0.1
_EVENTS = {FloorChange.TAKEN: "spurt-started", FloorChange.NEAR_LIMIT: "spurt-near-limit"}
_STRANGERS = 256
"""Refused topics that are remembered until the map changes; others are looked up each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceMap:
    """Who hears whom through this gateway, right now. Made by the control plane."""

    groups: tuple[frozenset[TalkgroupId], ...] = ()
    """Disjoint groups of joined talkgroups; each has one floor."""
    plays: Mapping[TalkgroupId, frozenset[RadioName]] = field(default_factory=dict)
    """Source talkgroup to the radios here that transmit it."""
    receivers: frozenset[RadioName] = frozenset()
    """Radios here that the talkgroup map lets receive; the others' receivers start nothing."""
    mutes: Mapping[TalkgroupId, frozenset[RadioName]] = field(default_factory=dict)
    """Source talkgroup to the receivers here that would hear it come back on the air."""
    hears: frozenset[TalkgroupId] = frozenset()
    """Talkgroups whose voice this gateway listens to: to play it, or to know who has the floor."""
    remote: frozenset[TalkgroupId] = frozenset()
    """Own talkgroups that another gateway is entitled to hear; the others never leave."""
    members: Mapping[TalkgroupId, Member] = field(default_factory=dict)
    """Members of patches in force: what they may claim."""
    speakers: frozenset[tuple[GatewayId, bytes]] = frozenset()
    """Gateways that may send, with their Ed25519 keys; `VoicePorts.signer_of` looks them up."""

    def listeners(self, talkgroups: frozenset[TalkgroupId]) -> frozenset[TalkgroupId]:
        """Return those talkgroups that may only listen in their patch."""
        found = (self.members.get(talkgroup) for talkgroup in talkgroups)
        return frozenset(m.talkgroup for m in found if m is not None and not m.access.speaks)


class _Heard:
    """One voice topic that this gateway listens to."""

    __slots__ = ("backlog", "counted", "group", "keys", "own", "reception", "signer", "targets")

    def __init__(
        self,
        reception: TopicReception,
        backlog: Backlog,
        keys: Callable[[int], bytes | None],
        counted: Counted,
        *,
        own: bool,
    ) -> None:
        self.reception = reception
        self.backlog = backlog
        self.keys = keys
        self.counted = counted
        self.own = own
        self.signer: Ed25519PublicKey | None = None
        self.group: GroupFloor | None = None
        self.targets: tuple[RadioRunner, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePorts:
    """What the voice plane asks of the rest of the gateway."""

    signer_of: Callable[[GatewayId], Ed25519PublicKey | None]
    """The key of a gateway that its agency's roster lets speak, else None."""
    make_timer: Callable[[Callable[[float], None]], OneTimer]
    told: Callable[[FloorEvent], None]
    """Somebody took or lost a floor: for display and record."""
    ranks: Ranks = field(default_factory=Ranks)


class VoicePlane:
    """All voice through one gateway. Everything happens in the event loop; nothing waits."""

    def __init__(
        self,
        me: GatewayId,
        *,
        bridge: BridgeTime,
        signing_key: Ed25519PrivateKey,
        keys: VoiceKeys,
        priority: int,
        loopback: Link,
        ports: VoicePorts,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.runners: dict[RadioName, RadioRunner] = {}
        self.speakers: dict[TalkgroupId, RadioName] = {}
        """The radio that got or gets the floor last, by own talkgroup."""
        self.talker_of: Callable[[Claim], Talker | None] = lambda _claim: None
        """Who talks in a spurt, as far as anybody has told: for display."""
        self._me = me
        self._bridge = bridge
        self._signing_key = signing_key
        self._keys = keys
        self._priority = priority
        self._loopback = loopback
        self._links: tuple[Link, ...] = ()
        self._ports = ports
        self._map = VoiceMap()
        self._groups: list[GroupFloor] = []
        self._group_of: dict[TalkgroupId, GroupFloor] = {}
        self._heard: dict[str, _Heard] = {}
        self._receptions: dict[str, TopicReception] = {}
        self.late_links = LateLinks(self.counters)
        self._strangers: set[str] = set()
        self._live: dict[TalkgroupId, Outgoing] = {}
        self._last_start: dict[TalkgroupId, int] = {}
        self._timer = ports.make_timer(self._tick)

    def start(self, links: Iterable[Link]) -> None:
        """Begin: from now on these links carry voice."""
        self._links = self.late_links.links = tuple(links)
        self._timer.set(time.monotonic() + TICK_S)

    def stop(self) -> None:
        """End all spurts and unkey all radios; nothing is heard or said afterwards."""
        self._timer.set(None)
        for runner in self.runners.values():
            runner.stop()
        self.apply(VoiceMap())

    # --- up ------------------------------------------------------------------------------------

    def begin(self, runner: RadioRunner, started: float, now: float) -> Outgoing | None:
        """Ask for the floor for a radio that hears somebody since `started`; None: refused."""
        talkgroup = runner.talkgroup
        group = self._group_of.get(talkgroup)
        if group is None or runner.name not in self._map.receivers:
            return None
        speaker = self.speakers.get(talkgroup, runner.name)
        self.speakers[talkgroup] = runner.name
        claim = self._claim(talkgroup, started, now)
        refusal = self._refusal(group, claim, now)
        if refusal is not None:
            self.speakers[talkgroup] = speaker
            self.counters[f"start-{refusal}"] += 1
            log.info("spurt-refused", radio=str(runner.name), reason=refusal)
            return None
        spurt = Outgoing(
            claim,
            OutgoingPorts(
                allowed=self._allowed,
                key=partial(self._key, talkgroup),
                writer=self._writer,
                publish=partial(self._publish, talkgroup, voice_topic(self._me, talkgroup.name)),
            ),
        )
        self._live[talkgroup] = spurt
        return spurt

    def _refusal(self, group: GroupFloor, claim: Claim, now: float) -> str | None:
        """Ask for the floor; return why a spurt may not start, None when it has begun."""
        if self._ports.ranks.standing(claim).everywhere is Level.EXCLUDED:
            return Level.EXCLUDED.name.lower()
        verdict = group.request(claim, now)
        return None if verdict is Verdict.PLAY else verdict.value

    def ended(self, spurt: Outgoing, now: float) -> None:
        """A spurt of ours is over."""
        if self._live.get(spurt.claim.talkgroup) is spurt:
            del self._live[spurt.claim.talkgroup]
        group = self._group_of.get(spurt.claim.talkgroup)
        if group is not None:
            group.released(spurt.claim, now)

    def _claim(self, talkgroup: TalkgroupId, started: float, now: float) -> Claim:
        """Return the claim of a new spurt. Its start is later than that of the one before."""
        start_ms = self._bridge.at_ms(now) - round((now - started) * 1000)
        start_ms = max(start_ms, self._last_start.get(talkgroup, 0) + 1)
        self._last_start[talkgroup] = start_ms
        claim = Claim(self._me, talkgroup, start_ms, TalkClass.NORMAL, self._priority)
        return self._own_rank(claim, 0)

    def _own_rank(self, claim: Claim, media_time: int) -> Claim:
        member = self._map.members.get(claim.talkgroup)
        return self._ports.ranks.own(claim, member, self._priority, media_time)

    def _allowed(self, claim: Claim, media_time: int) -> bool:
        group = self._group_of.get(claim.talkgroup)
        if group is None:
            return False
        now = time.monotonic()
        if media_time > RANK_MEDIA_TIME and claim.talk_class is TalkClass.EMERGENCY:
            claim = self._spend(claim, media_time)
        verdict = group.heard(claim, media_time, now)
        if verdict is not Verdict.PLAY:
            self.counters[f"cut-{verdict.value}"] += 1
            # Nothing more of it leaves: it does not come back when its rival ends.
            group.released(claim, now)
        group.settle(now)
        return verdict is Verdict.PLAY

    def _spend(self, claim: Claim, media_time: int) -> Claim:
        """The microphone is open for too long: the rest of the spurt has no rank."""
        self._ports.ranks.spent(claim)
        without = self._own_rank(claim, media_time)
        spurt = self._live.get(claim.talkgroup)
        if spurt is not None:
            spurt.rank(without)
        return without

    def _writer(self, claim: Claim, grant: KeyGrant) -> SpurtWriter:
        return SpurtWriter(claim, grant.key, grant.epoch, self._signing_key, secrets.randbits(48))

    def _key(self, talkgroup: TalkgroupId) -> KeyGrant | None:
        """Return the key to send with; None while nobody, here or elsewhere, is to hear."""
        if talkgroup in self._map.remote or self._map.plays.get(talkgroup):
            return self._keys.sending(talkgroup)
        return None

    def _publish(self, talkgroup: TalkgroupId, topic: str, packet: bytes) -> bool:
        """Send a packet on every link; tell whether one took it, or none had to."""
        self._loopback.publish_voice(topic, packet)
        if talkgroup not in self._map.remote:
            return True
        taken = False
        for link in self._links:
            if link.publish_voice(topic, packet):
                taken = True
            else:
                self.counters["dropped-at-sender"] += 1
        return taken

    # --- down ----------------------------------------------------------------------------------

    def voice(self, topic: str, payload: bytes, link: str) -> None:
        """Take one packet of a link, whatever it holds (hot)."""
        heard = self._heard.get(topic)
        if heard is None:
            heard = self._admit(topic)
        if heard is None or heard.signer is None or heard.group is None:
            self.counters["not-wanted"] += 1
            return
        if heard.own is not (link == self._loopback.name):
            self.counters["echo"] += 1
            return
        now = time.monotonic()
        bridge_ms, reception = self._bridge.at_ms(now), heard.reception
        packet = reception.receive(payload, bridge_ms, now, heard.keys, heard.signer, link)
        if packet is None:
            self.late_links.refused(heard.backlog, reception, link, now)
        elif not self.late_links.too_late(heard.backlog, reception.age_ms, link, now):
            self._judge(heard, heard.group, packet, now)

    def _judge(self, heard: _Heard, group: GroupFloor, packet: VoicePacket, now: float) -> None:
        counted = heard.counted
        claim = counted.claim(packet.claim, packet.media_time)
        if counted.standing.everywhere is Level.EXCLUDED:
            self.counters["excluded"] += 1
            return
        # An end alone takes no turn: it would free who has talked as long as he may.
        alone = packet.end and group.holder != claim
        verdict = Verdict.REFUSE_ENDED if alone else group.heard(claim, packet.media_time, now)
        targets = heard.targets if counted.standing.here is not Level.EXCLUDED else ()
        if verdict is Verdict.PLAY:
            for runner in targets:
                if not (heard.own and runner.says(claim)):
                    runner.play(counted.played, packet, now)
        elif verdict in _LATE:
            for runner in targets:
                runner.fill(claim, packet, now)
        else:
            self.counters[verdict.value] += 1
        if packet.end:
            group.released(claim, now)
        group.settle(now)

    def _admit(self, topic: str) -> _Heard | None:
        """Look up a topic that is not known yet (rare)."""
        if topic in self._strangers:
            return None
        heard = self._heard_for(topic)
        if heard is not None:
            self._heard[topic] = heard
        elif len(self._strangers) < _STRANGERS:
            self._strangers.add(topic)
        return heard

    def _heard_for(self, topic: str) -> _Heard | None:
        try:
            parsed = parse_topic(topic)
        except RemoteProtocolError:
            return None
        sender, talkgroup = parsed.gateway, parsed.talkgroup
        if parsed.kind is not TopicKind.VOICE or talkgroup not in self._map.hears:
            return None
        if self._ports.signer_of(sender) is None:
            return None
        reception = self._receptions.get(topic)
        if reception is None:
            reception = self._receptions[topic] = TopicReception(sender, talkgroup)
        opener = self._keys.opener(sender, talkgroup)
        backlog = self.late_links.backlog(topic)
        heard = _Heard(
            reception, backlog, opener, Counted(self._ports.ranks), own=sender == self._me
        )
        self._bind(heard)
        return heard

    def _bind(self, heard: _Heard) -> None:
        """Give a topic its sender's key, its floor and its radios, as they are now."""
        talkgroup = heard.reception.talkgroup
        heard.signer = self._ports.signer_of(heard.reception.sender)
        heard.group = self._group_of.get(talkgroup)
        heard.targets = self._runners(self._map.plays.get(talkgroup, ()))
        heard.counted.bind(talkgroup, self._map.members.get(talkgroup))

    def _tick(self, now: float) -> None:
        self._timer.set(now + TICK_S)
        for reception in self._receptions.values():
            for loss in reception.tick(now):
                if loss.alarm:
                    self.counters["alarm-unproven"] += 1
                    log.error("spurt-not-proven", sender=str(loss.claim.sender),
                              talkgroup=str(loss.claim.talkgroup), reason=loss.reason.value,
                              packets=loss.unproven)  # fmt: skip
                    self._drop(loss.claim, AbortReason.UNPROVEN, now)

    def _drop(self, claim: Claim, reason: AbortReason, now: float) -> None:
        for runner in self.runners.values():
            runner.cut(claim, reason, now)
        group = self._group_of.get(claim.talkgroup)
        if group is not None:
            group.released(claim, now)

    # --- the map -------------------------------------------------------------------------------

    def apply(self, voice_map: VoiceMap) -> None:
        """Take a new map. What is no longer on it is silent when this returns."""
        now = time.monotonic()
        self._map = voice_map
        self._cut_unrouted(now)
        self._regroup(now)
        self._strangers.clear()
        self._heard = {t: h for t, h in self._heard.items() if self._wanted(h)}
        for heard in self._heard.values():
            self._bind(heard)
        for spurt in list(self._live.values()):
            self._rerank(spurt, now)
        wanted = frozenset(voice_filter(tg.agency, tg.name) for tg in voice_map.hears)
        for link in (self._loopback, *self._links):
            link.want_voice(wanted)

    def rerank(self) -> None:
        """Alarms or measures have changed: what is said counts for something else from here on."""
        now = time.monotonic()
        for heard in self._heard.values():
            self._bind(heard)
        for spurt in list(self._live.values()):
            self._rerank(spurt, now)
        for group in self._groups:
            self._drop_excluded(group, now)
        for runner in self.runners.values():
            for claim in runner.down.claims():
                if self._ports.ranks.standing(claim).here is Level.EXCLUDED:
                    runner.cut(claim, AbortReason.EXCLUDED, now)
            if self._ports.ranks.alarm_open(runner.talkgroup):
                runner.floor_free(now)

    def _drop_excluded(self, group: GroupFloor, now: float) -> None:
        """Take the floor from who is not carried any more, one after the other."""
        while (holder := group.holder) is not None:
            if self._ports.ranks.standing(holder).everywhere is not Level.EXCLUDED:
                return
            group.released(holder, now)

    def _rerank(self, spurt: Outgoing, now: float) -> None:
        claim = spurt.claim
        if self._ports.ranks.standing(claim).everywhere is Level.EXCLUDED:
            spurt.bar()
            self._drop(claim, AbortReason.EXCLUDED, now)
        else:
            spurt.rank(self._own_rank(claim, spurt.index * FRAME_MEDIA_TIME))

    def _wanted(self, heard: _Heard) -> bool:
        return heard.reception.talkgroup in self._map.hears

    def _cut_unrouted(self, now: float) -> None:
        for runner in self.runners.values():
            if runner.name not in self._map.receivers:
                runner.unhear(now)
            claims = runner.down.claims()
            for claim in claims:
                if runner.name not in self._map.plays.get(claim.talkgroup, ()):
                    runner.cut(claim, AbortReason.WITHDRAWN, now)

    def _regroup(self, now: float) -> None:
        """Keep the floor of a group that goes on with other members; it may be in use."""
        old = list(self._groups)
        self._groups = []
        for talkgroups in self._map.groups:
            listeners = self._map.listeners(talkgroups)
            kept = next((g for g in old if g.talkgroups & talkgroups), None)
            if kept is not None:
                old.remove(kept)
                kept.change_members(talkgroups, now, listeners=listeners)
            else:
                make_timer, told = self._ports.make_timer, self._told
                kept = GroupFloor(talkgroups, make_timer, told, listeners=listeners)
            self._groups.append(kept)
        for group in old:
            group.close(now)
        self._group_of = {tg: group for group in self._groups for tg in group.talkgroups}
        played = self._map.plays.values()
        for group in self._groups:
            group.runners = tuple(
                r for r in self.runners.values() if r.talkgroup in group.talkgroups
            )
            group.transmitters = frozenset(self._runners(frozenset[RadioName]().union(*played)))
            group.mutes = {
                tg: self._runners(self._map.mutes.get(tg, ())) for tg in group.talkgroups
            }

    def _runners(self, names: Iterable[RadioName]) -> tuple[RadioRunner, ...]:
        return tuple(self.runners[name] for name in sorted(names) if name in self.runners)

    def _told(self, _group: GroupFloor, event: FloorEvent) -> None:
        claim = event.claim
        name = _EVENTS.get(event.change, "spurt-over")
        log.info(name, sender=str(claim.sender), talkgroup=str(claim.talkgroup),
                 start_ms=claim.start_ms, change=event.change.value)  # fmt: skip
        self._ports.told(event)

    def signalling(self, talkgroup: TalkgroupId) -> bool:
        """Tell whether in-band signalling of an own talkgroup may leave its radio (hot)."""
        member = self._map.members.get(talkgroup)
        return member is None or member.signalling

    def leaves(self, talkgroup: TalkgroupId) -> bool:
        """Tell whether another gateway is entitled to hear an own talkgroup."""
        return talkgroup in self._map.remote

    def status(self) -> dict[str, Any]:
        """Return floors and counters, for people."""
        received: Counter[str] = Counter()
        for reception in self._receptions.values():
            received.update(reception.counters)
        return {
            "floor": [
                {
                    "talkgroups": sorted(str(tg) for tg in group.talkgroups),
                    "holder": self._holder(group.holder),
                    "near_limit": group.near_limit,
                }
                for group in self._groups
            ],
            "counters": {**self.counters, **{f"voice-{k}": n for k, n in received.items()}},
        }

    def _holder(self, claim: Claim | None) -> dict[str, Any] | None:
        return holder_view(claim, self.talker_of(claim) if claim is not None else None)
