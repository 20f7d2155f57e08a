"""Gateways reduced to their voice: real planes, radios and keys, joined as real routes say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiobridge.core.floor import FloorEvent
from radiobridge.core.routing import Routes
from radiobridge.core.transmit import AbortReason
from radiobridge.core.voice_keys import Listener, PersistEpoch, VoiceKeys
from radiobridge.drivers.link.loopback import LoopbackLink
from radiobridge.model.ids import AgencyId, GatewayId, PatchId, RadioName, TalkgroupId
from radiobridge.model.patch import Air, Member, Recording, Terms
from radiobridge.model.talkgroup import RadioRef, Talkgroup, TalkgroupMap
from radiobridge.model.voice import MEDIA_RATE, Claim, VoicePacket
from radiobridge.services.clock import BridgeTime
from radiobridge.services.control import voice_map_of
from radiobridge.services.groups import GroupFloor
from radiobridge.services.outgoing import Outgoing
from radiobridge.services.ranks import Ranks
from radiobridge.services.timer import OneTimer
from radiobridge.services.voice import VoicePlane, VoicePorts
from radiobridge.spi import Link
from radiobridge.text import Text
from tests.floor_network.history import END_S, Agency, Alarm, History, Site, Talk
from tests.floor_network.kernel import Kernel, done
from tests.floor_network.knowledge import Knowledge
from tests.floor_network.network import Net, NetLink
from tests.floor_network.radios import Channel, Frame, Ports, Radio, SpurtName, make_radio, name_of
from tests.services.fakes import FakeStore
from tests.services.virtual_time import START_S
from tests.services.voice_world import draw
from tests.wire.people import NOW_MS, person

LAST_TALK = Talk(at_s=END_S, length_s=0.4)


@lru_cache
def _public(name: str) -> Ed25519PublicKey:
    return person(name).public


class _Clock:
    """A Clock that is off."""

    def __init__(self, kernel: Kernel, offset_ms: int) -> None:
        self._kernel = kernel
        self._offset_ms = offset_ms

    def monotonic(self) -> float:
        return self._kernel.now

    def wall_ms(self) -> int:
        return NOW_MS + self._offset_ms + round((self._kernel.now - START_S) * 1000)

    def synchronised(self) -> bool:
        return True


@dataclass(slots=True)
class Offered:
    """What the rules gave one radio to play of one spurt."""

    frames: dict[Frame, float] = field(default_factory=dict)
    """Each frame, and when it came."""
    fills: set[Frame] = field(default_factory=set)
    """Those that came when the spurt was over, to fill gaps."""


class WatchedPlane(VoicePlane):
    """A plane that tells what it takes before it does anything about it."""

    gateway: "Gateway"

    def _judge(self, heard: Any, group: GroupFloor, packet: VoicePacket, now: float) -> None:
        self.gateway.takes(packet, now, _targets(heard, packet))
        super()._judge(heard, group, packet, now)

    def _refusal(self, group: GroupFloor, claim: Claim, now: float) -> str | None:
        may = self.gateway.asks(claim, now)
        refusal = super()._refusal(group, claim, now)
        if (refusal is None) is not may:
            self.gateway.wrong.append(f"{claim} asked at {now - START_S}: {refusal}")
        return refusal

    def _allowed(self, claim: Claim, media_time: int) -> bool:
        may = self.gateway.says(claim, media_time)
        allowed = super()._allowed(claim, media_time)
        if allowed is not may:
            self.gateway.wrong.append(f"{claim} at {media_time}: {allowed}")
        return allowed

    def ended(self, spurt: Outgoing, now: float) -> None:
        self.gateway.knows.ends(spurt.claim, now)
        super().ended(spurt, now)

    def _drop(self, claim: Claim, reason: AbortReason, now: float) -> None:
        self.gateway.dropped.add(name_of(claim))
        self.gateway.knows.ends(claim, now)
        super()._drop(claim, reason, now)


def _targets(heard: Any, packet: VoicePacket) -> list[Any]:
    return [one for one in heard.targets if not (heard.own and one.says(packet.claim))]


class Gateway:
    """One gateway, and what it knew. It is the sink of its links."""

    def __init__(self, number: int, me: GatewayId, site: Site, net: Net, limit_s: float) -> None:
        kernel = net.kernel
        self.number = number
        self.me = me
        self.site = site
        self.knows: Knowledge
        self.radios: list[Radio] = []
        self.offered: dict[tuple[RadioName, SpurtName], Offered] = {}
        self.dropped: set[SpurtName] = set()
        """Spurts whose proofs did not come."""
        self.told: list[FloorEvent] = []
        self.sent: list[tuple[Claim, int, float]] = []
        """What left: claim, media time, when."""
        self.wrong: list[str] = []
        """What the plane decided against the rules. Raised here, it would only end a radio."""
        self.spent: dict[int, str] = {}
        """Talks that have reached the limit, and where, while nobody else has spoken since."""
        self.begins: dict[int, float] = {}
        """When each talk begins: it may be the end of a spurt that another began."""
        self.busy = False
        """Something has come or gone since this was last looked at."""
        self.keys = VoiceKeys(me, draw(), {})
        self._kernel = kernel
        self._limit_s = limit_s
        self._links = [NetLink(f"b{n}", net, n, number) for n in range(net.spec.brokers)]
        loopback = LoopbackLink("loopback")
        make_timer = partial(OneTimer, kernel.loop)
        self.plane = WatchedPlane(
            me,
            bridge=BridgeTime(_Clock(kernel, site.offset_ms), FakeStore()),
            signing_key=person(str(me)).signing,
            keys=self.keys,
            priority=site.priority,
            loopback=loopback,
            ports=VoicePorts(
                signer_of=lambda who: _public(str(who)),
                make_timer=make_timer,
                told=self.told.append,
                ranks=Ranks(alarm_open=lambda talkgroup: talkgroup in self.knows.alarms),
            ),
        )
        self.plane.gateway = self
        links: list[Link] = [loopback, *self._links]
        for link in links:
            done(link.open(self))
        self.plane.start(self._links)

    def add_radio(
        self, number: int, name: str, talkgroup: TalkgroupId, channel: Channel, *, transmits: bool
    ) -> None:
        ports = Ports(start=self.plane.begin, ended=self.plane.ended)
        site = self.site
        radio = make_radio(number, name, talkgroup, site, channel, ports, transmits=transmits)
        self.radios.append(radio)
        self.plane.runners[radio.runner.name] = radio.runner

    def join(self, routes: Routes, others: "list[Gateway]") -> None:
        """Take the map; give the voice keys to those who may hear."""
        listeners = {}
        for talkgroup in routes.sends:
            agencies = routes.listeners(talkgroup)
            entitled = [one for one in others if one.me.agency in agencies and one is not self]
            listeners[talkgroup] = frozenset(Listener(one.me, b"") for one in entitled)
            self._give_key(talkgroup, listeners[talkgroup], entitled)
        self.map = voice_map_of(routes, listeners, frozenset())
        self.knows = Knowledge(self.map.members, self._limit_s)
        self.plane.apply(self.map)

    def _give_key(
        self, talkgroup: TalkgroupId, named: frozenset[Listener], to: "list[Gateway]"
    ) -> None:
        effects = list(self.keys.follow(talkgroup, named, NOW_MS))
        while effects:
            effect = effects.pop(0)
            if isinstance(effect, PersistEpoch):
                effects += self.keys.epoch_stored(talkgroup, effect.epoch, NOW_MS)
                continue
            for one in to:
                one.keys.receive(self.me, effect.grant, NOW_MS)

    @property
    def holder(self) -> Claim | None:
        """Return who holds the floor, as the services have it."""
        (group,) = self.plane._groups
        return group.holder

    # --- what the plane tells ------------------------------------------------------------------

    def takes(self, packet: VoicePacket, now: float, targets: list[Any]) -> None:
        """A packet has come: note whose radios have to play it."""
        self.busy = True
        heard = self.knows.takes(packet.claim, packet.media_time, now)
        name, frame = name_of(packet.claim), Frame.of(packet.opus)
        for runner in targets:
            offered = self.offered.setdefault((runner.name, name), Offered())
            # What comes with the end may be heard: after a break, an end alone starts nothing.
            if heard and not packet.end:
                offered.frames[frame] = now
            else:
                offered.fills.add(frame)
        if packet.end:
            self.knows.ends(packet.claim, now)
        if packet.media_time > self._limit_s * MEDIA_RATE and self._has_had_its_time(frame.talk):
            self.spent[frame.talk] = name[1]

    def asks(self, claim: Claim, now: float) -> bool:
        """A spurt of ours wants to begin: return whether it may."""
        self.busy = True
        talk = self._talk_of(claim)
        if talk in self.spent:
            self.wrong.append(f"talk {talk} has had its time, at {now - START_S}")
        return self.knows.may_start(claim, now) and self.knows.takes(claim, 0, now)

    def _has_had_its_time(self, talk: int) -> bool:
        began = self.begins.get(talk)
        return began is not None and self._kernel.now - START_S - began >= self._limit_s

    def _talk_of(self, claim: Claim) -> int:
        """Return which talk is heard by the radio that a spurt of ours comes in by."""
        speaker = self.plane.speakers[claim.talkgroup]
        return next(radio.hearing for radio in self.radios if radio.runner.name == speaker)

    def says(self, claim: Claim, media_time: int) -> bool:
        """A packet of ours wants to leave: return whether it may."""
        self.busy = True
        now = self._kernel.now
        may = self.knows.takes(claim, media_time, now)
        talk = self._talk_of(claim)
        if media_time > self._limit_s * MEDIA_RATE and self._has_had_its_time(talk):
            self.spent[talk] = str(claim.talkgroup)
        if may:
            self.sent.append((claim, media_time, now))
        else:
            self.knows.ends(claim, now)
        return may

    # --- spi.LinkSink --------------------------------------------------------------------------

    def voice(self, topic: str, payload: bytes, link: str) -> None:
        self.plane.voice(topic, payload, link)

    def document(self, topic: str, payload: bytes, link: str) -> None:
        pass

    def presence(self, link: str, connection: int, *, online: bool) -> tuple[str, bytes]:
        return f"rb/1/{self.me}/presence/{link}", f"{connection} {online}".encode()

    def link_up(self, link: str) -> None:
        pass

    def link_down(self, link: str, reason: Text) -> None:
        pass


class World:
    """All that a history speaks of."""

    def __init__(self, history: History, kernel: Kernel) -> None:
        self.history = history
        self.kernel = kernel
        self.net = Net(kernel, history)
        self.gateways: list[Gateway] = []
        self.channels: dict[TalkgroupId, list[Channel]] = {}
        self._homes: list[list[Gateway]] = []
        self._maps: list[TalkgroupMap] = []
        for number, agency in enumerate(history.agencies):
            self._found(number, agency)
        terms = self._terms()
        self.routes: dict[GatewayId, Routes] = {}
        for home, tg_map in zip(self._homes, self._maps, strict=True):
            for gateway in home:
                routes = Routes.for_gateway(gateway.me, tg_map, [terms])
                self.routes[gateway.me] = routes
                gateway.join(routes, self.gateways)
        begins = {number: talk.at_s for number, talk in enumerate(history.talks, start=1)}
        for gateway in self.gateways:
            gateway.begins = begins
        self._plan()

    @property
    def radios(self) -> list[tuple[Gateway, Radio]]:
        return [(gateway, radio) for gateway in self.gateways for radio in gateway.radios]

    def main(self, agency: int) -> TalkgroupId:
        """Return an agency's talkgroup in the patch."""
        return TalkgroupId(AgencyId(f"ca.a{agency}"), "MAIN")

    def side(self, agency: int) -> TalkgroupId:
        """Return the talkgroup that the agency itself joins with it."""
        return TalkgroupId(AgencyId(f"ca.a{agency}"), "SIDE")

    def _found(self, number: int, agency: Agency) -> None:
        """Found an agency: its gateways, radios, channels and map."""
        main, side = self.main(number), self.side(number)
        home = [
            Gateway(
                len(self.gateways) + n,
                GatewayId(main.agency, f"g{n}"),
                site,
                self.net,
                self.history.limit_s,
            )
            for n, site in enumerate(agency.sites)
        ]
        self.gateways += home
        self._homes.append(home)
        everywhere = Channel(self.kernel)
        apart = [Channel(self.kernel) for _ in home]
        self.channels[main] = apart if agency.separate else [everywhere] * len(home)
        for n, (gateway, channel) in enumerate(zip(home, self.channels[main], strict=True)):
            transmits = agency.separate or n == 0
            gateway.add_radio(10 * gateway.number, "main", main, channel, transmits=transmits)
        talkgroups = {main: self._talkgroup(main, home, separate=agency.separate)}
        joins: tuple[frozenset[TalkgroupId], ...] = ()
        if agency.joined:
            self.channels[side] = [Channel(self.kernel)]
            gateway = home[0]
            channel = self.channels[side][0]
            gateway.add_radio(10 * gateway.number + 1, "side", side, channel, transmits=True)
            talkgroups[side] = self._talkgroup(side, home[:1], separate=False)
            joins = (frozenset({main, side}),)
        self._maps.append(TalkgroupMap(agency=main.agency, talkgroups=talkgroups, joins=joins))

    def _talkgroup(self, of: TalkgroupId, home: list[Gateway], *, separate: bool) -> Talkgroup:
        radios = [RadioRef(gateway.me, RadioName(of.name.lower())) for gateway in home]
        transmitters = radios if separate else radios[:1]
        return Talkgroup(
            id=of,
            label=Text(of.name, of.name),
            air=Air.CLEAR,
            receive=frozenset(radios),
            transmit=tuple((f"c{n}", ref) for n, ref in enumerate(transmitters)),
            separate_coverage=separate,
        )

    def _terms(self) -> Terms:
        members = [
            Member(
                talkgroup=self.main(number),
                access=agency.access,
                max_class=agency.max_class,
                max_priority=agency.max_priority,
            )
            for number, agency in enumerate(self.history.agencies)
        ]
        return Terms(
            patch=PatchId("p"),
            purpose="pursuit",
            incident="1",
            host=members[0].talkgroup.agency,
            start_ms=0,
            end_ms=2 * NOW_MS,
            recording=Recording.NONE,
            members=tuple(members),
        )

    def _plan(self) -> None:
        """Let everything happen at its time."""
        for number, talk in enumerate(self.history.talks, start=1):
            self._at(talk.at_s, partial(self._press, number, talk))
        for alarm in self.history.alarms:
            for gateway in self.gateways:
                delay_s = alarm.delays_s[gateway.number % len(alarm.delays_s)]
                self._at(alarm.at_s + delay_s, partial(self._raise, alarm, gateway))
        self._at(END_S, self._speak_last)

    def _at(self, at_s: float, call: Callable[[], object]) -> None:
        self.kernel.call_at(START_S + at_s, call)

    def _press(self, number: int, talk: Talk) -> bool:
        agency = self.history.agencies[talk.agency]
        joined = talk.joined and agency.joined
        talkgroup = self.side(talk.agency) if joined else self.main(talk.agency)
        channels = self.channels[talkgroup]
        return channels[talk.site % len(channels)].press(number, talk)

    def _raise(self, alarm: Alarm, gateway: Gateway) -> None:
        gateway.busy = True
        gateway.knows.alarms.add(self.main(alarm.agency))
        gateway.plane.rerank()

    def _speak_last(self) -> None:
        channel = self.channels[self.main(self.history.last)][0]
        number = len(self.history.talks) + 1
        assert channel.press(number, LAST_TALK), "the channel is still busy"
