"""The voice packet: header, SFrame, proof. Source: docs/protocol.md, voice packet and proofs.

    0      version (high nibble, 1) and flags (bit 0 end of spurt, bit 1 proof present)
    1      class (high nibble) and priority (low nibble)
    2..7   start of the spurt, ms of the sender's bridge time since 1970, big-endian
    8..11  media time: first sample of this packet, 48 kHz samples since the start, big-endian
    12..   SFrame over one Opus packet; bytes 0..11 are its metadata
    proof  only where flagged, found from the end: n times 8 bytes of hash, 64 bytes Ed25519
           signature, one byte n

What is parsed here is not yet authenticated. Parse, or RemoteProtocolError, nothing else.
"""

import hashlib
from struct import Struct
from typing import NamedTuple

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.model.ids import GatewayId, TalkgroupId
from radiobridge.model.voice import MAX_PRIORITY, Claim, TalkClass
from radiobridge.wire.sframe import TAG, SFrameHeader, derive, parse_header

VERSION = 1
MAX_PACKET = 2048
"""Bytes of a voice packet, at most."""
MAX_OPUS = 1275
"""Bytes of an Opus packet with one frame, at most (RFC 6716, section 3.2.1)."""
HEADER_SIZE = 12
HASH_SIZE = 8
SIGNATURE_SIZE = 64
MAX_HASHES = 20
"""Hashes in one proof: two intervals, so that the loss of one proof is healed by the next."""
PROOF_INTERVAL = 10
"""Every CTR that is a multiple of this carries a proof."""

_END = 0x01
_PROOF = 0x02
_FLAGS = _END | _PROOF
_LAYOUT = Struct(">BBHII")
_MAX_START_MS = (1 << 48) - 1
_MAX_MEDIA_TIME = (1 << 32) - 1
_CLASSES = {int(talk_class): talk_class for talk_class in TalkClass}
_PROOF_TAG = b"radiobridge 1 voice proof\x00"
_KEY_TAG = b"radiobridge 1 voice base key\x00"
_BASE_KEY_SIZE = 32


class VoiceHeader(NamedTuple):
    """The fixed header. `start_ms` is bridge time in ms, `media_time` 48 kHz samples."""

    end: bool
    proof: bool
    talk_class: TalkClass
    priority: int
    start_ms: int
    media_time: int


class VoiceFrame(NamedTuple):
    """One packet taken apart, nothing of it authenticated."""

    header: VoiceHeader
    metadata: bytes
    """The header's bytes."""
    sframe_header: SFrameHeader
    sframe: bytes
    hashes: bytes
    """n times 8 bytes for the CTRs up to and including this packet's; empty without a proof."""
    signature: bytes

    @property
    def digest(self) -> bytes:
        """Return the hash by which a proof names this packet."""
        return packet_hash(self.metadata, self.sframe)


def pack_voice_header(header: VoiceHeader) -> bytes:
    """Return the 12 bytes; raises LocalProtocolError for what has no place in them."""
    if header.end and not header.proof:
        raise LocalProtocolError("an end of spurt always carries a proof")
    if not (0 <= header.priority <= MAX_PRIORITY and 0 <= header.start_ms <= _MAX_START_MS):
        raise LocalProtocolError("priority is 0 to 15, the start 48 bits of ms")
    if not 0 <= header.media_time <= _MAX_MEDIA_TIME:
        raise LocalProtocolError("media time is 32 bits of 48 kHz samples")
    flags = (_END if header.end else 0) | (_PROOF if header.proof else 0)
    return _LAYOUT.pack(
        VERSION << 4 | flags,
        header.talk_class << 4 | header.priority,
        header.start_ms >> 32,
        header.start_ms & 0xFFFF_FFFF,
        header.media_time,
    )


def parse_voice_header(payload: bytes) -> VoiceHeader:
    """Read the first 12 bytes; raise RemoteProtocolError."""
    if len(payload) < HEADER_SIZE:
        raise RemoteProtocolError("bad-length", "no header")
    first, rank, start_high, start_low, media_time = _LAYOUT.unpack_from(payload)
    if first >> 4 != VERSION:
        raise RemoteProtocolError("bad-version", str(first >> 4))
    flags = first & 0x0F
    if flags & ~_FLAGS or flags == _END:
        raise RemoteProtocolError("bad-flags", f"{flags:#x}")
    talk_class = _CLASSES.get(rank >> 4)
    if talk_class is None:
        raise RemoteProtocolError("bad-class", str(rank >> 4))
    return VoiceHeader(
        bool(flags & _END),
        bool(flags & _PROOF),
        talk_class,
        rank & 0x0F,
        start_high << 32 | start_low,
        media_time,
    )


