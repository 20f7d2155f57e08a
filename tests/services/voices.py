"""Voice for tests: what a radio hears, and what comes from another gateway."""

from collections.abc import Sequence
from dataclasses import replace

from radiobridge.media.level import level_dbfs
from radiobridge.media.opus import OpusDecoder, OpusEncoder
from radiobridge.media.tone import Tone, silence
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim, PcmFrame, TalkClass, VoicePacket

RATE = 8000
WINDSOR, SARNIA = parse_gateway("ca.opp/windsor"), parse_gateway("ca.opp/sarnia")
DETROIT = parse_gateway("us.cbp/detroit")
TAC1, TAC2 = parse_talkgroup("ca.opp/TAC1"), parse_talkgroup("ca.opp/TAC2")
BORDER = parse_talkgroup("us.cbp/BORDER")
CLAIM = Claim(DETROIT, BORDER, 1_800_000_000_000, TalkClass.NORMAL, 0)

LOUD_DBFS = -30.0
"""Between a spoken frame (−20 dBFS here) and one that is not."""


def claim(start_ms: int = 0, talk_class: TalkClass = TalkClass.NORMAL, priority: int = 0) -> Claim:
    """Return a claim of detroit that starts `start_ms` after the usual one."""
    return replace(
        CLAIM, start_ms=CLAIM.start_ms + start_ms, talk_class=talk_class, priority=priority
    )


def speech(count: int, *, rate: int = RATE, level_dbfs: float = -20.0) -> list[PcmFrame]:
    """Return `count` frames of somebody speaking: a tone without a step in phase."""
    tone = Tone(rate, level_dbfs=level_dbfs)
    return [tone.frame() for _ in range(count)]


def encoded(frames: Sequence[PcmFrame], *, rate: int = RATE) -> list[bytes]:
    encoder = OpusEncoder(rate)
    return [encoder.encode(frame) for frame in frames]


def spurt(
    count: int, *, of: Claim = CLAIM, first: int = 0, end: bool = True, quiet: int = 0
) -> list[VoicePacket]:
    """Return the packets of a whole spurt as reception hands them over; the last one ends it.

    `quiet`: how many frames at the start are silent. `first`: index of the first frame.
    """
    frames = [silence(RATE) for _ in range(quiet)] + speech(count - quiet)
    payloads = encoded(frames)
    return [
        VoicePacket(
            of, 1, i, (first + i) * FRAME_MEDIA_TIME, opus, end and i == count - 1, proven=True
        )
        for i, opus in enumerate(payloads)
    ]


def decoded(payloads: Sequence[bytes], *, rate: int = RATE) -> list[PcmFrame]:
    decoder = OpusDecoder(rate)
    return [decoder.decode(payload) for payload in payloads]


def loud(frames: Sequence[PcmFrame]) -> list[bool]:
    """Tell of each frame whether somebody speaks in it."""
    return [level_dbfs(frame) > LOUD_DBFS for frame in frames]
