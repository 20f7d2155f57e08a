"""`report.json`: what was expected, what was measured, and how the voice fared."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from radiobridge.text import Language, Text
from radiobridge_sim.demo.exchange import Exchange
from radiobridge_sim.measure import percentile
from radiobridge_sim.sound import RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One step of the story."""

    id: str
    title: Text
    expected: Text
    measured: Text
    ok: bool

    def to_json(self, language: Language) -> dict[str, Any]:
        """Return the step as `report.json` has it."""
        return {
            "id": self.id,
            "title": self.title.to(language),
            "expected": self.expected.to(language),
            "measured": self.measured.to(language),
            "ok": self.ok,
        }


def voice_entry(exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """Return how the voice fared in one direction; `exchanges` are all from and to the same."""
    measures = [e.measured for e in exchanges]
    lags = [lag for m in measures for lag in m.lags_ms]
    return {
        "from": exchanges[0].source.unit,
        "to": exchanges[0].target.unit,
        "mouth_to_ear_ms": {
            "median": _rounded(percentile(lags, 50)),
            "p95": _rounded(percentile(lags, 95)),
            "max": _rounded(percentile(lags, 100)),
            "windows": len(lags),
        },
        "lost_packets": sum(m.missing_frames for m in measures),
        "missing_ms": sum(m.missing_ms for m in measures),
        "inserted_ms": _rounded(sum(m.inserted_ms for m in measures)),
        "clipped_start_ms": max(m.clipped_start_ms for m in measures),
        "clipped_end_ms": max(m.clipped_end_ms for m in measures),
        "level_change_db": _rounded(statistics.mean(m.level_change_db for m in measures)),
        "whole": all(m.whole for m in measures),
        "cor_to_ptt_ms": _delays(exchanges),
        "phrases": [_phrase(e) for e in exchanges],
    }


def voice_entries(exchanges: Iterable[Exchange]) -> list[dict[str, Any]]:
    """Return one entry for each direction in which somebody spoke."""
    directions: dict[tuple[str, str], list[Exchange]] = {}
    for entry in exchanges:
        directions.setdefault((entry.source.unit, entry.target.unit), []).append(entry)
    return [voice_entry(found) for found in directions.values()]


def _delays(exchanges: Sequence[Exchange]) -> dict[str, Any]:
    delays = [e.cor_to_ptt_ms for e in exchanges if e.cor_to_ptt_ms is not None]
    return {
        "median": _rounded(statistics.median(delays) if delays else None),
        "max": _rounded(max(delays, default=None)),
        "count": len(delays),
    }


def _phrase(entry: Exchange) -> dict[str, Any]:
    measured = entry.measured
    return {
        "phrase": measured.phrase,
        "median_ms": _rounded(percentile(measured.lags_ms, 50)),
        "p95_ms": _rounded(percentile(measured.lags_ms, 95)),
        "missing_ms": measured.missing_ms,
        "clipped_start_ms": measured.clipped_start_ms,
        "clipped_end_ms": measured.clipped_end_ms,
        "shifts": [
            {"at_s": s.at / RATE, "ms": 1000.0 * s.samples / RATE, "in_pause": s.in_pause}
            for s in measured.shifts
        ],
        "cor_to_ptt_ms": _rounded(entry.cor_to_ptt_ms),
        "whole": measured.whole,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
