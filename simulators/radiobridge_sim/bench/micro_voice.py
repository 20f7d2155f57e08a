"""Costs of the pure parts: sound, Opus, voice packets, floor, jitter buffer."""

import itertools
import os
from collections.abc import Callable, Sequence
from functools import partial

from radiobridge.core.floor import Floor
from radiobridge.core.jitter import JitterBuffer
from radiobridge.core.reception import TopicReception
from radiobridge.media.level import level_dbfs
from radiobridge.media.limiter import Limiter
from radiobridge.media.opus import OpusDecoder, OpusEncoder
from radiobridge.model.voice import FRAME_MEDIA_TIME, FRAME_S
from radiobridge.text import Text
from radiobridge.wire.spurt import SpurtWriter
from radiobridge.wire.voice import PROOF_INTERVAL
from radiobridge_sim.bench import cast
from radiobridge_sim.bench.stopwatch import Batch, Micro
from radiobridge_sim.sound import RATE

GARBAGE_US = 50.0
"""Issue 2: at most that for a packet that means nothing."""

START_MS = 1_800_000_000_000
LOUD_DB = 12.0
_kids = itertools.count(1)


def micros() -> tuple[Micro, ...]:
    """Return everything that needs neither event loop nor network."""
    return (*_media(), *_wire(), *_garbage(), *_core())


def _media() -> tuple[Micro, ...]:
    return (
        Micro(id="level", name=Text("level of a frame", "niveau d'une trame"), batch=_level),
        Micro(
            id="limiter",
            name=Text("gain and limiter, a frame", "gain et limiteur, une trame"),
            batch=_limiter,
        ),
        Micro(
            id="opus-encode",
            name=Text("Opus encode, 20 ms at 8 kHz", "Opus, codage de 20 ms à 8 kHz"),
            batch=_encode,
        ),
        Micro(
            id="opus-decode",
            name=Text("Opus decode, 20 ms at 8 kHz", "Opus, décodage de 20 ms à 8 kHz"),
            batch=_decode,
        ),
    )


def _level() -> Batch:
    frames = cast.speech()

    def run() -> None:
        for frame in frames:
            level_dbfs(frame)

    return Batch(run, len(frames))


def _limiter() -> Batch:
    limiter = Limiter(RATE, gain_db=LOUD_DB)
    frames = [frame.copy() for frame in cast.speech()]

    def run() -> None:
        for frame in frames:
            limiter.process(frame)

    return Batch(run, len(frames))


def _encode() -> Batch:
    encoder, frames = OpusEncoder(RATE), cast.speech()

    def run() -> None:
        for frame in frames:
            encoder.encode(frame)

    return Batch(run, len(frames))


def _decode() -> Batch:
    decoder, coded = OpusDecoder(RATE), cast.coded_speech()

    def run() -> None:
        for packet in coded:
            decoder.decode(packet)

    return Batch(run, len(coded))


# -- the wire --------------------------------------------------------------------------------


def _wire() -> tuple[Micro, ...]:
    return (
        Micro(
            id="packet",
            name=Text("write a voice packet", "écrire un paquet de voix"),
            batch=lambda: _written(prove=False),
        ),
        Micro(
            id="packet-proof",
            name=Text("write one with a proof", "en écrire un avec preuve"),
            batch=lambda: _written(prove=True),
        ),
        Micro(
            id="receive",
            name=Text("receive a voice packet", "recevoir un paquet de voix"),
            batch=lambda: _received(proofs=False),
        ),
        Micro(
            id="receive-proof",
            name=Text("receive one with a proof", "en recevoir un avec preuve"),
            batch=lambda: _received(proofs=True),
        ),
    )


def _written(*, prove: bool) -> Batch:
    writer = SpurtWriter(cast.claim_at(START_MS), cast.KEY, cast.EPOCH, cast.SIGNER, next(_kids))
    coded = cast.coded_speech()[0]
    # One more before: packet 0 has a proof anyway.
    writer.packet(coded, 0)
    times = [n * FRAME_MEDIA_TIME for n in range(1, PROOF_INTERVAL)]

    def run() -> None:
        for media_time in times:
            writer.packet(coded, media_time, prove=prove)

    return Batch(run, len(times))


