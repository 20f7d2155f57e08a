"""Which packets of one KID are proven: what proofs said, and what was taken on credit.

Each listener holds the voice key, so decrypting proves nothing about who spoke. A proof names the
last 20 packets by hash. Rules:

    a packet that a verified proof names            counts if its hash is the named one
    a packet at most 20 CTRs beyond the last proof  counts on credit, until the next proof
    a packet further beyond                         does not count
    a packet before all that proofs named           does not count
    a proof that contradicts a packet on credit     the spurt is FORGED
    400 ms of voice arrived since the last proof, or 400 ms in the whole spurt were taken on
    credit and lost their proof                     the spurt is UNPROVEN

Packets that the network lost count nowhere: a gap alone never drops a spurt.
"""

from enum import Enum

from radiobridge.model.voice import FRAME_MEDIA_TIME
from radiobridge.wire.voice import HASH_SIZE

CREDIT = 20
"""Packets, 400 ms of voice."""

_REMEMBERED = 64
"""Proven hashes are kept for this many CTRs, for packets that another broker delivers later."""


class Standing(Enum):
    """What may be done with a packet."""

    PROVEN = "proven"
    CREDIT = "credit"
    BEYOND = "beyond"
    """Too far ahead of the last proof."""
    UNPROVABLE = "unprovable"
    """Before all that proofs named."""
    CONTRADICTED = "contradicted"
    """A proof names another packet with this CTR."""


class Coverage:
    """The proofs of one KID so far; made from its first verified one."""

    __slots__ = ("_beyond", "_beyond_ctr", "_credit", "_known", "media_time", "proven", "unproven")

    def __init__(self, ctr: int, media_time: int, hashes: bytes) -> None:
        self.proven = ctr
        """The highest CTR that a verified proof named."""
        self.media_time = media_time
        """That packet's media time, in 48 kHz samples."""
        self.unproven = 0
        """Packets taken on credit whose proof never came."""
        self._known = _named(ctr, hashes)
        self._credit: dict[int, bytes] = {}
        self._beyond = 0
        self._beyond_ctr = -1

    @property
    def on_credit(self) -> int:
        """Return how many packets wait for their proof."""
        return len(self._credit)

    @property
    def exceeded(self) -> bool:
        """Tell whether 400 ms of voice arrived without a proof, in a row or in all."""
        return len(self._credit) + self._beyond > CREDIT or self.unproven > CREDIT

    def standing(self, ctr: int, digest: bytes) -> Standing:
        """Say what may be done with a packet that carries no new proof."""
        if ctr > self.proven:
            return Standing.CREDIT if ctr <= self.proven + CREDIT else Standing.BEYOND
        known = self._known.get(ctr)
        if known is None:
            return Standing.UNPROVABLE
        return Standing.PROVEN if known == digest else Standing.CONTRADICTED

    def in_step(self, ctr: int, media_time: int) -> bool:
        """Tell whether media time went on by at least one frame for each packet since the proof."""
        return media_time - self.media_time >= (ctr - self.proven) * FRAME_MEDIA_TIME

    def disputed(self, ctr: int, digest: bytes) -> bool:
        """Tell whether another packet with this CTR was taken on credit: one of them is forged."""
        return self._credit.get(ctr, digest) != digest

    def take(self, ctr: int, digest: bytes) -> None:
        """Note a packet that counts."""
        if ctr > self.proven:
            self._credit[ctr] = digest

    def beyond(self, ctr: int) -> None:
        """Note an authentic packet too far ahead; copies of it count once."""
        if ctr > self._beyond_ctr:
            self._beyond_ctr = ctr
            self._beyond += 1

    def prove(self, ctr: int, media_time: int, hashes: bytes) -> bool:
        """Take a verified proof beyond the last one; False when it contradicts what was taken."""
        named = _named(ctr, hashes)
        for number, digest in named.items():
            taken = self._credit.pop(number, None) or self._known.get(number)
            if taken is not None and taken != digest:
                return False
        before = [number for number in self._credit if number < ctr]
        for number in before:
            del self._credit[number]
        self.unproven += len(before)
        self.proven, self.media_time = ctr, media_time
        self._beyond, self._beyond_ctr = 0, -1
        self._remember(named)
        return True

    def _remember(self, named: dict[int, bytes]) -> None:
        self._known.update(named)
        if len(self._known) > 2 * _REMEMBERED:
            oldest = self.proven - _REMEMBERED
            self._known = {n: digest for n, digest in self._known.items() if n > oldest}


def _named(ctr: int, hashes: bytes) -> dict[int, bytes]:
    """Return CTR -> hash for a proof in the packet `ctr`."""
    first = ctr + 1 - len(hashes) // HASH_SIZE
    return {
        first + i: hashes[i * HASH_SIZE : (i + 1) * HASH_SIZE]
        for i in range(len(hashes) // HASH_SIZE)
    }
