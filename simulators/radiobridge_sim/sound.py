"""Sampled sound of the simulated air: rate, units, recordings and WAV files.

Everything is 16-bit mono at 8 kHz: a land mobile radio channel carries 3 kHz of voice, and USRP
carries 8 kHz. A position in time is a sample index: sample 0 is the common time zero of all units,
an instant of CLOCK_MONOTONIC that the world chose when it started.
"""

import wave
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pcm: TypeAlias = NDArray[np.int16]
"""Mono samples at `RATE`: shape (n,), int16."""

RATE = 8_000
"""Samples per second."""

STEP = 40
"""Samples in one step of the air."""

STEP_S = STEP / RATE
"""One step of the air: 5 ms."""

FRAME = 160
"""Samples in one USRP frame: 20 ms."""

FULL_SCALE = 32_768.0

SILENCE_DBFS = -120.0
"""What digital silence is reported as."""

SILENCE: Pcm = np.zeros(STEP, np.int16)
SILENCE.flags.writeable = False


def level_dbfs(samples: Pcm) -> float:
    """Return the RMS level in dBFS (full scale is a square wave of 32768), at least -120."""
    if len(samples) == 0:
        return SILENCE_DBFS
    mean_square = float(np.mean(np.square(samples, dtype=np.float64)))
    if mean_square <= 0.0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 10.0 * float(np.log10(mean_square / FULL_SCALE**2)))


class Recording:
    """Samples by position; what was never written is silence. Grows by doubling."""

    def __init__(self) -> None:
        self._samples: Pcm = np.zeros(60 * RATE, np.int16)
        self.length = 0
        """Samples from time zero to the end of what was covered."""

    def write(self, first: int, samples: Pcm) -> None:
        """Put `samples` at position `first`."""
        self.extend(first + len(samples))
        self._samples[first : first + len(samples)] = samples

    def extend(self, end: int) -> None:
        """Cover everything up to position `end`."""
        if end > len(self._samples):
            grown = np.zeros(max(end, 2 * len(self._samples)), np.int16)
            grown[: self.length] = self._samples[: self.length]
            self._samples = grown
        self.length = max(self.length, end)

    def samples(self) -> Pcm:
        """Return a copy of everything since time zero."""
        return self.since(0)

    def since(self, first: int) -> Pcm:
        """Return a copy of everything from position `first` on."""
        return self._samples[first : self.length].copy()


def read_wav(path: Path) -> Pcm:
    """Return the samples of a 16-bit mono WAV file at 8 kHz; raise ValueError for any other."""
    with wave.open(str(path), "rb") as file:
        shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if shape != (1, 2, RATE):
            raise ValueError(f"{path}: {shape} is not 1 channel, 2 bytes, {RATE} Hz")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


def write_wav(path: Path, samples: Pcm) -> None:
    """Write a 16-bit mono WAV file at 8 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
