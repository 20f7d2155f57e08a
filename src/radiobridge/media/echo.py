"""Finds what a radio has heard before in what it hears now: a loop closed by radio waves.

Each frame of 20 ms is reduced to its power in ten bands from 300 to 3400 Hz, in dB, without their
mean; a frame below -44 dBFS to nothing. So loudness and rhythm do not count, only what is said. The
newest second is compared with each second that began up to 3.2 s before, band by band and without
the mean of each band, so that filters on the way do not count either. What has come back through
our codec and the air matches by 0.8 or more (1 is equal), other words by 0.5, and by 0.6 at most.

An echo also begins as long after a beginning as it lies back: a loop takes up a transmission from
its start. So words that somebody says twice, a siren and an alarm are none. (A loop that holds
itself up within one transmission repeats the same piece for ever, as a siren does: `repeats` tells
of both, and who asks finds out by letting go for a moment.) And what comes back
exactly, sample by sample, has not been through our codec: it is a recording that is played again.

Somebody who cries the same words twice, pressing his key anew, must not be taken for a loop: his
radio would be cut. A loop comes back at once, as soon as the other radio finds the channel clear
(the receiver was closed for 0.4 s at most); or, if something elsewhere holds the words back, turn
for turn after the same time (to 60 ms): it is found at the second turn then.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from radiobridge.media.filters import Samples
from radiobridge.media.resample import FRAME, RATE, To8k
from radiobridge.model.voice import FRAME_S, PcmFrame

Floats = NDArray[np.float32]

WITHIN_S = 3.2
"""How far back an echo is looked for: 3 s (DESIGN 7), and the time that a radio takes to key."""

_WINDOW = 50
_NEAREST, _FARTHEST = 15, round(WITHIN_S / FRAME_S)
_KEPT = _WINDOW + _FARTHEST
_EVERY = 10
"""Frames between two looks."""

_BANDS = 10
_FLOOR = 1e-5
"""-50 dBFS: what is below says nothing."""
_ACTIVE = 4e-5
_LEAST_ACTIVE = 20
_SOME_ACTIVE = 6
"""What is enough to see that a sound repeats itself."""
_PAUSES = 45
"""Frames with sound of the newest second, at most, where somebody speaks."""
_LEAST_VARIANCE = 4.0
"""dB squared: a steady sound is no words."""

_MATCH = 0.75
_ALIGNED = 25
"""Frames by which the beginnings may lie otherwise than the sound: a preroll, a lead-in."""
_EXACT = 0.985
_AT_ONCE = 20
"""Frames for which a receiver is closed at most before what comes back at once."""
_SPEAKS = 4
"""Frames with sound in a row that begin to speak: the click of a carrier is shorter."""
_TURN = 3
"""Frames by which two turns of a loop may differ."""
_REPEATS = 5
_COMPARED = _WINDOW
"""Frames that are compared sample by sample."""
_GAP = 3
"""Frames by which a clock may seem to be late: more is silence."""


class Echo(NamedTuple):
    """What was heard again."""

    back_s: float
    """How long ago it was heard the first time."""
    match: float
    """Up to 1."""


def _matrix() -> Floats:
    edges = np.geomspace(300.0, 3400.0, _BANDS + 1)
    hz = np.arange(FRAME // 2 + 1) * (RATE / FRAME)
    inside = (hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])
    return inside.astype(np.float32)


@dataclass(slots=True)
class _Start:
    """Somebody came on. Places in time are in frames."""

    slot: int
    closed: int
    """Frames for which nothing had been heard."""
    voice: int | None = None
    """Where the first sound came: a transmitter may send silence before."""


class Track:
    """The newest seconds of what one radio heard.

    Bound: 4.4 s of features and sound, 330 kB. Times are monotonic s and never go back.
    """

    _matrix = _matrix()
    _shape = np.hanning(FRAME).astype(np.float32)

    def __init__(self, rate: int) -> None:
        """Take frames of 20 ms at `rate` Hz."""
        self._to_8k = To8k(rate)
        self._rows: Floats = np.zeros((2 * _KEPT, _BANDS), np.float32)
        self._sound: Samples = np.zeros((2 * _KEPT, FRAME), np.float32)
        self.slot = -_KEPT
        """The newest frame's place in time, in frames."""
        self.starts: deque[_Start] = deque(maxlen=8)
        self._run = 0
        """Frames with sound in a row."""

    def begin(self, now: float) -> None:
        """Somebody comes on: COR rises, or a voice begins under it."""
        slot, closed = int(now / FRAME_S), 0
        if self.starts and slot - self.starts[-1].slot <= _ALIGNED:
            closed = self.starts[-1].closed  # a carrier that bounces comes on once
        self.starts.append(_Start(slot, max(closed, slot - self.slot)))

    def feed(self, frame: PcmFrame, now: float) -> None:
        """Take the next 20 ms."""
        samples = self._to_8k.feed(frame)
        self.skip_to(now)
        power = np.abs(np.fft.rfft(samples * self._shape)).astype(np.float32)
        power *= power * np.float32(1.0 / FRAME)
        bands = power @ self._matrix * np.float32(2.0 / FRAME) + _FLOOR
        if float(bands.max()) < _ACTIVE:
            self._run = 0
            self._put(0.0, samples)
            return
        row = (10.0 * np.log10(bands)).astype(np.float32)
        self._put(row - row.mean(), samples)
        self._run += 1
        if self._run == _SPEAKS and self.starts and self.starts[-1].voice is None:
            self.starts[-1].voice = self.slot - _SPEAKS + 1

    def skip_to(self, now: float) -> None:
        """There was nothing up to now."""
        missing = int(now / FRAME_S) - self.slot - 1
        if missing > _GAP:
            for _ in range(min(missing, _KEPT)):
                self._put(0.0, 0.0)
            self.slot = int(now / FRAME_S) - 1

    def _put(self, row: Floats | float, samples: Samples | float) -> None:
        self.slot += 1
        at = self.slot % _KEPT
        self._rows[at] = self._rows[at + _KEPT] = row
        self._sound[at] = self._sound[at + _KEPT] = samples

    @property
    def rows(self) -> Floats:
        """Return the features, oldest first: shape (frames, bands)."""
        at = self.slot % _KEPT + 1
        return self._rows[at : at + _KEPT]

    def sound(self, frames: int, back: int) -> Samples:
        """Return `frames` of sound that end `back` frames before the newest: shape (n,)."""
        end = self.slot % _KEPT + 1 + _KEPT - back
        return self._sound[end - frames : end].reshape(-1)


