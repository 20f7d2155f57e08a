"""One rate for everything that listens to signalling: 8 kHz, in floats."""

from radiobridge.errors import LocalProtocolError
from radiobridge.media.filters import Fir, Samples, low_pass
from radiobridge.media.level import FULL_SCALE
from radiobridge.model.voice import RADIO_RATES, PcmFrame

RATE = 8_000
FRAME = RATE // 50
"""Samples in 20 ms."""

_SCALE = 1.0 / FULL_SCALE
_TAPS_PER_STEP = 12
_CUTOFF_HZ = 3_700.0
"""−6 dB here, −1 dB at 3 kHz, −50 dB from 5 kHz: what folds back lies above all signalling."""


class To8k:
    """Turns a radio's frames into 160 samples at 8 kHz, full scale ±1; late by 0.75 ms at most."""

    def __init__(self, rate: int) -> None:
        """Take frames at `rate` Hz; raises LocalProtocolError for a rate that no radio has."""
        if rate not in RADIO_RATES:
            raise LocalProtocolError(f"rate {rate} is not one of {RADIO_RATES}")
        self._fir: Fir | None = None
        if rate != RATE:
            step = rate // RATE
            taps = low_pass(_TAPS_PER_STEP * step, _CUTOFF_HZ / rate)
            self._fir = Fir(taps, step=step, size=rate // 50)

    def feed(self, frame: PcmFrame) -> Samples:
        """Return the frame at 8 kHz: shape (160,), float32, a new array."""
        if self._fir is not None:
            return self._fir.feed(frame, _SCALE)
        out: Samples = frame.astype("float32")
        out *= _SCALE
        return out

    def reset(self) -> None:
        """Forget the past."""
        if self._fir is not None:
            self._fir.reset()
