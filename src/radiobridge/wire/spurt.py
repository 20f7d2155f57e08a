"""The sending side of one spurt under one key: Opus packets in, voice packets out.

Rules. CTR counts packets from 0 and a KID is used by one writer only, so no nonce repeats. The
claim never changes. Packet 0, every 10th and the end packet carry a proof of the last 20 packets.
When the key changes in mid-spurt, a new writer with the same claim goes on (new KID, CTR from 0);
`prove=True` on the last packet before it leaves nothing of the old KID unproven.
"""

from collections import deque

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from radiobridge.errors import LocalProtocolError
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim
from radiobridge.wire.sframe import SFrameKey
from radiobridge.wire.voice import (
    MAX_HASHES,
    MAX_OPUS,
    PROOF_INTERVAL,
    VoiceHeader,
    derive_base_key,
    pack_proof,
    pack_voice_header,
    packet_hash,
    proof_message,
    proof_scope,
)

__all__ = ["SpurtWriter", "derive_base_key", "make_kid"]

_RANDOM_BITS = 48
_MAX_EPOCH = (1 << 16) - 1


def make_kid(epoch: int, kid_random: int) -> int:
    """Return the KID of a spurt: 16 bits of epoch, then 48 random bits."""
    if not (0 <= epoch <= _MAX_EPOCH and 0 <= kid_random < 1 << _RANDOM_BITS):
        raise LocalProtocolError("the epoch has 16 bits, the random part 48")
    return epoch << _RANDOM_BITS | kid_random


def epoch_of(kid: int) -> int:
    """Return the epoch in a KID."""
    return kid >> _RANDOM_BITS


class SpurtWriter:
    """Writes the voice packets of one KID. Shows no key material in its repr.

    `sender_key` is the sender's key of `epoch` for this talkgroup, `kid_random` 48 fresh random
    bits.
    """

    __slots__ = (
        "_ctr",
        "_ended",
        "_hashes",
        "_key",
        "_media_time",
        "_scope",
        "_signer",
        "claim",
        "kid",
    )

    def __init__(
        self,
        claim: Claim,
        sender_key: bytes,
        epoch: int,
        signer: Ed25519PrivateKey,
        kid_random: int,
    ) -> None:
        self.claim = claim
        self.kid = make_kid(epoch, kid_random)
        self._key = SFrameKey(derive_base_key(sender_key, claim, self.kid), self.kid)
        self._signer = signer
        self._scope = proof_scope(claim.sender, claim.talkgroup)
        self._hashes: deque[bytes] = deque(maxlen=MAX_HASHES)
        self._ctr = 0
        self._media_time = -FRAME_MEDIA_TIME
        self._ended = False

    def __repr__(self) -> str:
        return f"SpurtWriter(claim={self.claim!r}, kid={self.kid:#x}, packets={self._ctr})"

    def packet(
        self, opus: bytes, media_time: int, *, end: bool = False, prove: bool = False
    ) -> bytes:
        """Return the next packet: one Opus frame of 20 ms at `media_time` (48 kHz samples).

        Media time goes up by at least one frame. Raises LocalProtocolError after the end, and for
        what no receiver would take; then nothing was used up.
        """
        self._check(opus, media_time)
        ctr = self._ctr
        proof = end or prove or ctr % PROOF_INTERVAL == 0
        claim = self.claim
        header = pack_voice_header(
            VoiceHeader(end, proof, claim.talk_class, claim.priority, claim.start_ms, media_time)
        )
        self._ctr = ctr + 1
        self._media_time = media_time
        self._ended = end
        sframe = self._key.encrypt(ctr, opus, header)
        self._hashes.append(packet_hash(header, sframe))
        return header + sframe + self._proof(ctr) if proof else header + sframe

    def _check(self, opus: bytes, media_time: int) -> None:
        if self._ended:
            raise LocalProtocolError("the spurt has ended")
        if not 1 <= len(opus) <= MAX_OPUS:
            raise LocalProtocolError("an Opus packet has 1 to 1275 bytes")
        if media_time < self._media_time + FRAME_MEDIA_TIME:
            raise LocalProtocolError("media time goes up by at least one frame of 20 ms")

    def _proof(self, ctr: int) -> bytes:
        hashes = b"".join(self._hashes)
        signature = self._signer.sign(proof_message(self._scope, self.kid, ctr, hashes))
        return pack_proof(hashes, signature)