def _received(*, proofs: bool) -> Batch:
    """Receive the packets of a spurt that carry a proof, or those between them."""
    receive = _receiver()
    sent = cast.packets(START_MS, next(_kids))
    proven = range(0, len(sent), PROOF_INTERVAL)
    receive(sent[0])
    wanted = [sent[n] for n in proven[1:]] if proofs else list(sent[1:PROOF_INTERVAL])

    def run() -> None:
        for packet in wanted:
            if not receive(packet):
                raise AssertionError("a good packet was refused")

    return Batch(run, len(wanted))


def _receiver() -> Callable[[bytes], bool]:
    """Return a reception that says whether it took the packet."""
    reception = TopicReception(cast.DETROIT, cast.BORDER)
    keys, signer = {cast.EPOCH: cast.KEY}, cast.SIGNER.public_key()

    def receive(packet: bytes) -> bool:
        return reception.receive(packet, START_MS, 0.0, keys.get, signer, "bench") is not None

    return receive


# -- garbage ---------------------------------------------------------------------------------


def _garbage() -> tuple[Micro, ...]:
    kinds: tuple[tuple[str, Text, Callable[[], Sequence[bytes]]], ...] = (
        ("garbage-noise", Text("garbage: noise", "rebut : bruit"), _noise),
        ("garbage-stale", Text("garbage: stale packet", "rebut : paquet périmé"), _stale),
        ("garbage-forged", Text("garbage: forged packet", "rebut : paquet forgé"), _forged),
        ("garbage-spurt", Text("garbage: forged spurt", "rebut : message forgé"), _forged_spurts),
        ("garbage-replay", Text("garbage: replay", "rebut : répétition"), _replayed),
    )
    return tuple(
        Micro(id=id_, name=name, batch=partial(_refused, make), limit_us=GARBAGE_US)
        for id_, name, make in kinds
    )


def _refused(make: Callable[[], Sequence[bytes]]) -> Batch:
    """Give garbage to a reception in which a spurt is live."""
    receive, garbage = _receiver(), make()
    for packet in _live():
        receive(packet)

    def run() -> None:
        for packet in garbage:
            if receive(packet):
                raise AssertionError("garbage was taken")

    return Batch(run, len(garbage))


def _live() -> Sequence[bytes]:
    """Return the beginning of the spurt that is live; always the same one."""
    return cast.packets(START_MS, 0)[: 2 * PROOF_INTERVAL]


def _noise() -> Sequence[bytes]:
    return [os.urandom(20 + n) for n in range(200)]


def _stale() -> Sequence[bytes]:
    return cast.packets(START_MS - 60_000, 0)


def _forged() -> Sequence[bytes]:
    """Return packets that come next in the live spurt, sealed with something else than its key."""
    following = cast.packets(START_MS, 0)[2 * PROOF_INTERVAL + 1 : 3 * PROOF_INTERVAL]
    return [packet[:-1] + bytes([packet[-1] ^ 1]) for packet in following] * 20


def _forged_spurts() -> Sequence[bytes]:
    """Return first packets of new spurts, not sealed with the key: most meet the limit on KIDs."""
    firsts = (cast.packets(START_MS, next(_kids), 2)[0] for _ in range(100))
    return [packet[:40] + bytes([packet[40] ^ 1]) + packet[41:] for packet in firsts]


def _replayed() -> Sequence[bytes]:
    return list(_live()) * 10


# -- decisions -------------------------------------------------------------------------------


def _core() -> tuple[Micro, ...]:
    return (
        Micro(id="floor", name=Text("floor, a packet", "droit de parole, un paquet"), batch=_floor),
        Micro(
            id="jitter",
            name=Text("jitter buffer, put and pull", "tampon de gigue, entrée et sortie"),
            batch=_jitter,
        ),
    )


def _floor() -> Batch:
    floor, claim = Floor(), cast.claim_at(START_MS)
    floor.heard(claim, 0, 0.0)
    times = [n * FRAME_MEDIA_TIME for n in range(1, 500)]

    def run() -> None:
        for n, media_time in enumerate(times):
            floor.heard(claim, media_time, n * FRAME_S)

    return Batch(run, len(times))


def _jitter() -> Batch:
    buffer, payload = JitterBuffer(), cast.coded_speech()[0]
    buffer.begin(0.0)
    count = 500

    def run() -> None:
        for n in range(count):
            buffer.put(n, payload, n * FRAME_S)
            buffer.next_deadline()
            buffer.pull(n * FRAME_S + 0.01)

    return Batch(run, count)
