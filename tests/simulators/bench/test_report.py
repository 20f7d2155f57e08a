import io
from dataclasses import replace

import pytest
from rich.console import Console

from radiobridge.text import Language, Text
from radiobridge_sim.agencies import CBP, OPP
from radiobridge_sim.bench.path import Direction, Lateness, Load, PathResult
from radiobridge_sim.bench.report import (
    Figure,
    Section,
    all_ok,
    micro_section,
    path_sections,
    show,
    to_json,
)
from radiobridge_sim.bench.stopwatch import Batch, Cost, Micro
from radiobridge_sim.demo.exchange import Exchange
from radiobridge_sim.handheld import Said
from radiobridge_sim.measure import Match, PhraseMeasure
from radiobridge_sim.sound import RATE

LINES = replace(CBP, interface="lines")


def exchange(
    lag_ms: float = 45.0, ptt_ms: float | None = 12.0, missing_ms: float = 0.0
) -> Exchange:
    match = Match(at=0, lag=round(lag_ms * RATE / 1000), score=0.9)
    measured = PhraseMeasure(
        phrase="call-en",
        windows=1,
        matches=(match,),
        missing_ms=missing_ms,
        longest_gap_ms=missing_ms,
        shifts=(),
        clipped_start_ms=0.0,
        clipped_end_ms=0.0,
        level_change_db=0.0,
    )
    return Exchange(
        said=Said(unit=OPP.unit, phrase="call-en", start=0, end=RATE),
        source=OPP,
        target=CBP,
        measured=measured,
        cor_to_ptt_ms=ptt_ms,
    )


def result(*exchanges: Exchange, target: object = CBP) -> PathResult:
    assert target in (CBP, LINES)
    direction = Direction(source=OPP, target=CBP if target is CBP else LINES, exchanges=exchanges)
    return PathResult(
        directions=(direction,),
        loads=(Load(name="gateway ca.opp/windsor", idle_ms=1.0, talking_ms=50.0, waited_ms=2.0),),
        lateness={"ca.opp/windsor": Lateness(200, {1: 20, 5: 3})},
        air_late_p95_ms=0.4,
    )


def figures(sections: list[Section]) -> dict[str, Figure]:
    return {figure.id: figure for section in sections for figure in section.figures}


def test_each_direction_has_its_figures_and_targets() -> None:
    found = figures(path_sections(result(exchange(40.0), exchange(50.0, 30.0), exchange(50.0))))
    start = "path.opp-12.cbp-7"
    assert found[f"{start}.mouth-to-ear.median"].value == 50.0
    assert found[f"{start}.mouth-to-ear.median"].limit == 60.0
    assert found[f"{start}.mouth-to-ear.p95"].limit == 90.0
    assert found[f"{start}.cor-to-ptt.median"].value == 12.0
    assert found[f"{start}.cor-to-ptt.median"].limit == 25.0
    assert found[f"{start}.cor-to-ptt.p95"].value == 30.0
    assert found["load.gateway.ca.opp.windsor.talking"].value == 50.0
    assert found["late.ca.opp.windsor"].value == pytest.approx(1.5)
    assert found["late.simulation"].value == 0.4


@pytest.mark.parametrize(
    ("exchanges", "missed"),
    [
        ((exchange(61.0),), "mouth-to-ear.median"),
        ((exchange(),) * 18 + (exchange(91.0),) * 2, "mouth-to-ear.p95"),
        ((exchange(45.0, 26.0),), "cor-to-ptt.median"),
    ],
)
def test_a_missed_target_is_told(exchanges: tuple[Exchange, ...], missed: str) -> None:
    sections = path_sections(result(*exchanges))
    assert [id_ for id_, figure in figures(sections).items() if not figure.ok] == [
        f"path.opp-12.cbp-7.{missed}"
    ]
    assert not all_ok(sections)


def test_a_spurt_that_keyed_nothing_is_no_quick_one() -> None:
    found = figures(path_sections(result(exchange(), exchange(ptt_ms=None))))
    assert not found["path.opp-12.cbp-7.cor-to-ptt.median"].ok


def test_bare_lines_have_no_target_from_cor_to_ptt() -> None:
    found = figures(path_sections(result(exchange(ptt_ms=70.0), target=LINES)))
    assert found["path.opp-12.cbp-7.cor-to-ptt.median"].ok


def test_damage_is_counted() -> None:
    found = figures(path_sections(result(exchange(), exchange(missing_ms=20.0))))
    assert found["path.opp-12.cbp-7.damaged"].value == 1
    assert found["path.opp-12.cbp-7.damage.max"].value == 20.0


def test_nothing_measured_is_nothing_met() -> None:
    assert not all_ok([])


def test_costs_become_figures() -> None:
    micro = Micro(id="floor", name=Text("f", "f"), batch=lambda: Batch(lambda: None, 1))
    section = micro_section([Cost(micro=micro, median_us=2.0, best_us=1.0)])
    (figure,) = section.figures
    assert (figure.id, figure.value, figure.unit) == ("micro.floor", 2.0, "µs")


def test_json_has_every_figure_and_the_whole() -> None:
    report = to_json(path_sections(result(exchange())), Language.FR)
    assert report["ok"] is True
    assert report["machine"]["cpus"] >= 1
    first = report["figures"][0]
    assert first["id"] == "path.opp-12.cbp-7.mouth-to-ear.median"
    assert first["name"] == "bouche à oreille, médiane"
    assert first["limit"] == 60.0


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (Language.EN, ("mouth to ear, median", "61.0 ms", "≤ 60 ms", "✘", "target")),
        (Language.FR, ("bouche à oreille, médiane", "cible", "attente d'un processeur")),
    ],
)
def test_the_table_shows_figure_and_target(language: Language, words: tuple[str, ...]) -> None:
    out = io.StringIO()
    show(path_sections(result(exchange(61.0))), language, Console(file=out, width=120))
    assert all(word in out.getvalue() for word in words)
