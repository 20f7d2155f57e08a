"""Gateways reduced to their voice: planes, radios and links, with maps and keys given by hand."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiobridge.core.floor import FloorEvent
from radiobridge.core.transmit import NotDelivered
from radiobridge.core.voice_keys import Listener, PersistEpoch, VoiceKeys
from radiobridge.model.ids import GatewayId, RadioName, TalkgroupId, parse_gateway
from radiobridge.model.patch import Member
from radiobridge.model.voice import Claim
from radiobridge.services.clock import BridgeTime
from radiobridge.services.radio import RadioRunner
from radiobridge.services.voice import VoiceMap, VoicePlane, VoicePorts
from radiobridge.wire.spurt import SpurtWriter
from radiobridge.wire.topics import voice_topic
from radiobridge.wire.words import KeyGrant
from tests.services.fakes import FakeBroker, FakeClock, FakeLink, FakeStore
from tests.services.radios import Ports, Radio, make_radio, make_timer
from tests.services.voices import BORDER, DETROIT, TAC1, TAC2, WINDSOR
from tests.wire.people import person


def draw() -> Callable[[int], bytes]:
    """Return a source of keys that never gives one twice."""
    numbers = count(1)
    return lambda length: next(numbers).to_bytes(length, "big")


class Side:
    """The voice of one gateway. It is the sink of its links, and hears voice only."""

    def __init__(self, me: GatewayId, *brokers: FakeBroker, clock: FakeClock | None = None) -> None:
        self.me = me
        self.bridge = BridgeTime(clock or FakeClock(), FakeStore())
        self.keys = VoiceKeys(me, draw(), {})
        self.told: list[FloorEvent] = []
        self.failed: list[tuple[RadioRunner, Claim | None, NotDelivered]] = []
        self.signers: dict[GatewayId, Ed25519PublicKey] = {me: person(str(me)).public}
        self.loopback = FakeLink("loopback")
        self.loopback.broker.fate = lambda _topic: (0.0,)
        self.links = [FakeLink(f"link{n}", broker) for n, broker in enumerate(brokers)]
        self.radios: dict[RadioName, Radio] = {}
        self.plane = VoicePlane(
            me,
            bridge=self.bridge,
            signing_key=person(str(me)).signing,
            keys=self.keys,
            priority=0,
            loopback=self.loopback,
            ports=VoicePorts(
                signer_of=self.signers.get, make_timer=make_timer, told=self.told.append
            ),
        )

    # --- spi.LinkSink --------------------------------------------------------------------------

    def voice(self, topic: str, payload: bytes, link: str) -> None:
        self.plane.voice(topic, payload, link)

    def document(self, topic: str, payload: bytes, link: str) -> None:
        pass

    def presence(self, link: str, connection: int, *, online: bool) -> tuple[str, bytes]:
        return f"rb/1/{self.me}/presence/{link}", f"{connection} {online}".encode()

    def link_up(self, link: str) -> None:
        pass

    def link_down(self, link: str, reason: Any) -> None:
        pass

    # --- by hand -------------------------------------------------------------------------------

    def add_radio(self, name: str, talkgroup: TalkgroupId, **settings: Any) -> Radio:
        ports = Ports(self.plane.begin, self.plane.ended, self._not_delivered)
        radio = make_radio(name, talkgroup, ports, **settings)
        self.radios[radio.runner.name] = radio
        self.plane.runners[radio.runner.name] = radio.runner
        return radio

    def _not_delivered(self, runner: RadioRunner, who: Claim | None, why: NotDelivered) -> None:
        self.failed.append((runner, who, why))

    async def start(self) -> None:
        await self.loopback.open(self)
        for link in self.links:
            await link.open(self)
        for radio in self.radios.values():
            await radio.open()
        self.plane.start(self.links)

    def give_key(self, talkgroup: TalkgroupId, *listeners: "Side") -> None:
        """Draw a key for an own talkgroup and give it to other gateways."""
        now_ms = self.bridge.now_ms()
        named = frozenset(Listener(one.me, person(str(one.me)).hpke_public) for one in listeners)
        effects = list(self.keys.follow(talkgroup, named, now_ms))
        while effects:
            effect = effects.pop(0)
            if isinstance(effect, PersistEpoch):
                effects += self.keys.epoch_stored(talkgroup, effect.epoch, now_ms)
                continue
            for one in listeners:
                one.keys.receive(self.me, effect.grant, one.bridge.now_ms())
        for one in listeners:
            one.signers[self.me] = person(str(self.me)).public

    def reasons(self) -> list[str]:
        return [why.reason.value for _runner, _who, why in self.failed]

    def count(self, name: str) -> int:
        counters: dict[str, int] = self.plane.status()["counters"]
        return counters.get(name, 0)


def joined(
    here: TalkgroupId,
    there: TalkgroupId,
    radio: str,
    *,
    members: Iterable[Member] = (),
) -> VoiceMap:
    """Return the map of a gateway whose radio serves `here`, joined with a partner's `there`."""
    name = RadioName(radio)
    return VoiceMap(
        groups=(frozenset({here, there}),),
        plays={there: frozenset({name})},
        receivers=frozenset({name}),
        mutes={there: frozenset({name})},
        hears=frozenset({there}),
        remote=frozenset({here}),
        members={member.talkgroup: member for member in members},
    )


