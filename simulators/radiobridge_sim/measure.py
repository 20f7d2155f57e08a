"""What became of speech on its way: delay, holes, clipped ends, level; from two recordings alone.

Both recordings share one time zero, so the place where a piece of what was said is found again in
what was heard is its delay from mouth to ear. The steps, for each phrase:

1. Windows of 400 ms, 100 ms apart, are looked for by normalised cross-correlation. Each match gives
   one delay; the median and 95th percentile over all windows are reported.
2. Where the delay of consecutive windows changes, the place of the change is searched: time was
   put in or taken out there. In a pause of speech that is the jitter buffer adapting; inside speech
   it is a fault, reported as `inserted_ms` or counted in `missing_ms`.
3. Blocks of 5 ms in which something was said are compared with what was heard at the same place:
   18 dB below what it should be is missing. At the start and the end that is clipping; inside, a
   run of at least 10 ms is a hole.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from radiobridge_sim.sound import RATE, Pcm

WINDOW = RATE * 4 // 10
HOP = RATE // 10
BLOCK = RATE // 200
"""5 ms."""

BLOCK_MS = 1000 * BLOCK / RATE
HOLE_MS = 10.0
"""A shorter hole, or less time put in, is not counted as one."""

EARLIEST = -RATE // 50
LATEST = RATE
"""Delays from -20 ms to 1 s are looked for."""

MATCH = 0.5
"""A window is found again when its normalised correlation reaches this."""

ACTIVE_BELOW_SPEECH_DB = 20.0
MISSING_DB = 18.0
SHIFT = RATE * 3 // 1000
"""Windows whose delays differ by more than 3 ms are apart."""

_Float: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One window of speech, found again."""

    at: int
    """First sample of the window."""
    lag: int
    """Delay in samples."""
    score: float
    """Normalised correlation, up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A place in a phrase where the delay changes."""

    at: int
    """Position in what was said."""
    samples: int
    """Positive: time was put in; negative: taken out."""
    in_pause: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseMeasure:
    """What became of one phrase."""

    phrase: str
    windows: int
    """Windows with speech in them."""
    matches: tuple[Match, ...]
    missing_ms: float
    """Holes and pieces cut out, inside the phrase."""
    longest_gap_ms: float
    """The longest of them and of the times put in inside speech; 0 when there is none of 10 ms."""
    shifts: tuple[Shift, ...]
    """Where the delay changes."""
    clipped_start_ms: float
    clipped_end_ms: float
    level_change_db: float
    """How much louder it is heard than said."""

    @property
    def lags_ms(self) -> list[float]:
        """Return the delay of each window found, in ms."""
        return [1000.0 * m.lag / RATE for m in self.matches]

    @property
    def inserted_ms(self) -> float:
        """Return the time put in inside speech."""
        inside = (s.samples for s in self.shifts if not s.in_pause)
        return 1000.0 * sum(samples for samples in inside if samples > 0) / RATE

    @property
    def found(self) -> float:
        """Return the share of windows found again."""
        return len(self.matches) / self.windows if self.windows else 0.0

    @property
    def missing_frames(self) -> int:
        """Return the missing time in voice frames of 20 ms."""
        return math.ceil(self.missing_ms / 20.0)

    @property
    def whole(self) -> bool:
        """Tell whether everything said was heard, and nothing of 10 ms or more in between."""
        faults = max(self.missing_ms, self.inserted_ms)
        clipped = max(self.clipped_start_ms, self.clipped_end_ms)
        return self.found >= 0.9 and faults < HOLE_MS and clipped <= BLOCK_MS


