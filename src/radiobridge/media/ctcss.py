"""CTCSS: the tone below the voice by which a receiver knows whom to let through (EIA RS-220).

The audio is brought down to 1 kHz, below 300 Hz. Each 20 ms a window of it is correlated with the
38 tones, or with the one that is waited for. The strongest counts when it holds most of the power
from 50 to 275 Hz and the turn of its phase over 100 ms puts its frequency near enough to its name:
the closest neighbours are 2.4 Hz apart, finer than any window of that length can tell by power.

Radios take out what lies below 300 Hz of the voice before they add the tone, so that nothing else
is there. It must still be there where the gateway listens: take the audio from a flat output.
"""

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from radiobridge.media.filters import Fir, Samples, low_pass
from radiobridge.media.resample import FRAME, RATE, To8k
from radiobridge.model.voice import FRAME_S, PcmFrame

TONES_HZ = (
    67.0, 71.9, 74.4, 77.0, 79.7, 82.5, 85.4, 88.5, 91.5, 94.8, 97.4, 100.0, 103.5, 107.2, 110.9,
    114.8, 118.8, 123.0, 127.3, 131.8, 136.5, 141.3, 146.2, 151.4, 156.7, 162.2, 167.9, 173.8,
    179.9, 186.2, 192.8, 203.5, 210.7, 218.1, 225.7, 233.6, 241.8, 250.3,
)  # fmt: skip

_STEP = 8
_LOW_RATE = RATE // _STEP
_NEW = FRAME // _STEP
_WINDOW = 400
"""Samples at 1 kHz that are looked at. With 240 a tone is heard 100 ms sooner, and so is a deep
voice that stays on one pitch, 20 times as often."""

HEARD_WITHIN_S = 0.36
"""By when a tone is heard whose signal to noise is 0 dB or better; with voice beneath 300 Hz in it,
within a second."""

_LAG = 5
"""Frames between the two windows whose phases are compared: 100 ms."""
_SHARE = 0.7
"""Least share of the power from 50 to 275 Hz that lies in the tone when it begins to count."""
_LEAST_POWER = 10.0 ** (-42.0 / 10.0) / 2.0
"""−42 dBFS: 240 Hz of deviation where 3 kHz is −20 dBFS. Transmitters use 350 to 1000 Hz."""
_OFF = 0.007
_OFF_HZ = 0.8
"""Largest error of frequency, whichever is larger; never half of the way to the next tone."""
_SURE = 2
"""Frames in a row before a tone counts."""

_HELD_SHARE = 0.15
_HELD_OFF_HZ = 2.0
"""A tone that counts already need not be proven anew under loud voice: this much keeps it."""
_LOST = 10
"""Frames in a row without even that before it is gone."""


class CtcssDetector:
    """Tells which CTCSS tone is in the audio of one radio."""

    def __init__(self, rate: int, tone_hz: float | None = None) -> None:
        """Listen to frames of 20 ms at `rate` Hz, for one tone of TONES_HZ or for all."""
        names = TONES_HZ if tone_hz is None else (tone_hz,)
        self.heard_hz: float | None = None
        """The tone that is there now."""
        self._to_8k = To8k(rate)
        self._down = Fir(low_pass(_TAPS, _CUTOFF_HZ / RATE), step=_STEP, size=FRAME)
        self._buffer: Samples = np.zeros(_WINDOW, dtype=np.float32)
        self._names = names
        self._matrix = _matrix(names)
        self._past: NDArray[np.complex64] = np.zeros((_LAG, len(names)), dtype=np.complex64)
        self._frame = 0
        self._candidate = -1
        self._count = 0
        self._missing = 0

    def feed(self, frame: PcmFrame) -> list[float]:
        """Take the next 20 ms; return the tone in Hz when one begins to be heard."""
        return self.feed_8k(self._to_8k.feed(frame))

    def feed_8k(self, samples: Samples) -> list[float]:
        """Take the next 160 samples at 8 kHz, full scale ±1."""
        buffer = self._buffer
        buffer[:-_NEW] = buffer[_NEW:]
        buffer[-_NEW:] = self._down.feed(samples)
        out = (buffer @ self._matrix).view(np.complex64)
        power = out.real * out.real + out.imag * out.imag
        count = len(self._names)
        total = float(power[count:].sum())
        began = []
        if self.heard_hz is not None:
            self._keep(out, power, total)
        else:
            began = self._find(out, power, total)
        self._frame += 1
        self._past[self._frame % _LAG] = out[:count]
        return began

    @property
    def low_band(self) -> Samples:
        """Return the last 400 ms below 300 Hz at 1 kHz, newest last; not to be kept."""
        return self._buffer

    def reset(self) -> None:
        """Forget the past: no tone is there."""
        self._to_8k.reset()
        self._down.reset()
        self._buffer[:] = 0.0
        self._past[:] = 0.0
        self.heard_hz = None
        self._candidate, self._count, self._missing = -1, 0, 0

    def _find(
        self, out: NDArray[np.complex64], power: NDArray[np.float32], total: float
    ) -> list[float]:
        """Look for a tone; return it when it begins to count."""
        tone = int(power[: len(self._names)].argmax())
        hz = self._names[tone]
        here = float(power[tone])
        if (
            here < max(_LEAST_POWER, _SHARE * total)
            or self._off_hz(out, tone) > max(_OFF * hz, _OFF_HZ)
        ):  # fmt: skip
            self._count = 0
            return []
        self._count = self._count + 1 if tone == self._candidate else 1
        self._candidate, self._missing = tone, 0
        if self._count < _SURE:
            return []
        self.heard_hz = hz
        return [hz]

    def _keep(self, out: NDArray[np.complex64], power: NDArray[np.float32], total: float) -> None:
        """See whether the tone that counts is still there."""
        tone = self._candidate
        there = float(power[tone]) >= max(_LEAST_POWER, _HELD_SHARE * total)
        if there and self._off_hz(out, tone) <= _HELD_OFF_HZ:
            self._missing = 0
            return
        self._missing += 1
        if self._missing >= _LOST:
            self.heard_hz = None
            self._count = 0

    def _off_hz(self, out: NDArray[np.complex64], tone: int) -> float:
        """Return how far the tone's phase, over 100 ms, puts it from its name."""
        before = complex(self._past[(self._frame + 1) % _LAG, tone])
        turn = complex(out[tone]) * before.conjugate()
        lag_s = _LAG * FRAME_S
        rest = cmath.phase(turn * cmath.exp(-2j * math.pi * self._names[tone] * lag_s))
        return abs(rest) / (2.0 * math.pi * lag_s)


_TAPS = 96
_CUTOFF_HZ = 300.0


def _matrix(names: tuple[float, ...]) -> Samples:
    """Return columns for the tones, then for bins from 50 to 275 Hz; power is mean square."""
    shape = np.hanning(_WINDOW + 1)[:-1]
    at = np.arange(_WINDOW)[:, None] / _LOW_RATE
    tones = np.exp(-2j * np.pi * np.array(names) * at)
    tones *= (shape * np.sqrt(2.0) / shape.sum())[:, None]
    bins_hz = np.arange(_WINDOW // 2) * (_LOW_RATE / _WINDOW)
    bins_hz = bins_hz[(bins_hz >= 50.0) & (bins_hz <= 275.0)]
    scale = np.sqrt(2.0 / _WINDOW / np.sum(shape**2))
    bins = np.exp(-2j * np.pi * bins_hz * at) * (shape * scale)[:, None]
    columns = np.ascontiguousarray(np.concatenate([tones, bins], axis=1).astype(np.complex64))
    return columns.view(np.float32)
