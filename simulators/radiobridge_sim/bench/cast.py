"""Who speaks and who listens in the measurements, and what is said."""

from collections.abc import Sequence
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from radiobridge.media.opus import OpusEncoder
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim, PcmFrame, TalkClass
from radiobridge.wire.spurt import SpurtWriter
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.sound import FRAME, RATE

WINDSOR, DETROIT = parse_gateway("ca.opp/windsor"), parse_gateway("us.cbp/detroit")
TAC1, BORDER = parse_talkgroup("ca.opp/TAC1"), parse_talkgroup("us.cbp/BORDER")
EPOCH = 1
KEY = bytes(range(32))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
PHRASE = "position-en"

FRESH_FRAMES = 45
"""Frames of a spurt that can be sent at once and still be fresh at the receiver."""


def claim_at(start_ms: int, *, by_detroit: bool = True) -> Claim:
    """Return the claim of a spurt that starts at `start_ms` of bridge time."""
    sender, talkgroup = (DETROIT, BORDER) if by_detroit else (WINDSOR, TAC1)
    return Claim(sender, talkgroup, start_ms, TalkClass.NORMAL, 0)


@cache
def speech() -> tuple[PcmFrame, ...]:
    """Return frames of recorded speech at 8 kHz; nobody writes into them."""
    samples = load_phrases()[PHRASE].samples()
    frames = tuple(samples[i : i + FRAME] for i in range(0, len(samples) - FRAME, FRAME))
    for frame in frames:
        frame.flags.writeable = False
    return frames


@cache
def coded_speech() -> tuple[bytes, ...]:
    """Return the same as Opus packets of 20 ms."""
    encoder = OpusEncoder(RATE)
    return tuple(encoder.encode(frame) for frame in speech())


def packets(
    start_ms: int, kid_random: int, count: int = FRESH_FRAMES, *, by_detroit: bool = True
) -> Sequence[bytes]:
    """Return the voice packets of one spurt; the last one ends it."""
    claim = claim_at(start_ms, by_detroit=by_detroit)
    writer = SpurtWriter(claim, KEY, EPOCH, SIGNER, kid_random)
    coded = coded_speech()
    return [
        writer.packet(coded[n % len(coded)], n * FRAME_MEDIA_TIME, end=n == count - 1)
        for n in range(count)
    ]
