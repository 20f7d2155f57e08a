"""In-band signalling on its way from a receiver to the network: heard always, passed on or not.

One country's page must not set off the other's station. So a frame is passed on as it is where that
is allowed; where not, CTCSS is taken out by a notch (`media.ctcss_notch`), and what else a far
decoder could act on is silenced:

* MDC1200 from its preamble on, a bare tone of 1200 or 1800 Hz, so that 40 ms of it pass at most;
  without one, from the end of its sync word, so that no data passes
* DTMF in any frame that holds a symbol's two tones, so that at most 13 ms of one pass: decoders
  want 40 and ignore 23
* a tone that stands still from its eighth frame on (160 ms): paging decoders want 400 ms of the
  first tone. The second tone, which follows it at once, is silenced from its third frame on. 1 kHz
  passes: that is what levels are set with, and no paging code uses it

Only the frame at hand is judged, so nothing is delayed. How rarely speech is hit by mistake, and
for how short a time, is in docs/signalling.md.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from radiobridge.media.ctcss import CtcssDetector
from radiobridge.media.ctcss_notch import CtcssNotch
from radiobridge.media.dtmf import DtmfDecoder, DtmfSymbol
from radiobridge.media.level import FLOOR_DBFS, FULL_SCALE
from radiobridge.media.mdc1200 import Mdc1200Decoder, MdcPacket
from radiobridge.media.resample import To8k
from radiobridge.media.tone import TEST_TONE_HZ
from radiobridge.media.two_tone import TwoToneDecoder, TwoTonePage
from radiobridge.model.voice import PcmFrame

Signal: TypeAlias = MdcPacket | DtmfSymbol | TwoTonePage
"""What a frame ended."""

_STILL_FRAMES = 8
_LONG_FRAMES = 16
"""A tone that stood still for 320 ms is the first of a page: no voice does that."""
_NEXT_FRAMES = 3
_PAGE_FRAMES = 25
"""How long after it the next tone is taken for the second: half a second."""
_PREAMBLE_FRAMES = 2
_TEST_TONE_OFF_HZ = 2.5
_PREAMBLES_HZ = (1200.0, 1800.0)
_PREAMBLE_OFF_HZ = 12.0
_PREAMBLE_SHARE = 0.9
_HOLD_FRAMES = 1
"""Frames that stay silent after the last reason for it, so that gaps between symbols do too."""
_SYNC_FRAMES = 3
"""The same after a preamble: until the sync word is over and a reason of its own."""

_RAMP_S = 0.001
"""How fast sound goes and comes back: slow enough not to click."""


@dataclass(slots=True)
class _Silence:
    """Whether frames are silenced now, and for how long still."""

    left: int = 0
    page: int = 0
    """Frames for which a second tone is expected."""
    silent: bool = False


def _level_dbfs(samples: NDArray[np.float64]) -> float:
    """Return what `media.level.level_dbfs` would, of samples that are floats already."""
    mean = float(samples.sum()) / samples.size
    power = float(samples.dot(samples)) / samples.size - mean * mean
    full = FULL_SCALE * FULL_SCALE / 2.0
    if power <= full * 10.0 ** (FLOOR_DBFS / 10.0):
        return FLOOR_DBFS
    return 10.0 * math.log10(power / full)


class SignallingFilter:
    """Hears all signalling of one radio's receiver, and keeps it from where it must not go."""

    def __init__(self, rate: int, *, ctcss_hz: float | None = None) -> None:
        """Work on frames of 20 ms at `rate` Hz; with `ctcss_hz`, listen to that tone only."""
        self.signals: list[Signal] = []
        """What ended in the last frame."""
        self.silenced = 0
        """Frames that were silenced."""
        self.voice_dbfs = FLOOR_DBFS
        """Level of the last frame as received, without CTCSS."""
        self.samples_8k: NDArray[np.float32] = np.zeros(160, dtype=np.float32)
        """The last frame at 8 kHz, full scale ±1; not to be kept."""
        self._rate = rate
        self._to_8k = To8k(rate)
        self._mdc = Mdc1200Decoder(rate)
        self._dtmf = DtmfDecoder(rate)
        self._two_tone = TwoToneDecoder(rate)
        self._ctcss = CtcssDetector(rate, ctcss_hz)
        self._notch = CtcssNotch(rate, ctcss_hz)
        ramp = round(rate * _RAMP_S)
        self._fall: NDArray[np.float64] = np.zeros(rate // 50)
        self._fall[:ramp] = np.linspace(1.0, 0.0, ramp, endpoint=False)
        self._rise = 1.0 - self._fall
        self._silence = _Silence()

    @property
    def ctcss_hz(self) -> float | None:
        """Return the CTCSS tone that is heard now."""
        return self._ctcss.heard_hz

    @property
    def active(self) -> bool:
        """Tell whether the last frame held signalling other than CTCSS."""
        return self._silence.left > 0

    def process(self, frame: PcmFrame, *, allow: bool) -> PcmFrame:
        """Hear `frame`, shape (rate // 50,) int16, and return what may go on.

        That is `frame` itself where signalling is allowed or there is none, else a new array.
        """
        self._hear(frame)
        # The notch runs on while it is not needed: switched on in mid-voice it would ring.
        cleaned = self._notch.feed(
            frame.astype(np.float64), self._ctcss.low_band, self._ctcss.heard_hz
        )
        self.voice_dbfs = _level_dbfs(cleaned)
        before, self._silence.silent = self._silence.silent, self.active and not allow
        if allow:
            return frame
        if self._silence.silent:
            self.silenced += 1
            cleaned = cleaned * 0.0 if before else cleaned * self._fall
        elif before:
            cleaned = cleaned * self._rise
        elif self._notch.tone_hz is None:
            return frame
        np.rint(cleaned, out=cleaned)
        np.clip(cleaned, -32768.0, 32767.0, out=cleaned)
        out: PcmFrame = cleaned.astype(np.int16)
        return out

    def forget_tone(self) -> None:
        """Forget the CTCSS tone alone."""
        self._ctcss.reset()

    def reset(self) -> None:
        """Forget the past: the receiver was deaf meanwhile."""
        for part in (self._to_8k, self._mdc, self._dtmf, self._two_tone, self._ctcss, self._notch):
            part.reset()
        self.signals = []
        self._silence = _Silence()

    def _hear(self, frame: PcmFrame) -> None:
        samples = self.samples_8k = self._to_8k.feed(frame)
        signals: list[Signal] = []
        signals += self._mdc.feed_8k(samples)
        signals += self._dtmf.feed_8k(samples)
        signals += self._two_tone.feed_8k(samples)
        self._ctcss.feed_8k(samples)
        self.signals = signals
        state = self._silence
        page = self._page()
        is_long = page and self._two_tone.tone.frames >= _LONG_FRAMES
        state.page = _PAGE_FRAMES if is_long else max(0, state.page - 1)
        if self._preamble():
            state.left = _SYNC_FRAMES + 1
        elif page or self._mdc.in_burst or self._dtmf.hit:
            state.left = max(state.left - 1, _HOLD_FRAMES + 1)
        elif state.left:
            state.left -= 1

    def _page(self) -> bool:
        """Tell whether a tone has stood still for so long that it may be a page."""
        tone = self._two_tone.tone
        if abs(tone.frequency_hz - TEST_TONE_HZ) <= _TEST_TONE_OFF_HZ:
            return False
        return tone.frames >= (_NEXT_FRAMES if self._silence.page else _STILL_FRAMES)

    def _preamble(self) -> bool:
        tone = self._two_tone.tone
        return (
            tone.frames >= _PREAMBLE_FRAMES
            and tone.share >= _PREAMBLE_SHARE
            and any(abs(tone.frequency_hz - hz) <= _PREAMBLE_OFF_HZ for hz in _PREAMBLES_HZ)
        )
