"""A sender, a listener who turns forger, and a receiver: the people of the reception tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from radiobridge.core.reception import ReceptionSettings, SpurtLoss, TopicReception
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.voice import Claim, TalkClass, VoicePacket
from radiobridge.wire.sframe import SFrameKey
from radiobridge.wire.spurt import SpurtWriter
from radiobridge.wire.voice import (
    VoiceHeader,
    derive_base_key,
    pack_proof,
    pack_voice_header,
    packet_hash,
    proof_message,
    proof_scope,
)

WINDSOR = parse_gateway("ca.opp/windsor")
TAC1 = parse_talkgroup("ca.opp/TAC1")
T0 = 1_760_000_000_000
CLAIM = Claim(WINDSOR, TAC1, T0, TalkClass.NORMAL, 3)
EPOCH = 7
KEYS = {EPOCH: b"a" * 32, EPOCH + 1: b"b" * 32}
SIGNER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
FORGER = Ed25519PrivateKey.from_private_bytes(b"f" * 32)


def claim_at(start_ms: int) -> Claim:
    return replace(CLAIM, start_ms=start_ms)


def writer(claim: Claim = CLAIM, *, kid_random: int = 1, epoch: int = EPOCH) -> SpurtWriter:
    return SpurtWriter(claim, KEYS[epoch], epoch, SIGNER, kid_random)


def spurt(
    count: int, *, claim: Claim = CLAIM, kid_random: int = 1, epoch: int = EPOCH, first: int = 0
) -> list[bytes]:
    """All packets of one KID; the frames are numbered from `first`, the last one has the end."""
    source = writer(claim, kid_random=kid_random, epoch=epoch)
    frames = range(first, first + count)
    return [source.packet(opus(i), 960 * i, end=i == frames[-1]) for i in frames]


def opus(index: int) -> bytes:
    """What stands for the Opus packet of this 20 ms."""
    return b"frame %d" % index


@dataclass(kw_only=True)
class Forgery:
    """A packet as somebody makes it who holds the sender's key, but not its signing key."""

    ctr: int
    media_time: int
    claim: Claim = CLAIM
    kid: int = EPOCH << 48 | 1
    sender_key: bytes = KEYS[EPOCH]
    signer: Ed25519PrivateKey = FORGER
    end: bool = False
    proof: bool = False
    before: bytes = b""
    """Hashes in the proof before this packet's own."""

    def packet(self) -> bytes:
        claim = self.claim
        header = pack_voice_header(
            VoiceHeader(
                self.end,
                self.proof,
                claim.talk_class,
                claim.priority,
                claim.start_ms,
                self.media_time,
            )
        )
        key = SFrameKey(derive_base_key(self.sender_key, claim, self.kid), self.kid)
        sframe = key.encrypt(self.ctr, b"forged", header)
        if not self.proof:
            return header + sframe
        hashes = self.before + packet_hash(header, sframe)
        message = proof_message(
            proof_scope(claim.sender, claim.talkgroup), self.kid, self.ctr, hashes
        )
        return header + sframe + pack_proof(hashes, self.signer.sign(message))


def forge(ctr: int, **changes: Any) -> bytes:
    """Forge the packet with this CTR of the spurt that `spurt()` makes."""
    fields: dict[str, Any] = {"ctr": ctr, "media_time": 960 * ctr}
    return Forgery(**fields | changes).packet()


@dataclass(kw_only=True)
class Listener:
    """A receiver whose clock is moved by hand; bridge time and monotonic time go alike."""

    now: float = 100.0
    settings: ReceptionSettings = field(default_factory=ReceptionSettings)
    reception: TopicReception = field(init=False)
    keys: dict[int, bytes] = field(default_factory=lambda: dict(KEYS))
    losses: list[SpurtLoss] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reception = TopicReception(WINDSOR, TAC1, self.settings)

    def hear(self, payload: bytes, link: str = "b0") -> VoicePacket | None:
        bridge_ms = T0 + round((self.now - 100.0) * 1000)
        packet = self.reception.receive(
            payload, bridge_ms, self.now, self.keys.get, SIGNER.public_key(), link
        )
        self.losses += self.reception.tick(self.now)
        return packet

    def hear_all(self, payloads: Sequence[bytes | None]) -> list[VoicePacket]:
        """Hear one packet every 20 ms, None for a lost one; return what may be played."""
        heard = []
        for payload in payloads:
            packet = self.hear(payload) if payload is not None else None
            if packet is not None:
                heard.append(packet)
            self.wait(0.02)
        return heard

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.losses += self.reception.tick(self.now)

    def count(self, reason: str) -> int:
        return self.reception.counters.get(reason, 0)