def parse_voice(payload: bytes) -> VoiceFrame:
    """Take a packet apart; raise RemoteProtocolError. Authenticates nothing."""
    if len(payload) > MAX_PACKET:
        raise RemoteProtocolError("bad-length", str(len(payload)))
    header = parse_voice_header(payload)
    sframe, hashes, signature = payload[HEADER_SIZE:], b"", b""
    if header.proof:
        sframe, hashes, signature = _split_proof(sframe)
    sframe_header = parse_header(sframe)
    if not 1 <= len(sframe) - sframe_header.size - TAG <= MAX_OPUS:
        raise RemoteProtocolError("bad-length", "no Opus packet")
    if len(hashes) > HASH_SIZE * (sframe_header.ctr + 1):
        raise RemoteProtocolError("bad-proof", "covers packets before the first")
    return VoiceFrame(header, payload[:HEADER_SIZE], sframe_header, sframe, hashes, signature)


def pack_proof(hashes: bytes, signature: bytes) -> bytes:
    """Return the proof as it stands at the end of a packet."""
    count = _count(hashes)
    if len(signature) != SIGNATURE_SIZE:
        raise LocalProtocolError("an Ed25519 signature has 64 bytes")
    return hashes + signature + bytes((count,))


def packet_hash(metadata: bytes, sframe: bytes) -> bytes:
    """Return the first 8 bytes of SHA-256 over header and SFrame, without the proof."""
    return hashlib.sha256(metadata + sframe).digest()[:HASH_SIZE]


def proof_scope(sender: GatewayId, talkgroup: TalkgroupId) -> bytes:
    """Return the part of a signed proof that is the same for a whole voice topic."""
    return _PROOF_TAG + _names(sender, talkgroup)


def proof_message(scope: bytes, kid: int, ctr: int, hashes: bytes) -> bytes:
    """Return what a proof's signature is made over."""
    return scope + kid.to_bytes(8, "big") + ctr.to_bytes(8, "big") + hashes


def derive_base_key(sender_key: bytes, claim: Claim, kid: int) -> bytes:
    """Return the SFrame base key of one KID: HKDF-SHA-512 over the sender's key of that epoch.

    Sender, talkgroup, start and KID go in, so nothing opens under another topic, spurt or epoch.
    """
    scope = _KEY_TAG + _names(claim.sender, claim.talkgroup)
    return base_key_for(sender_key, scope, claim.start_ms, kid)


def key_scope(sender: GatewayId, talkgroup: TalkgroupId) -> bytes:
    """Return the part of a base key's info that is the same for a whole voice topic."""
    return _KEY_TAG + _names(sender, talkgroup)


def base_key_for(sender_key: bytes, scope: bytes, start_ms: int, kid: int) -> bytes:
    """Return the base key for `key_scope`, the start of the spurt and the KID."""
    info = scope + start_ms.to_bytes(8, "big") + kid.to_bytes(8, "big")
    return derive(sender_key, info, _BASE_KEY_SIZE, "sha512")


def _split_proof(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Cut SFrame, hashes and signature apart, from the end."""
    count = body[-1] if body else 0
    if not 1 <= count <= MAX_HASHES:
        raise RemoteProtocolError("bad-proof", f"{count} hashes")
    signature_at = len(body) - 1 - SIGNATURE_SIZE
    hashes_at = signature_at - count * HASH_SIZE
    if hashes_at < 0:
        raise RemoteProtocolError("bad-length", "proof cut short")
    return body[:hashes_at], body[hashes_at:signature_at], body[signature_at:-1]


def _count(hashes: bytes) -> int:
    count, rest = divmod(len(hashes), HASH_SIZE)
    if rest or not 1 <= count <= MAX_HASHES:
        raise LocalProtocolError("a proof holds 1 to 20 hashes of 8 bytes")
    return count


def _names(sender: GatewayId, talkgroup: TalkgroupId) -> bytes:
    """Return agency, gateway, talkgroup's agency and name, each after one byte of length."""
    ids = (sender.agency, sender.name, talkgroup.agency, talkgroup.name)
    return b"".join(bytes((len(name),)) + name.encode("ascii") for name in ids)
