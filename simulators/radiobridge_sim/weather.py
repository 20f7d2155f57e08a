"""What a network does to bytes on their way: when they leave it, as a function of seed and time.

Pure. The same seed gives the same weather at the same time after the network's zero, however TCP
cuts the stream into pieces, so a run that went wrong can be had again.
"""

import random
from dataclasses import dataclass
from math import inf

SLOT_S = 0.02
"""Chance is drawn anew for each slot of this length: one voice packet of a talker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What one direction suffers; times in s. Nothing is lost or changes places: it is TCP."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Up to this much more, drawn for each slot."""
    loss: float = 0.0
    """Share of slots (0 to 1) in which a segment is lost: it comes `repeat_s` after the slot began,
    and with it all that came meanwhile."""
    repeat_s: float = 0.2
    """How long TCP takes to repeat what was lost; 0.2 s is the least that Linux waits."""
    stall_every_s: float = 0.0
    """Each time so much has passed, nothing passes for `stall_s`, then all at once; 0: never."""
    stall_s: float = 0.0
    bytes_per_s: float = inf
    accept_s: float = 0.0
    """How long a new connection waits until anything of it is carried."""


CLEAR = Impairment()


class Lane:
    """One direction of one connection."""

    __slots__ = ("_free_at", "_key", "impairment")

    def __init__(self, impairment: Impairment, key: str) -> None:
        """`key` names the seed and the direction: lanes of one key have the same weather."""
        self.impairment = impairment
        self._key = key
        self._free_at = 0.0

    def leaves_at(self, size: int, now: float) -> float:
        """Return when `size` bytes that come at `now` (s since the network's zero) have left.

        Never before what came earlier.
        """
        it = self.impairment
        at = now + it.delay_s
        if it.jitter_s or it.loss:
            at = self._by_chance(at, now)
        if it.stall_every_s:
            at = _after_stall(at, it)
        at = max(at, self._free_at) + size / it.bytes_per_s
        self._free_at = at
        return at

    def queue_s(self, now: float) -> float:
        """Return how long what comes at `now` would wait for the bytes before it."""
        it = self.impairment
        if it.bytes_per_s == inf:
            return 0.0
        return max(0.0, self._free_at - now - it.delay_s - it.jitter_s)

    def _by_chance(self, at: float, now: float) -> float:
        it, slot = self.impairment, int(now / SLOT_S)
        draw = random.Random(f"{self._key}/{slot}")
        at += it.jitter_s * draw.random()
        if draw.random() < it.loss:
            at = max(at, slot * SLOT_S + it.repeat_s + it.delay_s)
        return at


def _after_stall(at: float, it: Impairment) -> float:
    """Return when what would leave at `at` leaves, should the network stall then."""
    number, into = divmod(at, it.stall_every_s)
    if number >= 1.0 and into < it.stall_s:
        return number * it.stall_every_s + it.stall_s
    return at
