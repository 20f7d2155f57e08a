"""DTMF: sixteen symbols, each a tone of a low and one of a high group (ITU-T Q.23).

Windows of 20 ms, one every 10 ms, are correlated with the eight tones. A window counts when the
strongest tone of each group together hold most of what is between 300 and 3400 Hz, neither is more
than 10 dB above the other (twist), and both turn at the right speed from one window to the next.
Three such windows make a symbol: at least 40 ms of tone are heard, at most 23 ms never are
(Q.24 has 40 and 23 for North America). A symbol is told when it ends, with its length.
"""

import cmath
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobridge.media.filters import Samples
from radiobridge.media.resample import FRAME, RATE, To8k
from radiobridge.model.voice import PcmFrame

LOW_HZ = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
SYMBOLS = ("123A", "456B", "789C", "*0#D")
"""By low tone, then by high tone."""

_WINDOW = FRAME
_HOP = FRAME // 2
_HOP_S = _HOP / RATE

_SHARE = 0.70
"""Least share of the power that the two tones hold: reached with 7 dB of signal to noise."""
_TWIST = 10.0
"""Largest ratio of power between the two tones, either way: 10 dB."""
_OFF = 0.025
"""Largest error of frequency: 1.5 % must be heard, 3.5 % must not (Q.24)."""
_LEAST_POWER = 10.0 ** (-45.0 / 10.0) / 2.0
"""−45 dBFS for both tones together."""

_LEAST_WINDOWS = 3
_MOST_MISSING = 2
"""Windows in a row without a symbol that end it; fewer are a fade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfSymbol:
    """One symbol that was sent."""

    symbol: str
    duration_s: float
    """How long its tones lasted, ±10 ms."""


class DtmfDecoder:
    """Finds DTMF in the audio of one radio."""

    def __init__(self, rate: int) -> None:
        """Listen to frames of 20 ms at `rate` Hz: 8, 16 or 48 kHz."""
        self._to_8k = To8k(rate)
        self._buffer: Samples = np.zeros(_WINDOW + _HOP, dtype=np.float32)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._buffer, _WINDOW)[::_HOP]
        self._before: NDArray[np.complex64] = np.zeros(0, dtype=np.complex64)
        self._symbol = -1
        self._count = 0
        self._missing = 0
        self.hit = False
        """Whether the last frame held a symbol's tones, however short."""

    def feed(self, frame: PcmFrame) -> list[DtmfSymbol]:
        """Take the next 20 ms and return the symbols that ended in it."""
        return self.feed_8k(self._to_8k.feed(frame))

    def feed_8k(self, samples: Samples) -> list[DtmfSymbol]:
        """Take the next 160 samples at 8 kHz, full scale ±1."""
        self._buffer[:_HOP] = self._buffer[FRAME:]
        self._buffer[_HOP:] = samples
        # One product gives the tones' complex amplitudes and the spectrum for the total power.
        out = (self._windows @ _MATRIX).view(np.complex64)
        power = out.real * out.real + out.imag * out.imag
        done: list[DtmfSymbol] = []
        self.hit = False
        for n in range(2):
            symbol = _symbol(power[n])
            self.hit = self.hit or symbol >= 0
            if symbol == self._symbol >= 0 and not _steady(out[n], self._before, symbol):
                symbol = -1
            self._before = out[n]
            self._follow(symbol, done)
        return done

    def reset(self) -> None:
        """Forget the past."""
        self._to_8k.reset()
        self._buffer[:] = 0.0
        self._symbol = -1
        self._count = self._missing = 0
        self.hit = False

    def _follow(self, symbol: int, done: list[DtmfSymbol]) -> None:
        if symbol >= 0 and symbol == self._symbol:
            self._count += 1 + self._missing
            self._missing = 0
            return
        if self._symbol >= 0:
            self._missing += 1
            if symbol < 0 and self._missing < _MOST_MISSING:
                return
            if self._count >= _LEAST_WINDOWS:
                text = SYMBOLS[self._symbol // 4][self._symbol % 4]
                done.append(DtmfSymbol(symbol=text, duration_s=self._count * _HOP_S))
        self._symbol, self._count, self._missing = symbol, int(symbol >= 0), 0


def _symbol(power: NDArray[np.float32]) -> int:
    """Return which symbol a window holds, 0 to 15, or −1."""
    low = int(power[:4].argmax())
    high = int(power[4:8].argmax())
    low_power, high_power = float(power[low]), float(power[4 + high])
    both = low_power + high_power
    if both < _LEAST_POWER or both < _SHARE * float(power[8:].sum()):
        return -1
    if low_power > _TWIST * high_power or high_power > _TWIST * low_power:
        return -1
    return low * 4 + high


def _steady(now: NDArray[np.complex64], before: NDArray[np.complex64], symbol: int) -> bool:
    """Tell whether both tones have turned since the window before as their names say."""
    for tone in (symbol // 4, 4 + symbol % 4):
        turn = cmath.phase(complex(now[tone] * before[tone].conjugate()) * _BACK[tone])
        if abs(turn) > _MOST_TURN[tone]:
            return False
    return True


_TONES = np.array(LOW_HZ + HIGH_HZ)
_BINS = np.arange(300.0, 3450.0, RATE / _WINDOW)


def _matrix() -> Samples:
    """Return the columns for tones and bins: a tone's power is its mean square."""
    window = np.hamming(_WINDOW)
    at = np.arange(_WINDOW)[:, None] / RATE
    tones = np.exp(-2j * np.pi * _TONES * at) * (window * np.sqrt(2.0) / window.sum())[:, None]
    # By Parseval, over the bins of a real signal, so that their sum is its mean square.
    scale = np.sqrt(2.0 / _WINDOW / np.sum(window**2))
    bins = np.exp(-2j * np.pi * _BINS * at) * (window * scale)[:, None]
    columns = np.ascontiguousarray(np.concatenate([tones, bins], axis=1).astype(np.complex64))
    return columns.view(np.float32)


_MATRIX = _matrix()
_BACK = [cmath.exp(-2j * math.pi * hz * _HOP_S) for hz in (*LOW_HZ, *HIGH_HZ)]
"""Undoes the turn of each tone from one window to the next."""
_MOST_TURN = [2.0 * math.pi * hz * _OFF * _HOP_S for hz in (*LOW_HZ, *HIGH_HZ)]
"""What may remain of it, in radians; below half a turn for all tones."""