def measure_phrase(
    said: Pcm, heard: Pcm, start: int, end: int, phrase: str = "", latest: int = LATEST
) -> PhraseMeasure:
    """Measure the phrase that is said in [start, end) samples.

    `said` and `heard` are full recordings on the same time zero, int16 at `RATE`; delays up to
    `latest` samples are looked for: a trunked system may take its time.
    """
    mouth = said[start:end].astype(np.float64)
    ear = _padded(heard, start + EARLIEST, end + latest)
    active = _active_blocks(mouth)
    matches, windows = _find_windows(mouth, ear, active)
    if not matches:
        return _nothing(phrase, windows, active)
    runs = _runs(matches)
    shifts = _shifts(runs, mouth, ear, active)
    lags = _lag_of_blocks(runs, shifts, len(active))
    present = _present_blocks(mouth, ear, active & _found_blocks(matches, len(active)), lags)
    spoken = np.flatnonzero(active)
    alive = np.flatnonzero(active & present)
    first, last = (int(alive[0]), int(alive[-1])) if len(alive) else (len(active), -1)
    cut = sum(-s.samples for s in shifts if s.samples < 0 and not s.in_pause)
    holes = _holes_ms(active, present, first, last)
    jumps = [1000.0 * abs(s.samples) / RATE for s in shifts if not s.in_pause]
    return PhraseMeasure(
        phrase=phrase,
        windows=windows,
        matches=tuple(matches),
        missing_ms=sum(holes) + 1000.0 * cut / RATE,
        longest_gap_ms=max([*holes, *jumps], default=0.0),
        shifts=tuple(shifts),
        clipped_start_ms=BLOCK_MS * max(0, first - int(spoken[0])),
        clipped_end_ms=BLOCK_MS * max(0, int(spoken[-1]) - last),
        level_change_db=_level_change(mouth, ear, active & present, lags),
    )


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the value that `share` percent of all values do not exceed; None for no values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(len(ordered), max(1, math.ceil(share / 100 * len(ordered)))) - 1]


def is_silent(heard: Pcm, start: int, end: int) -> bool:
    """Tell whether nothing at all was heard in [start, end) samples."""
    return not heard[start:end].any()


def _padded(samples: Pcm, first: int, last: int) -> _Float:
    out = np.zeros(last - first)
    begin, stop = max(0, first), min(len(samples), last)
    if begin < stop:
        out[begin - first : stop - first] = samples[begin:stop]
    return out


def _block_power(samples: _Float) -> _Float:
    blocks = len(samples) // BLOCK
    power: _Float = np.mean(np.square(samples[: blocks * BLOCK].reshape(blocks, BLOCK)), axis=1)
    return power


def _active_blocks(mouth: _Float) -> NDArray[np.bool_]:
    power = _block_power(mouth)
    loud = power[power > np.mean(power) / 10] if len(power) else power
    speech = float(np.mean(loud)) if len(loud) else 0.0
    return power > max(speech * 10 ** (-ACTIVE_BELOW_SPEECH_DB / 10), 1.0)


