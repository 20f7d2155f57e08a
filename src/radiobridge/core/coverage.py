"""Which packets of one KID are proven: what proofs said, and what was taken on credit.

Each listener holds the voice key, so decrypting proves nothing about who spoke. A proof names the
last 20 packets by hash. Rules:

    a packet that a verified proof names            counts if its hash is the named one
    a packet at most 20 CTRs beyond the last proof  counts on credit, until the next proof
    a packet further beyond                         does not count
    a packet at most 20 CTRs beyond one that is named, in a gap that later proofs have left
                                                    counts on credit, 10 at a time
    a packet before all that proofs named           does not count, unless it carries its own
    a proof that contradicts a packet on credit     the spurt is FORGED
    400 ms of voice arrived since the last proof, or 400 ms in the whole spurt were taken on
    credit and lost their proof                     the spurt is UNPROVEN
    a proof that a later one has overtaken          proves what it names all the same

Packets that the network lost count nowhere: a gap alone never drops a spurt.
"""

from enum import Enum

from radiobridge.model.voice import FRAME_MEDIA_TIME
from radiobridge.wire.voice import HASH_SIZE, MAX_HASHES

CREDIT = 20
"""Packets, 400 ms of voice."""

IN_GAP = 10
"""Packets between two proofs that were already overtaken: fewer than would raise an alarm."""

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

    __slots__ = ("_beyond", "_beyond_ctr", "_credit", "_known", "_left", "media_time", "proven")

    def __init__(self, ctr: int, media_time: int, hashes: bytes) -> None:
        self.proven = ctr
        """The highest CTR that a verified proof named."""
        self.media_time = media_time
        """That packet's media time, in 48 kHz samples."""
        self._known = _named(ctr, hashes)
        self._left: dict[int, bytes] = {}
        self._credit: dict[int, bytes] = {}
        self._beyond = 0
        self._beyond_ctr = -1

    @property
    def on_credit(self) -> int:
        """Return how many packets wait for their proof."""
        return len(self._credit)

    @property
    def unproven(self) -> int:
        """Return how many packets were taken on credit, and left behind by proofs of later ones."""
        return len(self._left)

    @property
    def exceeded(self) -> bool:
        """Tell whether 400 ms of voice arrived without a proof, in a row or in all."""
        return len(self._credit) + self._beyond > CREDIT or len(self._left) > CREDIT

    def standing(self, ctr: int, digest: bytes) -> Standing:
        """Say what may be done with a packet that carries no new proof."""
        if ctr > self.proven:
            return Standing.CREDIT if ctr <= self.proven + CREDIT else Standing.BEYOND
        known = self._known.get(ctr)
        if known is None:
            return Standing.CREDIT if self._in_gap(ctr) else Standing.UNPROVABLE
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
        elif ctr not in self._known:
            self._left[ctr] = digest

    def beyond(self, ctr: int) -> None:
        """Note an authentic packet too far ahead; copies of it count once."""
        if ctr > self._beyond_ctr:
            self._beyond_ctr = ctr
            self._beyond += 1

    def prove(self, ctr: int, media_time: int, hashes: bytes) -> bool:
        """Take a verified proof beyond the last one; False when it contradicts what was taken."""
        named = _named(ctr, hashes)
        for number, digest in named.items():
            taken = self._credit.pop(number, None) or self._left.pop(number, None)
            taken = taken or self._known.get(number)
            if taken is not None and taken != digest:
                return False
        for number in [number for number in self._credit if number < ctr]:
            self._left[number] = self._credit.pop(number)
        self.proven, self.media_time = ctr, media_time
        self._beyond, self._beyond_ctr = 0, -1
        self._remember(named)
        return True

    def wants_older(self, ctr: int) -> bool:
        """Tell whether the proof of that packet, overtaken by a later one, would still help."""
        if ctr not in self._known and ctr > self.proven - _REMEMBERED:
            return True
        return any(ctr - MAX_HASHES < number <= ctr for number in self._left)

    def prove_older(self, ctr: int, hashes: bytes) -> bool:
        """Take a verified proof that a later one has overtaken; False when it contradicts."""
        named = _named(ctr, hashes)
        if any(self._left.pop(number, digest) != digest for number, digest in named.items()):
            return False
        if ctr > self.proven - _REMEMBERED:
            self._known = named | self._known
        return True

    def _in_gap(self, ctr: int) -> bool:
        """Tell whether a packet lies between proofs, where one that is overtaken may name it."""
        if len(self._left) >= IN_GAP:
            return False
        return any(number in self._known for number in range(ctr - CREDIT, ctr))

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
