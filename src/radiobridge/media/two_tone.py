"""Tones that stand still, and two-tone sequential paging made of them.

A page is a tone A for about one second, then a tone B for about three, of 288 to 2470 Hz, the codes
being pairs of frequencies (Motorola Quick Call II and its kin); one tone for eight seconds calls a
whole group. `SteadyTone` follows one tone: which frequency, for how long. `TwoToneDecoder` finds
pages in what it says.

Each 20 ms the spectrum of the last 40 ms (Hann window) is taken. Its strongest line is a tone when
it holds most of the power between 275 and 3400 Hz. The turn of its phase since the frame before
gives the frequency to a fraction of a Hz. It is the same tone while the frequency stays.
"""

import cmath
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from radiobridge.media.filters import Samples
from radiobridge.media.resample import FRAME, RATE, To8k
from radiobridge.model.voice import FRAME_S, PcmFrame

_Spectrum: TypeAlias = NDArray[np.complexfloating[Any, Any]]

_WINDOW = 2 * FRAME
_BIN_HZ = RATE / _WINDOW
_FIRST_BIN = 11
_LAST_BIN = 136
"""Bins that count as the voice band: 275 to 3400 Hz."""

_SHARE = 0.65
"""Least share of the power in the line and its neighbours: reached with 5 dB of signal to noise."""
_LEAST_POWER = 10.0 ** (-45.0 / 10.0) / 2.0
_SAME = 0.006
_SAME_HZ = 4.0
"""A tone that moves by more, whichever is larger, is another tone."""
_MOST_MISSING = 1
"""Frames in a row without the tone that do not end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One tone that stood still, from its start on."""

    frequency_hz: float
    duration_s: float
    """±20 ms."""


