"""Takes a CTCSS tone out of the audio, and leaves the voice as it is.

A high pass steep enough to tell 250 Hz from 300 would do it at once, but it delays what lies just
above by 20 ms and more, and what is left of the voice resembles what was said by half (measured:
docs/signalling.md). A notch 30 Hz wide at the tone leaves 97 % and more of the likeness.

So the tone has to be found, and soon: a decoder opens after 150 ms. What is below 300 Hz is looked
at over 100 ms, each 20 ms. A line that holds most of it twice in a row is taken for the nearest of
the 38 tones, and gets the notch: after 120 ms at most the tone is gone from what leaves. One that
the detector is sure of (`media.ctcss`) keeps its notch for the next transmissions too: then nothing
passes.
"""

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from radiobridge.media.ctcss import TONES_HZ
from radiobridge.media.filters import Iir, Samples
from radiobridge.model.voice import FRAME_S

_WIDTH_HZ = 30.0
"""Between the points where 3 dB are lost: half a percent beside the tone 20 dB are, at it all."""
_WINDOW = 100
_LOW_RATE = 1_000
_SHARE = 0.75
_LEAST_POWER = 10.0 ** (-50.0 / 10.0) / 2.0
_SURE = 2
"""Frames in a row that point to the same tone or the one beside it."""
_UNITY_HZ = 1_000.0
_ROWS = {8_000: 10, 16_000: 16, 48_000: 30}


class CtcssNotch:
    """Removes at most one tone from the frames of one radio."""

    def __init__(self, rate: int, tone_hz: float | None = None) -> None:
        """Work on frames of 20 ms at `rate` Hz; `tone_hz` is removed from the start."""
        self._rate = rate
        self._filters: dict[float, Iir] = {}
        self._home = tone_hz
        self._now = tone_hz
        self._past: NDArray[np.float64] = np.zeros(rate // 50)
        self._before: NDArray[np.complex64] = np.zeros(_COUNT, dtype=np.complex64)
        self._seen = -1
        self._count = 0
        self._rise = np.linspace(0.0, 1.0, rate // 50)

    @property
    def tone_hz(self) -> float | None:
        """Return the tone that is removed now."""
        return self._now

    def feed(
        self, frame: NDArray[np.float64], low_band: Samples, sure_hz: float | None
    ) -> NDArray[np.float64]:
        """Return `frame` without its tone.

        `low_band`: the newest 100 ms or more below 300 Hz at 1 kHz; `sure_hz`: the tone that the
        detector hears.
        """
        wanted = self._wanted(low_band, sure_hz)
        out = self._filtered(self._now, frame)
        if wanted != self._now:
            if wanted is not None:
                # A filter that starts in the middle of a tone rings: let it ring before.
                self._filter(wanted).reset()
                self._filter(wanted).feed(self._past)
            out = out + self._rise * (self._filtered(wanted, frame) - out)
            self._now = wanted
        self._past = frame
        return out

    def reset(self) -> None:
        """Forget the past, but not the tone that was sure."""
        self._now = self._home
        self._past = np.zeros_like(self._past)
        self._before = np.zeros_like(self._before)
        self._seen, self._count = -1, 0
        for one in self._filters.values():
            one.reset()

    def _filtered(self, tone_hz: float | None, frame: NDArray[np.float64]) -> NDArray[np.float64]:
        return frame if tone_hz is None else self._filter(tone_hz).feed(frame)

    def _filter(self, tone_hz: float) -> Iir:
        known = self._filters.get(tone_hz)
        if known is None:
            known = self._filters[tone_hz] = _notch(tone_hz, self._rate)
        return known

    def _wanted(self, low_band: Samples, sure_hz: float | None) -> float | None:
        """Return the tone to remove from this frame on."""
        quick = self._quick(low_band)
        if sure_hz is not None:
            self._home = sure_hz
            return sure_hz
        return quick if quick is not None else self._now

    def _quick(self, low_band: Samples) -> float | None:
        """Return the tone that the last 100 ms look like, once two frames agree."""
        out = (low_band[-_WINDOW:] @ _MATRIX).view(np.complex64)
        before, self._before = self._before, out
        power = out.real * out.real + out.imag * out.imag
        at = int(power[:_COUNT].argmax())
        if power[at] < max(_LEAST_POWER, _SHARE * float(power[_COUNT:].sum())):
            self._seen, self._count = -1, 0
            return None
        hz = TONES_HZ[at]
        turn = complex(out[at]) * complex(before[at]).conjugate()
        rest = cmath.phase(turn * cmath.exp(-2j * math.pi * hz * FRAME_S))
        nearest = _nearest(hz + rest / (2.0 * math.pi * FRAME_S))
        self._count = self._count + 1 if abs(nearest - self._seen) <= 1 and self._seen >= 0 else 1
        self._seen = nearest
        return TONES_HZ[nearest] if self._count >= _SURE else None


def _nearest(hz: float) -> int:
    return min(range(_COUNT), key=lambda n: abs(TONES_HZ[n] - hz))


def _notch(tone_hz: float, rate: int) -> Iir:
    turn = cmath.exp(2j * math.pi * tone_hz / rate)
    radius = math.exp(-math.pi * _WIDTH_HZ / rate)
    zeros: NDArray[np.complex128] = np.array([turn, turn.conjugate()])
    at = cmath.exp(2j * math.pi * _UNITY_HZ / rate)
    poles: NDArray[np.complex128] = zeros * radius
    gain = abs(np.prod(at - poles) / np.prod(at - zeros))
    return Iir(poles, zeros, float(gain), size=rate // 50, rows=_ROWS[rate])


def _matrix() -> Samples:
    """Return columns for the tones, then for bins from 50 to 280 Hz; power is mean square."""
    shape = np.hanning(_WINDOW + 1)[:-1]
    at = np.arange(_WINDOW)[:, None] / _LOW_RATE
    tones = np.exp(-2j * np.pi * np.array(TONES_HZ) * at)
    tones *= (shape * np.sqrt(2.0) / shape.sum())[:, None]
    bins_hz = np.arange(50.0, 281.0, _LOW_RATE / _WINDOW)
    scale = np.sqrt(2.0 / _WINDOW / np.sum(shape**2))
    bins = np.exp(-2j * np.pi * bins_hz * at) * (shape * scale)[:, None]
    columns = np.ascontiguousarray(np.concatenate([tones, bins], axis=1).astype(np.complex64))
    return columns.view(np.float32)


_COUNT = len(TONES_HZ)
_MATRIX = _matrix()
