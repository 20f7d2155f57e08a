"""MDC1200: the data burst by which analog radios tell who they are, and that there is an emergency.

1200 baud, minimum shift keying: one cycle of 1200 Hz says that the bit is the same as the one
before, one and a half of 1800 Hz that it is another. So the phase of the wave where two bits meet
is the bit itself: there the wave is at one of two opposite phases. Looked at like that the signal
is an offset QPSK around 1500 Hz, and its best receiver is one filter, two bits long, sampled where
bits meet. Nothing is differential, so one wrong bit stays one wrong bit.

The filter runs on a grid of 20 points for each bit. Over each stretch of 40 bits the 40-bit
sync word is correlated with complex phase: the place of the peak gives the timing, its angle the
phase, and with it the sign of all bits, also when audio or the transmitter's first state is
inverted. No preamble is needed.

Sources and how certain they are: docs/signalling.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobridge.media.filters import Fir, Samples
from radiobridge.media.gain import ratio
from radiobridge.media.level import FULL_SCALE
from radiobridge.media.mdc1200_block import BLOCK_BITS, MdcBlock, decode_block, encode_block
from radiobridge.media.resample import FRAME, RATE, To8k
from radiobridge.model.voice import PcmFrame

BAUD = 1_200
SYNC = 0x07092A446F
SYNC_BITS = 40
PREAMBLE_BITS = 56
"""What radios send before the sync word: 0101…, which is 1800 Hz all along."""

_CENTRE_HZ = 1_500.0
_GRID = 20
"""Points for each bit: 24 kHz, the least at which a bit is a whole number of points."""
_SUB = _GRID * BAUD // RATE
"""Points for each sample at 8 kHz."""
_NEW = FRAME * _SUB // _GRID
"""Bits in a frame."""
_KEPT = BLOCK_BITS + SYNC_BITS + _NEW
_SEEN = SYNC_BITS - 1 + _NEW
_HALF = 7
"""Half the length of the filter in samples: one bit, rounded up."""

_LIKENESS = 0.45
"""Least share of the energy of 40 bits that lies in the sync word. Noise reaches it once in 10⁹
tries; a burst with every eighth bit wrong still does."""

_MOST_LIVE = 4
"""Sync words followed at a time; more cannot be true, the weakest go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MdcPacket:
    """One decoded burst."""

    op: int
    arg: int
    unit: int
    status: int = 0
    extra: tuple[int, int, int] | None = None
    """Of a double packet: the second block's first byte, second byte, and 16-bit unit."""
    repaired: int = 0
    """Bits of the (first) block that were received wrong."""

    @property
    def code(self) -> str:
        """Return operation and argument as people write them: `01/80`."""
        return f"{self.op:02X}/{self.arg:02X}"


@dataclass(slots=True)
class _Burst:
    """One sync word that was seen."""

    row: int
    """Absolute bit number of the last bit of the sync word."""
    phase: int
    """Point of the grid within the bit."""
    turn: complex
    """Unit phase of a bit that is 1."""
    likeness: float
    first: MdcBlock | None = None