def _find_windows(mouth: _Float, ear: _Float, active: NDArray[np.bool_]) -> tuple[list[Match], int]:
    spoken = np.flatnonzero(active)
    if not len(spoken):
        return [], 0
    first, last = int(spoken[0]) * BLOCK, (int(spoken[-1]) + 1) * BLOCK
    size = min(WINDOW, last - first)
    starts = [*range(first, last - size, HOP), last - size]
    matches, windows = [], 0
    for at in starts:
        if np.mean(active[at // BLOCK : (at + size) // BLOCK]) < 0.3:
            continue
        windows += 1
        match = _find(mouth, ear, at, size)
        if match.score >= MATCH:
            matches.append(match)
    return matches, windows


def _find(mouth: _Float, ear: _Float, at: int, size: int) -> Match:
    window = mouth[at : at + size]
    region = ear[at : at + size + len(ear) - len(mouth)]
    products = _correlation(region, window)
    energy = np.concatenate(([0.0], np.cumsum(np.square(region))))
    norm = np.sqrt(np.maximum(energy[size:] - energy[:-size], 1.0) * float(window @ window))
    scores = products / norm
    best = int(np.argmax(scores))
    return Match(at=at, lag=best + EARLIEST, score=float(scores[best]))


def _correlation(region: _Float, window: _Float) -> _Float:
    """Return the products of `window` with every part of `region`; by FFT, which is quicker."""
    length = 1 << (len(region) - 1).bit_length()
    spectrum = np.fft.rfft(region, length) * np.conj(np.fft.rfft(window, length))
    return np.fft.irfft(spectrum, length)[: len(region) - len(window) + 1]


def _runs(matches: Sequence[Match]) -> list[list[Match]]:
    """Group consecutive windows of like delay; a lone one between two equals is a mistake."""
    runs: list[list[Match]] = []
    for match in matches:
        if runs and abs(match.lag - runs[-1][-1].lag) <= SHIFT:
            runs[-1].append(match)
        else:
            runs.append([match])
    solid = [run for run in runs if len(run) > 1] or runs[:1]
    joined: list[list[Match]] = []
    for run in solid:
        if joined and abs(_lag(run) - _lag(joined[-1])) <= SHIFT:
            joined[-1] += run
        else:
            joined.append(run)
    return joined


def _lag(run: Sequence[Match]) -> int:
    return sorted(m.lag for m in run)[len(run) // 2]


def _shifts(
    runs: Sequence[Sequence[Match]], mouth: _Float, ear: _Float, active: NDArray[np.bool_]
) -> list[Shift]:
    shifts = []
    for before, after in itertools.pairwise(runs):
        begin = before[-1].at // BLOCK
        stop = min(len(active), (after[0].at + WINDOW) // BLOCK)
        old = _error(mouth, ear, _lag(before))[begin:stop]
        new = _error(mouth, ear, _lag(after))[begin:stop]
        cost = np.concatenate(([0.0], np.cumsum(old))) + np.concatenate(
            (np.cumsum(new[::-1])[::-1], [0.0])
        )
        split = begin + int(np.argmin(cost))
        samples = _lag(after) - _lag(before)
        quiet = _in_pause(active, split)
        shifts.append(Shift(at=split * BLOCK, samples=samples, in_pause=quiet))
    return shifts


def _error(mouth: _Float, ear: _Float, lag: int) -> _Float:
    heard = ear[lag - EARLIEST : lag - EARLIEST + len(mouth)]
    return _block_power(heard - mouth)


def _in_pause(active: NDArray[np.bool_], split: int) -> bool:
    """Tell whether nothing is said at `split`: two of the four blocks around it are quiet."""
    near = active[max(0, split - 2) : split + 2]
    return int(np.count_nonzero(near)) <= len(near) - 2


def _lag_of_blocks(
    runs: Sequence[Sequence[Match]], shifts: Sequence[Shift], blocks: int
) -> NDArray[np.int64]:
    lags = np.full(blocks, _lag(runs[0]), np.int64)
    for run, shift in zip(runs[1:], shifts, strict=True):
        lags[shift.at // BLOCK :] = _lag(run)
    return lags


def _heard_power(ear: _Float, lags: NDArray[np.int64]) -> _Float:
    starts = np.arange(len(lags)) * BLOCK + lags - EARLIEST
    index = starts[:, None] + np.arange(BLOCK)[None, :]
    power: _Float = np.mean(np.square(ear[index]), axis=1)
    return power


def _found_blocks(matches: Sequence[Match], blocks: int) -> NDArray[np.bool_]:
    found = np.zeros(blocks, np.bool_)
    for match in matches:
        found[match.at // BLOCK : (match.at + WINDOW) // BLOCK] = True
    return found


def _present_blocks(
    mouth: _Float, ear: _Float, known: NDArray[np.bool_], lags: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """`known` was heard, and tells how much louder: all may be mostly silence."""
    said, heard = _block_power(mouth), _heard_power(ear, lags)
    change = float(np.median(heard[known] / said[known]))
    return heard >= said * change * 10 ** (-MISSING_DB / 10)


def _holes_ms(
    active: NDArray[np.bool_], present: NDArray[np.bool_], first: int, last: int
) -> list[float]:
    """Return the lengths of the holes between two blocks that are there."""
    holes, run = [], 0
    for block in range(first, last + 1):
        if active[block] and not present[block]:
            run += 1
            continue
        holes.append(run * BLOCK_MS)
        run = 0
    return [hole for hole in holes if hole >= HOLE_MS]


def _level_change(
    mouth: _Float, ear: _Float, alive: NDArray[np.bool_], lags: NDArray[np.int64]
) -> float:
    said = float(np.sum(_block_power(mouth)[alive]))
    heard = float(np.sum(_heard_power(ear, lags)[alive]))
    return 10.0 * math.log10(heard / said) if said > 0.0 and heard > 0.0 else 0.0


def _nothing(phrase: str, windows: int, active: NDArray[np.bool_]) -> PhraseMeasure:
    spoken = float(np.count_nonzero(active)) * BLOCK_MS
    return PhraseMeasure(
        phrase=phrase,
        windows=windows,
        matches=(),
        missing_ms=spoken,
        longest_gap_ms=spoken,
        shifts=(),
        clipped_start_ms=spoken,
        clipped_end_ms=spoken,
        level_change_db=0.0,
    )
