"""Tones of simulated radios, by position: whoever asks for a stretch gets the same samples."""

from typing import NamedTuple

import numpy as np

from radiobridge_sim.sound import FULL_SCALE, RATE, Pcm

CTCSS_DBFS = -34.0
"""A CTCSS tone of 500 Hz deviation, where 3 kHz is -20 dBFS."""

SIGNAL_DBFS = -18.0
"""Permit tones, courtesy tones and the like: as loud as a voice, to be the harder to keep out."""


def tone(hz: float, first: int, count: int, dbfs: float = SIGNAL_DBFS) -> Pcm:
    """Return `count` samples of a tone from position `first` on; `dbfs` is its RMS level."""
    peak = FULL_SCALE * 2.0**0.5 * float(10 ** (dbfs / 20.0))
    phase = 2.0 * np.pi * hz / RATE * np.arange(first, first + count)
    samples: Pcm = np.round(peak * np.sin(phase)).astype(np.int16)
    return samples


def mixed(samples: Pcm, more: Pcm) -> Pcm:
    """Return the sum of both, clipped as a receiver clips it."""
    total: Pcm = np.clip(samples.astype(np.int32) + more, -32_768, 32_767).astype(np.int16)
    return total


class HighPass:
    """What a transmitter does to a voice before it adds a tone: nothing below 300 Hz is left.

    Delays by 8 ms.
    """

    _TAPS = 129

    def __init__(self) -> None:
        middle = self._TAPS // 2
        at = np.arange(self._TAPS) - middle
        low = 2.0 * _CUTOFF_HZ / RATE * np.sinc(2.0 * _CUTOFF_HZ / RATE * at)
        low *= np.hamming(self._TAPS)
        self._taps = -low / low.sum()
        self._taps[middle] += 1.0
        self._past = np.zeros(self._TAPS - 1)

    def feed(self, samples: Pcm) -> Pcm:
        """Return as many samples, filtered."""
        together = np.concatenate([self._past, samples])
        self._past = together[-(self._TAPS - 1) :]
        out = np.convolve(together, self._taps, mode="valid")
        clipped: Pcm = np.clip(np.round(out), -32_768, 32_767).astype(np.int16)
        return clipped


_CUTOFF_HZ = 270.0


class Beep(NamedTuple):
    """One tone or one pause; positions in samples."""

    hz: float
    """0: a pause."""
    length: int


class Jingle:
    """A row of beeps that plays once from where it was started."""

    def __init__(self, *beeps: Beep) -> None:
        self._beeps = beeps
        self._start: int | None = None

    def start(self, at: int) -> None:
        """Play from position `at` on, from the beginning."""
        self._start = at

    def stop(self) -> None:
        """Fall silent."""
        self._start = None

    def add(self, samples: Pcm, first: int) -> Pcm:
        """Return `samples`, which begin at position `first`, with what plays then."""
        if self._start is None:
            return samples
        out, begin = samples.astype(np.int32), self._start
        for beep in self._beeps:
            low, high = max(begin, first), min(begin + beep.length, first + len(samples))
            if low < high and beep.hz:
                out[low - first : high - first] += tone(beep.hz, low, high - low)
            begin += beep.length
        if first >= begin:
            self._start = None
        mixed_in: Pcm = np.clip(out, -32_768, 32_767).astype(np.int16)
        return mixed_in


def ms(milliseconds: float) -> int:
    """Return how many samples that is."""
    return round(milliseconds * RATE / 1000.0)
