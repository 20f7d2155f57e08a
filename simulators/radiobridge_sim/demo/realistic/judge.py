"""Whether a call was heard whole, and whether a transmitter was keyed for nothing.

A call is whole when, in what was heard,

- nothing is clipped at the start or the end, and no hole of 10 ms or more is inside (`measure`);
- it is as loud as it was said, within `LEVEL_DB`;
- it is as long: its first and its last `EDGE_S` are heard as far apart as they were said, within
  two voice frames;
- both are recognised: they correlate with what was said there by `RECOGNISED` at least.

Keys are right when each belongs to one thing said on the other side, each thing said to one key at
most, and each ends soon after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from radiobridge_sim.measure import PhraseMeasure, measure_phrase, percentile
from radiobridge_sim.sound import RATE, Pcm

EDGE_S = 0.2
"""What is compared at the start and at the end."""

LEVEL_DB = 3.0
LENGTH_MS = 40.0
RECOGNISED = 0.7
NEAR_S = 0.1
"""An edge is looked for this far from where the call as a whole was found."""

LATEST_S = 3.0
"""A call that comes later than this has not come."""

KEYED_LATE_S = 0.8
"""The key comes this long after the end of what was said at the latest."""

RELEASED_S = 3.5
"""So does the release: grant, queue, tail and hang of the squelch together."""

_Float: TypeAlias = NDArray[np.float64]


class Edge(NamedTuple):
    """The start or the end of a call, found again."""

    delay_ms: float
    score: float
    """Normalised correlation, up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one call."""

    measured: PhraseMeasure
    start: Edge
    end: Edge

    @property
    def delay_ms(self) -> float | None:
        """Return the delay from mouth to ear; None when nothing was heard."""
        return percentile(self.measured.lags_ms, 50)

    @property
    def level_db(self) -> float:
        """Return how much louder it was heard than said."""
        return self.measured.level_change_db

    @property
    def length_ms(self) -> float:
        """Return how much longer it was heard than said."""
        return self.end.delay_ms - self.start.delay_ms

    @property
    def faults(self) -> tuple[str, ...]:
        """Return what is wrong with it: `lost`, or some of `holes`, `level`, `length`, `end`..."""
        if not self.measured.matches:
            return ("lost",)
        found = {
            "holes": not self.measured.whole,
            "level": abs(self.level_db) > LEVEL_DB,
            "length": abs(self.length_ms) > LENGTH_MS,
            "start": self.start.score < RECOGNISED,
            "end": self.end.score < RECOGNISED,
        }
        return tuple(name for name, wrong in found.items() if wrong)

    @property
    def whole(self) -> bool:
        """Tell whether it was heard whole."""
        return not self.faults


def judge(said: Pcm, heard: Pcm, start: int, end: int, phrase: str = "") -> Verdict:
    """Judge the call that is said in [start, end) samples.

    `said` and `heard` are recordings on the same time zero, int16 at `RATE`; of `heard` nothing
    may be there that was said after this call.
    """
    measured = measure_phrase(said, heard, start, end, phrase, latest=round(LATEST_S * RATE))
    edge = round(EDGE_S * RATE)
    delay = percentile(measured.lags_ms, 50)
    lag = 0 if delay is None else round(delay * RATE / 1000.0)
    return Verdict(
        measured=measured,
        start=_edge(said, heard, start, start + edge, lag),
        end=_edge(said, heard, end - edge, end, lag),
    )


def _edge(said: Pcm, heard: Pcm, first: int, last: int, lag: int) -> Edge:
    """Find [first, last) of what was said again, near `lag` samples later."""
    near = round(NEAR_S * RATE)
    low = max(0, first + lag - near)
    mouth = said[first:last].astype(np.float64)
    ear = np.zeros(len(mouth) + 2 * near)
    there = heard[low : low + len(ear)]
    ear[: len(there)] = there
    scores = _scores(ear, mouth)
    best = int(np.argmax(scores))
    return Edge(delay_ms=1000.0 * (low + best - first) / RATE, score=float(scores[best]))


def _scores(ear: _Float, mouth: _Float) -> _Float:
    products = np.correlate(ear, mouth)
    energy = np.concatenate(([0.0], np.cumsum(np.square(ear))))
    parts = energy[len(mouth) :] - energy[: -len(mouth)]
    scores: _Float = products / np.sqrt(np.maximum(parts, 1.0) * max(float(mouth @ mouth), 1.0))
    return scores


class Spoken(NamedTuple):
    """Something said that the other side's transmitter may be keyed for, in s."""

    start_s: float
    end_s: float


class Keys(NamedTuple):
    """How one transmitter was keyed."""

    total: int
    false: tuple[tuple[float, float], ...]
    """The keys (on, off; in s) that nothing asked for, or that were one too many."""


def judge_keys(keyed: Sequence[tuple[float, float]], spoken: Sequence[Spoken]) -> Keys:
    """Hold the times for which PTT was on against what was said on the other side."""
    used: set[Spoken] = set()
    false = []
    for on, off in keyed:
        reason = next((one for one in spoken if _asks(one, on, off) and one not in used), None)
        if reason is None:
            false.append((on, off))
        else:
            used.add(reason)
    return Keys(len(keyed), tuple(false))


def _asks(one: Spoken, on: float, off: float) -> bool:
    return one.start_s <= on <= one.end_s + KEYED_LATE_S and off <= one.end_s + RELEASED_S