class SteadyTone:
    """Follows the one tone that is in the audio of a radio, if there is one."""

    def __init__(self) -> None:
        self._buffer: Samples = np.zeros(_WINDOW, dtype=np.float32)
        self._before: _Spectrum = np.zeros(_WINDOW // 2 + 1, dtype=np.complex128)
        self._frequency = 0.0
        self._frames = 0
        self._missing = 0
        self.share = 0.0
        """Of the newest 40 ms: share of the power that its strongest line holds."""

    @property
    def now(self) -> Held | None:
        """Return the tone that is heard, None when none is."""
        if not self._frames:
            return None
        return Held(frequency_hz=self._frequency, duration_s=self._duration_s)

    @property
    def frames(self) -> int:
        """Return for how many frames in a row the same tone has been heard."""
        return self._frames

    @property
    def frequency_hz(self) -> float:
        """Return the tone's frequency; means something while `frames` is not 0."""
        return self._frequency

    @property
    def _duration_s(self) -> float:
        # Half a window of tone is enough to be seen, at either end.
        return (self._frames + 1) * FRAME_S - FRAME_S / 2

    def feed_8k(self, samples: Samples) -> Held | None:
        """Take the next 160 samples at 8 kHz, full scale ±1; return a tone that has ended."""
        self._buffer[:FRAME] = self._buffer[FRAME:]
        self._buffer[FRAME:] = samples
        spectrum: _Spectrum = np.fft.rfft(self._buffer * _HANN)
        frequency = self._line(spectrum)
        self._before = spectrum
        return self._follow(frequency)

    def reset(self) -> None:
        """Forget the past."""
        self._buffer[:] = 0.0
        self._frames = self._missing = 0

    def _line(self, spectrum: _Spectrum) -> float:
        """Return the frequency of the line that holds most of the power; 0 when none does."""
        band = spectrum[_FIRST_BIN:_LAST_BIN]
        power = band.real * band.real + band.imag * band.imag
        total = float(power.sum())
        at = int(power.argmax())
        near = float(power[max(0, at - 2) : at + 3].sum())
        self.share = near / total if total > 0.0 else 0.0
        if self.share < _SHARE or near * _POWER < _LEAST_POWER:
            return 0.0
        middle = at + _FIRST_BIN
        left, here, right = (abs(complex(spectrum[middle + n])) for n in (-1, 0, 1))
        beside, sign = (right, 1.0) if right > left else (left, -1.0)
        # Where a line lies between two bins, under a Hann window.
        coarse = (middle + sign * (2.0 * beside - here) / (beside + here)) * _BIN_HZ
        turn = complex(spectrum[middle]) * complex(self._before[middle]).conjugate()
        turns = cmath.phase(turn) / (2.0 * math.pi)
        fine = (round(coarse * FRAME_S - turns) + turns) / FRAME_S
        # In the first frame of a tone there is no phase to compare with.
        return fine if abs(fine - coarse) < _BIN_HZ / 2.0 else coarse

    def _follow(self, frequency: float) -> Held | None:
        if self._frames and frequency:
            allowed = max(_SAME * self._frequency, _SAME_HZ if self._frames > 1 else _BIN_HZ)
            if abs(frequency - self._frequency) <= allowed:
                self._frames += 1 + self._missing
                self._missing = 0
                # The first two frames hold the edge of the tone.
                weight = 1.0 if self._frames <= 3 else 1.0 / min(self._frames - 2, 50)
                self._frequency += (frequency - self._frequency) * weight
                return None
        if self._frames:
            self._missing += 1
            if not frequency and self._missing <= _MOST_MISSING:
                return None
        ended = self.now
        self._frequency, self._frames, self._missing = frequency, int(frequency > 0.0), 0
        return ended


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoTonePage:
    """One page; a group call has no tone B."""

    a: Held
    b: Held | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoToneSettings:
    """What counts as a page."""

    least_a_s: float = 0.4
    most_a_s: float = 4.0
    least_b_s: float = 0.4
    most_gap_s: float = 0.4
    """Longest silence between A and B."""
    least_group_s: float = 5.0
    """A single tone at least this long calls a group."""


class TwoToneDecoder:
    """Finds pages in the audio of one radio; each is told when its last tone ends."""

    def __init__(self, rate: int, settings: TwoToneSettings | None = None) -> None:
        """Listen to frames of 20 ms at `rate` Hz: 8, 16 or 48 kHz."""
        self.tone = SteadyTone()
        self._to_8k = To8k(rate)
        self._settings = settings or TwoToneSettings()
        self._first: Held | None = None
        self._since = 0
        """Frames since `_first` ended."""

    def feed(self, frame: PcmFrame) -> list[TwoTonePage]:
        """Take the next 20 ms and return the pages that ended in it."""
        return self.feed_8k(self._to_8k.feed(frame))

    def feed_8k(self, samples: Samples) -> list[TwoTonePage]:
        """Take the next 160 samples at 8 kHz, full scale ±1."""
        ended = self.tone.feed_8k(samples)
        self._since += 1
        if ended is None:
            return []
        page = self._page(ended)
        return [page] if page is not None else []

    def reset(self) -> None:
        """Forget the past."""
        self._to_8k.reset()
        self.tone.reset()
        self._first = None

    def _page(self, ended: Held) -> TwoTonePage | None:
        rules, first = self._settings, self._first
        if first is not None and ended.duration_s >= rules.least_b_s:
            gap_s = self._since * FRAME_S - ended.duration_s
            if gap_s <= rules.most_gap_s + 2 * FRAME_S:
                self._first = None
                return TwoTonePage(a=first, b=ended)
        if ended.duration_s >= rules.least_group_s:
            self._first = None
            return TwoTonePage(a=ended, b=None)
        if rules.least_a_s <= ended.duration_s <= rules.most_a_s:
            self._first, self._since = ended, 0
        return None


_HANN = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
_POWER = 2.0 / _WINDOW / float(np.sum(_HANN.astype(np.float64) ** 2))
"""From the sum over a line's bins to its mean square (Parseval)."""