class EchoFinder:
    """Listens to one receiver for what it has heard before."""

    def __init__(self, rate: int) -> None:
        """Take frames of 20 ms at `rate` Hz."""
        self.heard = Track(rate)
        self._next = _EVERY
        self._turns: deque[tuple[int, int, int]] = deque(maxlen=8)
        """Echoes that may have been words said again: where the words began, where they came back,
        and how far back they lay."""
        self.pauses = False
        """Whether the newest second had pauses, as words have, and sirens have not."""
        self._same = 0
        """Looks in a row at which a piece of the same transmission has come again."""

    def hear(self, frame: PcmFrame, now: float) -> bool:
        """Take 20 ms that count as somebody's voice; tell whether it is time to `look`."""
        self.heard.feed(frame, now)
        self._next -= 1
        if self._next > 0:
            return False
        self._next = _EVERY
        return True

    def look(self) -> Echo | None:
        """Compare what was heard last with all before."""
        rows = self.heard.rows
        newest = rows[-_WINDOW:]
        centred = newest - newest.mean(axis=0)
        active = int(newest.any(axis=1).sum())
        self.pauses = active <= _PAUSES
        if active < _SOME_ACTIVE or float((centred**2).mean()) < _LEAST_VARIANCE:
            self._same = 0
            return None
        scores = _scores(centred, rows[:-_NEAREST])
        best = int(scores.argmax())
        match = float(scores[best])
        back = _NEAREST + scores.size - 1 - best
        began = self.heard.starts[-1].slot if self.heard.starts else 0
        within = self.heard.slot - back - _WINDOW >= began - _ALIGNED
        self._same = self._same + 1 if match >= _MATCH and within else 0
        words = match >= _MATCH and active >= _LEAST_ACTIVE
        if self._since(began, rows[-_WINDOW - back : -back], self.heard.slot - back):
            # Said twice under one carrier: nobody has come on in between to send it back.
            return None
        if not words or not self._returns(back) or self._exact(back):
            return None
        return Echo(back * FRAME_S, match)

    @property
    def returned(self) -> bool:
        """Tell whether this transmission began with words that may have come back."""
        return any(slot == self.heard.starts[-1].slot for _, slot, _ in self._turns)

    @property
    def repeats(self) -> bool:
        """Tell whether one transmission says the same again and again, whatever it is."""
        return self._same >= _REPEATS

    @staticmethod
    def _since(began: int, rows: Floats, end: int) -> bool:
        """Tell whether most of what `rows` hold, up to the slot `end`, was said since `began`."""
        after = max(0, end - began)
        said = int(rows[-after:].any(axis=1).sum()) if after else 0
        return 2 * said > int(rows.any(axis=1).sum())

    def _returns(self, back: int) -> bool:
        """Tell whether somebody came on as long after another as the sound lies back.

        He must have done so at once, or as long after him as he after one before.
        """
        starts = self.heard.starts
        pairs = [
            (first.slot, again)
            for again in starts
            for first in starts
            if again.slot > first.slot and _as_long(first, again, back)
        ]
        if any(again.closed <= _AT_ONCE for _, again in pairs):
            return True
        turns = [(first, again.slot, back) for first, again in pairs]
        found = any(
            first == came_back and abs(back - before) <= _TURN
            for first, _, _ in turns
            for _, came_back, before in self._turns
        )
        self._turns.extend(turn for turn in turns if turn not in self._turns)
        return found

    def _exact(self, back: int) -> bool:
        """Tell whether the sound is the same sample by sample."""
        now = self.heard.sound(_COMPARED, 0)
        then = self.heard.sound(_COMPARED + 4, max(back - 2, 0)).astype(np.float64)
        length = 1 << (then.size - 1).bit_length()
        spectrum = np.fft.rfft(then, length) * np.conj(np.fft.rfft(now, length))
        products = np.fft.irfft(spectrum, length)[: then.size - now.size + 1]
        energy = np.concatenate(([0.0], np.cumsum(then * then)))
        energy = energy[now.size :] - energy[: -now.size]
        norm = np.sqrt(np.maximum(energy * float(now @ now), 1e-12))
        return float((products[: norm.size] / norm).max()) > _EXACT


