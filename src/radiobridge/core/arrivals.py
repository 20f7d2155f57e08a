"""How unevenly packets arrive: what the jitter buffer needs to wait for.

Each packet has a transit: its arrival minus its place in the spurt. Sender's and receiver's clocks
differ, so only differences count: the *lateness* of a packet is its transit minus the best transit
of the last one to two and a half seconds. That window also follows drift and a change of route.

Packets that come in one burst are one sample, the latest of them: twenty-five packets behind one
stall of TCP say one thing, not twenty-five. `lateness_s` is the fifth largest of the last 128
samples: a jitter that repeats counts after five packets, a single stall does not, and what is over
is forgotten after 2.5 s of voice. What was learnt stays from spurt to spurt; the path counts as
`known` after 1.3 s of voice.
"""

from math import inf

from radiobridge.model.voice import FRAME_S

_SAMPLES = 128
_RANK = 5
_WINDOW = 64
"""Packets in each half of the window of the best transit."""
_RECKON_EVERY = 8
_KNOWN_AFTER = 64
_BURST_S = 0.004
"""Packets nearer to each other than this were held up together."""


class Arrivals:
    """Statistics of the packets of one path, pure and cheap: two comparisons for each packet."""

    __slots__ = (
        "_at",
        "_best",
        "_best_before",
        "_count",
        "_place",
        "_samples",
        "base",
        "known",
        "lateness_s",
    )

    def __init__(self) -> None:
        self.base = inf
        """Best transit: a packet without lateness arrives at base + index × 20 ms."""
        self.lateness_s = 0.0
        """How late packets are, but for the odd one."""
        self.known = False
        """Enough was seen to go by."""
        self._samples = [0.0] * _SAMPLES
        self._place = 0
        self.restart()

    def restart(self) -> None:
        """Begin a new spurt, with another sender's clock perhaps; keep the lateness learnt."""
        self.base = self._best = self._best_before = inf
        self._count = 0
        self._at = -inf

    def note(self, index: int, now: float) -> None:
        """Take the arrival at `now` of the packet with that index in the spurt."""
        transit = now - index * FRAME_S
        self._follow(transit)
        late = transit - self.base
        if now - self._at >= _BURST_S:
            self._sample(late)
        elif late > self._samples[self._place]:
            self._samples[self._place] = late
        self._at = now

    def _follow(self, transit: float) -> None:
        if self._count == _WINDOW:
            self._best_before, self._best, self._count = self._best, inf, 0
        self._count += 1
        self._best = min(self._best, transit)
        self.base = min(self._best, self._best_before)

    def _sample(self, late: float) -> None:
        self._place = (self._place + 1) % _SAMPLES
        self._samples[self._place] = late
        if self._place % _RECKON_EVERY == 0:
            self.lateness_s = sorted(self._samples)[-_RANK]
            self.known = self.known or self._place == _KNOWN_AFTER
