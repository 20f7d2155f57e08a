"""Voice on its way: frames, claims to the floor, what one packet says."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from radiobridge.model.ids import GatewayId, TalkgroupId

FRAME_S = 0.02
"""One voice frame: 20 ms, everywhere."""

FRAME_MEDIA_TIME = 960
"""One frame in 48 kHz samples, the unit of media time (RFC 7587)."""

MEDIA_RATE = 48_000

RADIO_RATES = (8_000, 16_000, 48_000)
"""Sample rates in Hz that a radio's audio may have."""

PcmFrame: TypeAlias = NDArray[np.int16]
"""20 ms of mono PCM at a radio's rate: shape (rate // 50,), int16."""

MAX_PRIORITY = 15


class TalkClass(IntEnum):
    """Why somebody talks; the higher class always wins (3GPP TS 22.179)."""

    NORMAL = 0
    IMMINENT_PERIL = 1
    EMERGENCY = 2


@dataclass(frozen=True, slots=True)
class Claim:
    """One spurt's claim to the floor; every voice packet carries it.

    `start_ms` is bridge time in ms. `(sender, talkgroup, start_ms)` names the spurt, also across a
    change of key.
    """

    sender: GatewayId
    talkgroup: TalkgroupId
    start_ms: int
    talk_class: TalkClass
    priority: int

    def beats(self, other: "Claim") -> bool:
        """Tell whether this claim is strictly higher in rank: only then it cuts off a live one."""
        return (self.talk_class, self.priority) > (other.talk_class, other.priority)

    @property
    def order(self) -> tuple[int, int, int, str, str]:
        """Sort key, best first: class, priority, earlier start; names only break exact ties."""
        return (
            -int(self.talk_class),
            -self.priority,
            self.start_ms,
            str(self.sender),
            str(self.talkgroup),
        )


class VoicePacket(NamedTuple):
    """One received, decrypted, authenticated and not repeated voice packet."""

    claim: Claim
    kid: int
    """64 bits: epoch and 48 random bits."""
    ctr: int
    """SFrame CTR: packet index in this KID, from 0."""
    media_time: int
    """Position of the first sample in the spurt, in 48 kHz samples."""
    opus: bytes
    end: bool
    proven: bool
    """A proof of the sending gateway has covered this spurt within the last 400 ms."""
