"""Test tones and silence, for setting levels and for tests."""

import math
from collections.abc import Sequence

import numpy as np

from radiobridge.media.gain import ratio
from radiobridge.media.level import FULL_SCALE, REFERENCE_DBFS
from radiobridge.model.voice import PcmFrame

TEST_TONE_HZ = 1000.0

_TURN = 2.0 * math.pi


class Tone:
    """A sine without end, handed out in frames of 20 ms that join without a step in phase."""

    def __init__(
        self,
        rate: int,
        *,
        frequency_hz: float = TEST_TONE_HZ,
        level_dbfs: float = REFERENCE_DBFS,
    ) -> None:
        """Make a sine of `frequency_hz` at `level_dbfs` (at most 0) for samples at `rate` Hz."""
        self._step = _TURN * frequency_hz / rate
        self._angles = np.arange(rate // 50) * self._step
        self._amplitude = min(FULL_SCALE * ratio(level_dbfs), FULL_SCALE - 1.0)
        self._phase = 0.0

    def frame(self) -> PcmFrame:
        """Return the next 20 ms: shape (rate // 50,), int16."""
        wave = np.sin(self._angles + self._phase) * self._amplitude
        self._phase = (self._phase + self._angles.size * self._step) % _TURN
        frame: PcmFrame = np.rint(wave).astype(np.int16)
        return frame


def silence(rate: int) -> PcmFrame:
    """Return 20 ms of zeros at `rate` Hz: shape (rate // 50,), int16."""
    return np.zeros(rate // 50, dtype=np.int16)


def tones(
    rate: int, parts: Sequence[tuple[float, float]], seconds: float, *, start_s: float = 0.0
) -> PcmFrame:
    """Return the sum of sines, each (Hz, dBFS), for `seconds`: shape (n,), int16.

    All have phase 0 at the moment `start_s` before the first sample.
    """
    at = np.arange(round(rate * seconds)) / rate + start_s
    wave = np.zeros(len(at))
    for frequency_hz, level_dbfs in parts:
        wave += np.sin(_TURN * frequency_hz * at) * (FULL_SCALE * ratio(level_dbfs))
    out: PcmFrame = np.rint(np.clip(wave, -FULL_SCALE, FULL_SCALE - 1.0)).astype(np.int16)
    return out
