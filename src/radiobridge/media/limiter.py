"""Gain and limiter in one step, in place, so that a gain can never clip.

Applied as two steps, a gain of 12 dB on int16 samples would clip before any limiter could see it.
Here each frame is looked at before it is scaled: when its peak times the gain would pass the
ceiling, the gain drops for this frame and comes back slowly. It drops over 1 ms, unless the peak
lies in that very millisecond: then at once. It adds no delay.
"""

import numpy as np

from radiobridge.errors import LocalProtocolError
from radiobridge.media.gain import ratio
from radiobridge.media.level import FULL_SCALE, peak
from radiobridge.model.voice import FRAME_S, PcmFrame

_RELEASE_DB_PER_S = 30.0
_RELEASE = ratio(_RELEASE_DB_PER_S * FRAME_S)


class Limiter:
    """Scales the frames of one direction of one radio and keeps them below a ceiling."""

    def __init__(self, rate: int, *, gain_db: float = 0.0, ceiling_dbfs: float = -1.0) -> None:
        """Work on frames of 20 ms at `rate` Hz; no sample leaves above `ceiling_dbfs` (peak)."""
        if ceiling_dbfs > 0.0:
            raise LocalProtocolError("a ceiling above full scale cannot be kept")
        size = rate // 50
        self._gain = ratio(gain_db)
        self._ceiling = min(FULL_SCALE * ratio(ceiling_dbfs), FULL_SCALE - 1.0)
        self._current = self._gain
        self._work = np.empty(size, dtype=np.float32)
        self._slope = np.empty(size, dtype=np.float32)
        self._rise = np.linspace(0.0, 1.0, size, dtype=np.float32)
        self._fall = np.linspace(0.0, 1.0, rate // 1000, dtype=np.float32)

    @property
    def gain_db_now(self) -> float:
        """Return the gain in force, in dB: below the set gain while it limits."""
        return float(20.0 * np.log10(self._current))

    def process(self, frame: PcmFrame) -> PcmFrame:
        """Scale `frame` in place and return it; a read-only frame is left alone, its copy scaled.

        `frame` has shape (rate // 50,), int16. A frame that needs no change is not touched.
        """
        before, after = self._current, self._next_gain(peak(frame))
        if before == after == 1.0:
            return frame
        self._current = after
        out = frame if frame.flags.writeable else frame.copy()
        self._scale(out, before, after)
        return out

    def _next_gain(self, highest: int) -> float:
        """Return the gain at the end of a frame that peaks at `highest`."""
        allowed = self._gain
        if highest * allowed > self._ceiling:
            allowed = self._ceiling / highest
        return min(allowed, self._current * _RELEASE)

    def _scale(self, frame: PcmFrame, before: float, after: float) -> None:
        # Conversions by copyto: a ufunc that converts makes buffers of its own.
        work = self._work
        np.copyto(work, frame)
        if after > before:
            np.multiply(self._rise, after - before, out=self._slope)
            np.add(self._slope, before, out=self._slope)
            np.multiply(work, self._slope, out=work)
        elif after < before and self._can_fall(before, after):
            size = self._fall.size
            work[:size] *= self._slope[:size]
            work[size:] *= after
        else:
            np.multiply(work, after, out=work)
        np.rint(work, out=work)
        np.copyto(frame, work, casting="unsafe")

    def _can_fall(self, before: float, after: float) -> bool:
        """Let the gain fall over the first millisecond, if that stays below the ceiling."""
        slope = self._slope[: self._fall.size]
        np.multiply(self._fall, after - before, out=slope)
        np.add(slope, before, out=slope)
        scaled = self._work[: slope.size] * slope
        return max(float(scaled.max()), -float(scaled.min())) <= self._ceiling
