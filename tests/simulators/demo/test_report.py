import json

import pytest

from radiobridge.text import Language, Text
from radiobridge_sim.agencies import CBP, OPP
from radiobridge_sim.demo.exchange import Exchange, cor_to_ptt_ms
from radiobridge_sim.demo.report import StepResult, voice_entries
from radiobridge_sim.handheld import Said
from radiobridge_sim.line_log import LineEvent, LineLog
from radiobridge_sim.measure import Match, PhraseMeasure
from radiobridge_sim.sound import RATE


def said(start_s: float, end_s: float) -> Said:
    return Said(
        unit="cbp-7", phrase="call-en", start=round(start_s * RATE), end=round(end_s * RATE)
    )


def exchange(*lags_ms: float, cor_to_ptt: float | None = 10.0, missing: float = 0.0) -> Exchange:
    matches = tuple(Match(at=0, lag=round(lag * RATE / 1000), score=0.9) for lag in lags_ms)
    measured = PhraseMeasure(
        phrase="call-en",
        windows=len(matches),
        matches=matches,
        missing_ms=missing,
        longest_gap_ms=missing,
        shifts=(),
        clipped_start_ms=0.0,
        clipped_end_ms=0.0,
        level_change_db=-0.3,
    )
    return Exchange(
        said=said(1.0, 2.0),
        source=CBP,
        target=OPP,
        measured=measured,
        cor_to_ptt_ms=cor_to_ptt,
    )


def event(t: float, radio: str, line: str, value: int) -> LineEvent:
    return LineEvent(t=t, radio=radio, line=line, value=value, cause="test")


def test_a_direction_sums_its_phrases_up() -> None:
    (entry,) = voice_entries([exchange(40.0, 50.0), exchange(60.0, cor_to_ptt=20.0, missing=25.0)])
    assert (entry["from"], entry["to"]) == ("cbp-7", "opp-12")
    assert entry["mouth_to_ear_ms"] == {"median": 50.0, "p95": 60.0, "max": 60.0, "windows": 3}
    assert entry["lost_packets"] == 2
    assert entry["missing_ms"] == 25.0
    assert entry["whole"] is False
    assert entry["cor_to_ptt_ms"] == {"median": 15.0, "max": 20.0, "count": 2}
    assert json.dumps(entry)


def test_nothing_heard_has_no_delay() -> None:
    (entry,) = voice_entries([exchange(cor_to_ptt=None)])
    assert entry["mouth_to_ear_ms"] == {"median": None, "p95": None, "max": None, "windows": 0}
    assert entry["cor_to_ptt_ms"] == {"median": None, "max": None, "count": 0}
    assert entry["whole"] is False


def test_cor_to_ptt_pairs_the_near_cor_with_the_far_ptt() -> None:
    log = LineLog()
    for e in (
        event(0.5, "opp-donor", "PTT", 1),
        event(0.6, "opp-donor", "PTT", 0),
        event(1.005, "cbp-donor", "COR", 1),
        event(1.020, "opp-donor", "PTT", 1),
        event(2.000, "cbp-donor", "COR", 0),
        event(2.300, "opp-donor", "PTT", 0),
    ):
        log.add(e)
    found = cor_to_ptt_ms(log, said(1.0, 2.0), "cbp-donor", "opp-donor")
    assert found == pytest.approx(15.0)
    assert cor_to_ptt_ms(log, said(5.0, 6.0), "cbp-donor", "opp-donor") is None


def test_a_step_speaks_one_language() -> None:
    step = StepResult(
        id="x", title=Text("a", "b"), expected=Text("c", "d"), measured=Text("e", "f"), ok=True
    )
    assert step.to_json(Language.FR) == {
        "id": "x",
        "title": "b",
        "expected": "d",
        "measured": "f",
        "ok": True,
    }
