"""The last moments before the squelch opened, so that no first syllable is lost.

A receiver delivers voice before its COR tells, and a VOX needs loud frames to believe in voice. The
ring keeps COR delay + 250 ms. On opening, `take` gives what was said in it: from the earliest frame
with voice, and one frame before that, for an onset too soft for the threshold. From a receiver that
is squelched and so quiet, it gives the newest frame only: enough to start the spurt at once, and no
delay, since a listener's jitter buffer leaves out a silent first frame.

The owner pushes while the squelch listens (`Squelch.listens`) and clears when it does not, so that
the ring never holds what was already sent, an own transmission, or a permit tone.
"""

from collections import deque
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from radiobridge.model.voice import FRAME_S, PcmFrame

REACH_S = 0.25
"""Beyond the COR delay: the slowest receivers open after 250 ms with CTCSS (TIA-603)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrerollSettings:
    """How far to reach back."""

    cor_delay_s: float = 0.0
    """How much later than the voice this radio's COR comes."""
    voice_dbfs: float = -50.0
    """Frames above this are voice; a squelched receiver must be below it."""


class PrerollFrame(NamedTuple):
    """One frame of received audio; nobody writes into `samples` any more."""

    samples: PcmFrame
    level_dbfs: float
    at: float
    """When its last sample was heard, monotonic s."""


class Preroll:
    """Ring of the newest frames of one receiver. Bound: the reach; the oldest goes, uncounted."""

    __slots__ = ("_frames", "_settings")

    def __init__(self, settings: PrerollSettings) -> None:
        self._settings = settings
        # Two more: the margin frame, and the frame that was under way when voice began.
        depth = ceil((settings.cor_delay_s + REACH_S) / FRAME_S) + 2
        self._frames: deque[PrerollFrame] = deque(maxlen=depth)

    def push(self, samples: PcmFrame, level_dbfs: float, at: float) -> None:
        """Keep 20 ms of received audio whose last sample was heard at `at`."""
        self._frames.append(PrerollFrame(samples, level_dbfs, at))

    def take(self, now: float) -> list[PrerollFrame]:
        """Return what the spurt that opens at `now` begins with, oldest first, and forget all.

        Empty only when nothing was pushed lately.
        """
        oldest = now - self._reach_s
        frames = [frame for frame in self._frames if frame.at > oldest]
        self._frames.clear()
        threshold = self._settings.voice_dbfs
        voiced = (place for place, f in enumerate(frames) if f.level_dbfs >= threshold)
        first = next(voiced, len(frames))
        if first == len(frames):
            return frames[-1:]
        return frames[max(first - 1, 0) :]

    def clear(self) -> None:
        """Forget all: what follows has nothing to do with what was heard."""
        self._frames.clear()

    @property
    def _reach_s(self) -> float:
        return (self._frames.maxlen or 0) * FRAME_S
