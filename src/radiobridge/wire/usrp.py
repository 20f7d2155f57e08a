"""USRP over UDP: voice and key of an AllStarLink node (chan_usrp) or a DVSwitch program.

One packet is a header of 32 bytes, then nothing or the payload. Words are big-endian except
`type`, which peers write in the order of their machine; both are read. Voice is 160 samples of
s16le at 8 kHz, 352 bytes with the header. AllStarLink takes *every* packet of 352 bytes as keyed,
whatever it says, and releases 80 ms after the last; so unkeyed means: header only, `keyup` 0.
There is no authentication.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

from radiobridge.errors import LocalProtocolError, RemoteProtocolError

RATE = 8000
FRAME_BYTES = 320
"""20 ms of s16le at 8 kHz."""
HEADER_BYTES = 32
VOICE_BYTES = HEADER_BYTES + FRAME_BYTES
MAX_PACKET = 2048
SILENCE = bytes(FRAME_BYTES)

_MAGIC = b"USRP"
_BIG = struct.Struct(">4sIIII")
_LITTLE = struct.Struct("<I")
_TAIL = struct.Struct(">II")
_TYPE_AT = _BIG.size
_HIGHEST_TYPE = 0xFF


class UsrpType(IntEnum):
    """What a packet carries; other numbers exist."""

    VOICE = 0
    DTMF = 1
    TEXT = 2
    PING = 3
    TLV = 4


class UsrpPacket(NamedTuple):
    """One packet."""

    seq: int
    keyed: bool
    talkgroup: int
    type: int
    payload: bytes
    """Voice: 20 ms of s16le, or nothing."""


def encode(packet: UsrpPacket) -> bytes:
    """Return the bytes of a packet; raise LocalProtocolError for voice of another length."""
    if packet.type == UsrpType.VOICE and len(packet.payload) not in (0, FRAME_BYTES):
        raise LocalProtocolError(f"USRP voice of {len(packet.payload)} bytes")
    head = _BIG.pack(_MAGIC, packet.seq & 0xFFFFFFFF, 0, int(packet.keyed), packet.talkgroup)
    return head + _LITTLE.pack(packet.type) + _TAIL.pack(0, 0) + packet.payload


def decode(raw: bytes) -> UsrpPacket:
    """Return the packet in `raw`; raise RemoteProtocolError."""
    if not HEADER_BYTES <= len(raw) <= MAX_PACKET:
        raise RemoteProtocolError("usrp-length", f"{len(raw)} bytes")
    magic, seq, _, keyup, talkgroup = _BIG.unpack_from(raw)
    if magic != _MAGIC:
        raise RemoteProtocolError("usrp-magic")
    kind = _LITTLE.unpack_from(raw, _TYPE_AT)[0]
    if kind > _HIGHEST_TYPE:
        kind = int.from_bytes(raw[_TYPE_AT : _TYPE_AT + 4], "big")
    if kind > _HIGHEST_TYPE:
        raise RemoteProtocolError("usrp-type", f"{kind}")
    if kind == UsrpType.VOICE and len(raw) not in (HEADER_BYTES, VOICE_BYTES):
        raise RemoteProtocolError("usrp-length", f"voice of {len(raw)} bytes")
    return UsrpPacket(seq, keyup != 0, talkgroup, kind, raw[HEADER_BYTES:])


def voice(seq: int, samples: bytes) -> bytes:
    """Return a keyed packet with 20 ms of s16le."""
    return encode(UsrpPacket(seq, keyed=True, talkgroup=0, type=UsrpType.VOICE, payload=samples))


def key_only(seq: int, *, keyed: bool) -> bytes:
    """Return a packet without voice that says whether we are keyed."""
    return encode(UsrpPacket(seq, keyed=keyed, talkgroup=0, type=UsrpType.VOICE, payload=b""))