class Mdc1200Decoder:
    """Finds and decodes bursts in the audio of one radio."""

    def __init__(self, rate: int) -> None:
        """Listen to frames of 20 ms at `rate` Hz: 8, 16 or 48 kHz."""
        self._to_8k = To8k(rate)
        self._filter = Fir(_templates(), step=1, size=FRAME)
        self._points: NDArray[np.complex64] = np.zeros((_KEPT, _GRID), dtype=np.complex64)
        self._rows = 0
        self._live: list[_Burst] = []

    @property
    def in_burst(self) -> bool:
        """Tell whether a sync word was heard whose block is not over."""
        return bool(self._live)

    def feed(self, frame: PcmFrame) -> list[MdcPacket]:
        """Take the next 20 ms and return the bursts that ended in it."""
        return self.feed_8k(self._to_8k.feed(frame))

    def feed_8k(self, samples: Samples) -> list[MdcPacket]:
        """Take the next 160 samples at 8 kHz, full scale ±1."""
        points = self._points
        points[:-_NEW] = points[_NEW:]
        points[-_NEW:] = self._filter.feed(samples).view(np.complex64).reshape(_NEW, _GRID)
        self._rows += _NEW
        self._search(points[-_SEEN:])
        return self._finish() if self._live else []

    def reset(self) -> None:
        """Forget the past."""
        self._to_8k.reset()
        self._filter.reset()
        self._points[:] = 0.0
        self._live.clear()

    def _search(self, seen: NDArray[np.complex64]) -> None:
        """Look for sync words whose last bit lies in the newest 24 bits."""
        flat = seen.view(np.float32)
        found = (_SYNC_ROWS @ flat).view(np.complex64)
        power = flat * flat
        energy = _ALL_ROWS @ (power[:, 0::2] + power[:, 1::2])
        excess = found.real * found.real + found.imag * found.imag
        excess -= (_LIKENESS * SYNC_BITS) * energy
        at = int(excess.argmax())
        row, phase = divmod(at, _GRID)
        if excess[row, phase] > 0.0:
            peak = complex(found[row, phase])
            likeness = abs(peak) ** 2 / (SYNC_BITS * float(energy[row, phase]))
            turn = peak / abs(peak)
            self._take(_Burst(self._rows - _NEW + row, phase, turn, likeness))

    def _take(self, new: _Burst) -> None:
        """Follow a new sync word; of two closer than a bit the more alike one counts."""
        for old in self._live:
            if abs((new.row - old.row) * _GRID + new.phase - old.phase) < _GRID:
                if new.likeness > old.likeness and old.first is None:
                    self._live.remove(old)
                    break
                return
        self._live.append(new)
        if len(self._live) > _MOST_LIVE:
            self._live.remove(min(self._live, key=lambda burst: burst.likeness))

    def _finish(self) -> list[MdcPacket]:
        done: list[MdcPacket] = []
        for burst in tuple(self._live):
            blocks = 1 if burst.first is None else 2
            if self._rows <= burst.row + blocks * BLOCK_BITS:
                continue
            block = self._block(burst, blocks - 1)
            if blocks == 1 and block is not None and block.is_double:
                burst.first = block
                continue
            self._live.remove(burst)
            first = burst.first or block
            if first is not None:
                done.append(_packet(first, block if blocks == 2 else None))
        return done

    def _block(self, burst: _Burst, number: int) -> MdcBlock | None:
        start = burst.row + 1 + number * BLOCK_BITS - (self._rows - _KEPT)
        values = self._points[start : start + BLOCK_BITS, burst.phase]
        return decode_block((values * np.complex64(burst.turn.conjugate())).real)


def _packet(first: MdcBlock, second: MdcBlock | None) -> MdcPacket:
    return MdcPacket(
        op=first.op,
        arg=first.arg,
        unit=first.unit,
        status=first.status,
        extra=None if second is None else (second.op, second.arg, second.unit),
        repaired=first.repaired,
    )


def mdc_burst(
    packet: MdcPacket,
    rate: int,
    *,
    level_dbfs: float = -20.0,
    preamble_bits: int = PREAMBLE_BITS,
    phase: float = 0.0,
) -> PcmFrame:
    """Return the samples of a burst as a radio sends it, shape (n,), int16.

    `phase` is that of the wave where bits that are 0 meet, in radians; 0 is what encoders do.
    """
    bits = np.concatenate(
        [np.arange(preamble_bits) & 1, _SYNC, encode_block(packet.op, packet.arg, packet.unit)]
    )
    if packet.extra is not None:
        bits = np.concatenate([bits, encode_block(*packet.extra)])
    changed = np.diff(bits, prepend=0) != 0
    # Phase at the ends of all bits, and linear between: 2π for the same bit, 3π for another.
    ends = np.concatenate([[0.0], np.cumsum(np.where(changed, 3.0, 2.0) * np.pi)])
    at = np.arange(round(len(bits) * rate / BAUD)) * (BAUD / rate)
    wave = np.sin(np.interp(at, np.arange(len(ends)), ends) + phase)
    out: PcmFrame = np.rint(wave * min(FULL_SCALE * ratio(level_dbfs), FULL_SCALE - 1.0)).astype(
        np.int16
    )
    return out


def _templates() -> NDArray[np.float32]:
    """Return the filters for the points of one sample: real and imaginary part of each."""
    at = np.arange(2 * _HALF + 1) - float(_HALF)
    columns = []
    for sub in range(_SUB):
        t = (at - sub / _SUB) / RATE
        shape = np.where(np.abs(t) * BAUD < 1.0, np.cos(np.pi / 2.0 * t * BAUD), 0.0)
        wave = shape * np.exp(-2j * np.pi * _CENTRE_HZ * t)
        columns += [wave.real, wave.imag]
    return np.stack(columns, axis=1).astype(np.float32)


_SYNC = np.array([SYNC >> (SYNC_BITS - 1 - n) & 1 for n in range(SYNC_BITS)])


def _rows(weights: NDArray[np.floating]) -> Samples:
    """Return the matrix that slides `weights` over the bits seen, once for each new bit."""
    matrix = np.zeros((_NEW, _SEEN), dtype=np.float32)
    for n in range(_NEW):
        matrix[n, n : n + SYNC_BITS] = weights
    return matrix


_SYNC_ROWS = _rows(_SYNC * 2.0 - 1.0)
_ALL_ROWS = _rows(np.ones(SYNC_BITS))
