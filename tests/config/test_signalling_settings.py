"""CTCSS, emergency codes and names of talkers: read as written, and refused with advice."""

import json

import pytest

from radiobridge.media.ctcss import TONES_HZ
from radiobridge.model.talker import is_clean
from radiobridge.services.in_band import MDC_EMERGENCY
from radiobridge.text import Language
from tests.config.home import Home

FILE = "windsor.yaml"
RECEIVE = "receive: {squelch: cor, "


@pytest.mark.parametrize("hz", TONES_HZ)
def test_any_tone_with_unit_or_without(home: Home, hz: float) -> None:
    home.edit(FILE, RECEIVE, f"{RECEIVE}ctcss: {hz}Hz, ")
    assert home.load().config.radios["tac1"].receive.ctcss == hz
    home.edit(FILE, f"ctcss: {hz}Hz", f"ctcss: {hz}")
    assert home.load().config.radios["tac1"].receive.ctcss == hz


def test_without_settings_cor_decides_and_emergencies_are_the_usual_ones(home: Home) -> None:
    radio = home.load().config.radios["tac1"]
    assert radio.receive.ctcss is None
    assert frozenset(radio.receive.mdc_emergency) == MDC_EMERGENCY
    assert radio.talkers == {}


@pytest.mark.parametrize(
    ("written", "en", "fr"),
    [
        ("156.8Hz", "156.8Hz is none of 67.0, 71.9", "n'est aucun de 67.0"),
        ("100", None, None),
        ("156.7kHz", "unknown unit `kHz`", "unité `kHz` inconnue"),
        ("5Hz", "is outside 67Hz to 250.3Hz", "hors de 67Hz à 250.3Hz"),
        ("true", "needs a number and a unit", "demande un nombre et une unité"),
    ],
)
def test_other_tones(home: Home, written: str, en: str | None, fr: str | None) -> None:
    home.edit(FILE, RECEIVE, f"{RECEIVE}ctcss: {written}, ")
    if en is None or fr is None:
        assert home.load().config.radios["tac1"].receive.ctcss == 100.0
        return
    problem = home.only_problem()
    assert problem.path == "radios.tac1.receive.ctcss"
    assert problem.place.line == home.line(FILE, "ctcss")
    assert en in problem.to(Language.EN)
    assert fr in problem.to(Language.FR)


def test_emergency_codes(home: Home) -> None:
    home.edit(FILE, RECEIVE, f"{RECEIVE}mdc_emergency: [00/80, 40/80], ")
    assert home.load().config.radios["tac1"].receive.mdc_emergency == ["00/80", "40/80"]
    home.edit(FILE, "[00/80, 40/80]", "[0080, 4F/8g]")
    problems = home.problems()
    assert [p.path for p in problems] == [
        "radios.tac1.receive.mdc_emergency[0]",
        "radios.tac1.receive.mdc_emergency[1]",
    ]
    assert "write for example `40/80`" in problems[1].to(Language.EN)


def test_names_of_talkers(home: Home) -> None:
    named = '{"mdc:1234": Unit 12, "name:Tremblay": "Unité 7 – L\'Ange"}'
    home.edit(FILE, "    talkgroup: TAC1", f"    talkgroup: TAC1\n    talkers: {named}")
    talkers = home.load().config.radios["tac1"].talkers
    assert talkers == {"mdc:1234": "Unit 12", "name:Tremblay": "Unité 7 – L'Ange"}


@pytest.mark.parametrize(
    "key", ["1234", "mdc:12", "mdc:12ab", "p25:1", "name:<b>", "name:a/../b", "x" * 300]
)
def test_what_is_no_talker(home: Home, key: str) -> None:
    talkers = json.dumps({key: "Unit 12"})
    home.edit(FILE, "    talkgroup: TAC1", f"    talkgroup: TAC1\n    talkers: {talkers}")
    problem = home.only_problem()
    assert problem.path.startswith("radios.tac1.talkers")
    assert "is not a talker id; write for example `mdc:1234`" in problem.to(Language.EN)
    assert "n'est pas un identifiant de locuteur" in problem.to(Language.FR)


HOSTILE = ["", "a\nb", "\x1b[31mred", "\u202eetirw", "<b>x</b>", "../../x", "[red]x", "x" * 65,
           "x" * 10_000]  # fmt: skip


@pytest.mark.parametrize("alias", HOSTILE, ids=lambda alias: repr(alias)[:20])
def test_an_alias_that_could_act_is_refused_with_one_that_cannot(home: Home, alias: str) -> None:
    talkers = json.dumps({"mdc:1234": alias})
    home.edit(FILE, "    talkgroup: TAC1", f"    talkgroup: TAC1\n    talkers: {talkers}")
    for language in Language:
        shown = home.only_problem().to(language)
        assert shown.isprintable()
        assert is_clean(shown.rsplit("`", 2)[1])