def _as_long(first: _Start, again: _Start, back: int) -> bool:
    """Tell whether one came on about `back` frames after the other, or began to speak so."""
    if abs(again.slot - first.slot - back) <= _ALIGNED:
        return True
    if first.voice is None or again.voice is None:
        return False
    return abs(again.voice - first.voice - back) <= _ALIGNED


def _scores(centred: Floats, rows: Floats) -> Floats:
    """Return how well each stretch of `rows` matches: shape (len(rows) - 49,), oldest first."""
    single = np.ascontiguousarray(rows @ centred.T)
    down, right = single.strides
    along = as_strided(single, (len(rows) - _WINDOW + 1, _WINDOW), (down, down + right))
    energy = _sums((rows * rows).sum(axis=1)) - (_sums(rows) ** 2).sum(axis=1) / _WINDOW
    norm = np.sqrt(np.maximum(energy, 0.0) * float((centred * centred).sum()))
    scores: Floats = (along.sum(axis=1) / np.maximum(norm, 1.0)).astype(np.float32)
    return scores


def _sums(values: Floats) -> NDArray[np.float64]:
    """Return the sums of each 50 values in a row, along the first axis."""
    total = np.cumsum(values, axis=0, dtype=np.float64)
    total[_WINDOW:] -= total[:-_WINDOW].copy()
    return total[_WINDOW - 1 :]
