"""How the figures of a bad network are reckoned."""

from dataclasses import replace

import pytest

from radiobridge.cli.main import WRONG_USE, run_command
from radiobridge.text import Language
from radiobridge_sim.bench.impairments import CASES, Case, Fared, impairment_sections
from radiobridge_sim.bench.report import Figure, all_ok, to_json
from tests.simulators.demo.test_report import exchange

STALLS = next(case for case in CASES if case.id == "stalls")


def fared(case: Case = STALLS, *, frames: int = 1000, played: int = 1000, concealed: int = 0,
          keyed: int = 2) -> Fared:  # fmt: skip
    return Fared(
        case=case,
        exchanges=(exchange(40.0, 60.0, 400.0), exchange(50.0)),
        frames=frames,
        played=played,
        concealed=concealed,
        keyed=keyed,
    )


def figures(one: Fared) -> dict[str, Figure]:
    (section,) = impairment_sections([one])
    return {figure.id.removeprefix("network.stalls."): figure for figure in section.figures}


def test_what_is_whole_meets_every_target() -> None:
    found = figures(fared())
    assert found["delivered"].value == 100.0
    assert found["concealed"].value == 0.0
    assert found["mouth-to-ear.p50"].value == 50.0
    assert found["mouth-to-ear.p100"].value == 400.0
    assert all(figure.ok for figure in found.values())


@pytest.mark.parametrize(
    ("one", "missed"),
    [
        (fared(played=980), "missing"),
        (fared(keyed=3), "keyed-again"),
        (fared(keyed=0), "keyed-again"),
    ],
)
def test_what_is_not_is_told(one: Fared, missed: str) -> None:
    found = figures(one)
    assert [name for name, figure in found.items() if not figure.ok] == [missed]


def test_the_share_of_what_was_made_up() -> None:
    assert figures(fared(played=750, concealed=250))["concealed"].value == 25.0
    assert figures(fared(played=750))["delivered"].value == 75.0


def test_a_gap_is_the_longest_of_all_phrases() -> None:
    one = fared()
    damaged = replace(
        one.exchanges[1], measured=replace(one.exchanges[1].measured, longest_gap_ms=420.0)
    )
    found = figures(replace(one, exchanges=(one.exchanges[0], damaged)))
    assert found["gap"].value == 420.0
    assert not found["gap"].ok


def test_nothing_sent_is_no_success() -> None:
    nothing = figures(fared(frames=0, played=0))
    assert nothing["delivered"].value is None
    assert not nothing["missing"].ok


def test_each_case_has_its_own_figures_in_both_languages() -> None:
    sections = impairment_sections([fared(case) for case in CASES])
    names = [figure["id"] for figure in to_json(sections, Language.FR)["figures"]]
    assert len(names) == len(set(names)) == 8 * len(CASES)
    assert all(section.title.en != section.title.fr for section in sections)
    assert all_ok(sections)


def test_a_network_that_nobody_knows_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["bench", "networks", "--only", "swamp"]) == WRONG_USE
    told = capsys.readouterr().err
    assert "swamp" in told
    assert all(case.id in told for case in CASES)


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["bench", "networks", "--help"]) == 0
    assert "radiobridge bench networks --only stalls" in capsys.readouterr().out