def alone(here: TalkgroupId, radio: str) -> VoiceMap:
    """Return the map of a gateway whose one radio is joined with nothing."""
    return VoiceMap(groups=(frozenset({here}),), receivers=frozenset({RadioName(radio)}))


@dataclass
class River:
    """windsor with TAC1 and detroit with BORDER, joined over one broker or more."""

    brokers: tuple[FakeBroker, ...] = field(default_factory=lambda: (FakeBroker(),))
    members: tuple[Member, ...] = ()
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.windsor = Side(WINDSOR, *self.brokers)
        self.detroit = Side(DETROIT, *self.brokers, clock=self.clock)
        self.tac1 = self.windsor.add_radio("tac1", TAC1)
        self.border = self.detroit.add_radio("border", BORDER)

    async def start(self, *, join: bool = True) -> None:
        await self.windsor.start()
        await self.detroit.start()
        if join:
            self.join()
        else:
            self.windsor.plane.apply(alone(TAC1, "tac1"))
            self.detroit.plane.apply(alone(BORDER, "border"))

    def join(self) -> None:
        self.windsor.plane.apply(joined(TAC1, BORDER, "tac1", members=self.members))
        self.detroit.plane.apply(joined(BORDER, TAC1, "border", members=self.members))
        self.windsor.give_key(TAC1, self.detroit)
        self.detroit.give_key(BORDER, self.windsor)


async def two_talkgroups() -> tuple[Side, Radio, Radio]:
    """Return a gateway whose own two talkgroups are joined, without any broker."""
    side = Side(WINDSOR)
    one, two = side.add_radio("tac1", TAC1), side.add_radio("tac2", TAC2)
    await side.start()
    names = {TAC1: RadioName("tac1"), TAC2: RadioName("tac2")}
    side.plane.apply(
        VoiceMap(
            groups=(frozenset({TAC1, TAC2}),),
            plays={TAC1: frozenset({names[TAC2]}), TAC2: frozenset({names[TAC1]})},
            receivers=frozenset(names.values()),
            mutes={TAC1: frozenset({names[TAC2]}), TAC2: frozenset({names[TAC1]})},
            hears=frozenset({TAC1, TAC2}),
        )
    )
    side.give_key(TAC1)
    side.give_key(TAC2)
    return side, one, two


class Stranger:
    """Whoever writes voice packets by hand: an odd partner, or one who got a partner's key."""

    def __init__(self, broker: FakeBroker, to: Side, name: str = "us.cbp/buffalo") -> None:
        self.gateway = parse_gateway(name)
        self.talkgroup = TalkgroupId(self.gateway.agency, BORDER.name)
        self.topic = voice_topic(self.gateway, self.talkgroup.name)
        self._broker = broker
        self._numbers = count(1)
        self._grant = KeyGrant(
            talkgroup=self.talkgroup, epoch=1, key=b"k" * 32, since_ms=to.bridge.now_ms()
        )
        to.keys.receive(self.gateway, self._grant, to.bridge.now_ms())
        to.signers[self.gateway] = person(name).public

    def writer(self, claim: Claim) -> SpurtWriter:
        signing = person(str(self.gateway)).signing
        return SpurtWriter(claim, self._grant.key, self._grant.epoch, signing, next(self._numbers))

    def publish(self, packet: bytes) -> None:
        self._broker.take_voice(self.topic, packet)
