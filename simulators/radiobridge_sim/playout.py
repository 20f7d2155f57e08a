"""The transmit side of a sound device: received packets played one after the other.

The first packet of a stream starts a little after it arrived (`delay_s`, the play-out buffer every
sound device has); each further packet follows the one before without a seam, however unsteadily it
arrives, as long as it arrives before its turn. One that comes too late starts anew after the same
delay: an audible gap, counted in `underruns`.
"""

from collections import deque

from radiobridge_sim.sound import RATE, Pcm

STREAM_GAP_S = 0.1
"""A packet this much after the end of the last one belongs to a new stream."""

BOUND_S = 0.5
"""A packet that would start later than this after its arrival is dropped and counted."""


class Playout:
    """Samples by position. Positions are sample indices since the common time zero."""

    def __init__(self, *, delay_s: float) -> None:
        self._delay = round(delay_s * RATE)
        self._segments: deque[tuple[int, Pcm]] = deque()
        self._open = False
        self._played = 0
        self.end = 0
        """One past the last sample queued or played."""
        self.underruns = 0
        """Packets with sound that came too late to follow the one before."""
        self.overruns = 0
        """Packets dropped because `BOUND_S` were queued."""

    def put(self, samples: Pcm, arrival: int) -> None:
        """Queue one packet that arrived at position `arrival`."""
        if arrival > self.end or not self._open:
            late = arrival - self.end
            if self._open and late < STREAM_GAP_S * RATE and samples.any():
                self.underruns += 1
            start = max(arrival + self._delay, self.end, self._played)
        else:
            start = self.end
        if start - arrival > BOUND_S * RATE:
            self.overruns += 1
            return
        self._segments.append((start, samples))
        self.end = start + len(samples)
        self._open = True

    def finish(self) -> None:
        """The stream has ended by its own word: what comes next is a new one."""
        self._open = False

    def take(self, first: int, out: Pcm) -> None:
        """Add to `out` what is played in [first, first + len(out))."""
        last = first + len(out)
        self._played = last
        while self._segments and self._segments[0][0] < last:
            start, samples = self._segments[0]
            begin, stop = max(start, first), min(start + len(samples), last)
            if begin < stop:
                out[begin - first : stop - first] = samples[begin - start : stop - start]
            if start + len(samples) > last:
                break
            self._segments.popleft()
