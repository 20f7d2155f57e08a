"""What an operator sees of a gateway, and that nothing the API may say breaks it."""

from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from radiobridge.cli.view import local_time, print_status
from radiobridge.text import Language

STATUS: dict[str, Any] = {
    "gateway": "ca.opp/windsor",
    "version": "0.1.0",
    "since": 1_767_225_600_000,
    "clock": {"synchronised": True, "bridge_ms": 1_767_225_600_000},
    "links": [
        {"name": "opp", "up": True, "since": 1_767_225_600_000, "reason": {"en": "", "fr": ""}},
        {
            "name": "cbp",
            "up": False,
            "since": 1_767_225_600.5,
            "reason": {"en": "connection refused", "fr": "connexion refusée"},
        },
    ],
    "radios": [
        {
            "name": "tac1",
            "talkgroup": "ca.opp/TAC1",
            "interface": "up",
            "audio": "lost",
            "cor": True,
            "ptt": False,
            "state": "lead-in",
            "inhibited": False,
            "level_dbfs": -19.7,
            "counters": {"late": 3},
            "audio_reason": {"en": "card gone", "fr": "carte disparue"},
            "tomorrow": [1],
        },
        {
            "name": "tac2",
            "state": "idle",
            "inhibited": True,
            "inhibited_by": "local:ann",
            "interface_reason": {"en": "unplugged", "fr": "débranché"},
            "audio_reason": {"en": "unplugged", "fr": "débranché"},
            "alarms": ["donor-emergency"],
            "level_dbfs": None,
        },
        {"name": "tac3", "state": "idle", "stuck": True},
        {"name": "tac4", "channel_expected": "12", "alarms": ["channel-unknown"]},
        {"name": "tac5", "channel_expected": "12", "alarms": ["channel-not-told"]},
    ],
    "partners": [{"agency": "us.cbp", "gateway": "us.cbp/detroit", "online": False, "since": 0}],
    "patches": [
        {
            "id": "bridge",
            "in_force": False,
            "reason": "TERMS_DIFFER",
            "why": {"en": "us.cbp has another host", "fr": "us.cbp a un autre hôte"},
            "members": [{"talkgroup": "ca.opp/TAC1", "access": "listen"}, "us.cbp/D1"],
        }
    ],
    "floor": [
        {
            "talkgroups": ["ca.opp/TAC1", "us.cbp/D1"],
            "holder": {"sender": "us.cbp/detroit", "talkgroup": "us.cbp/D1", "class": "emergency"},
        },
        {"talkgroups": ["ca.opp/TAC2"], "holder": None},
    ],
    "counters": {"anything": 1},
}


def shown(status: dict[str, Any], language: Language, width: int = 200) -> str:
    out = StringIO()
    print_status(status, language, Console(file=out, width=width, color_system=None))
    return out.getvalue()


ENGLISH = [
    "ca.opp/windsor",
    "clock synchronised",
    "connection refused",
    "keying up",
    "-20 dBFS",
    "inhibited",
    "offline",
    "not in force",
    "us.cbp has another host",
    "ca.opp/TAC1 (listens)",
    "card gone",
    "inhibited by local:ann; alarm: donor-emergency",
    "COR stuck",
    "tac4: channel not known yet: cut until the radio says it",
    "tac5: the radio refuses to say its channel: remove `channel`, or update the radio",
    "us.cbp/D1 · us.cbp/detroit · EMERGENCY",
]
FRENCH = [
    "horloge synchronisée",
    "connexion refusée",
    "monte en émission",
    "interdite",
    "hors ligne",
    "pas en vigueur",
    "us.cbp a un autre hôte",
    "ca.opp/TAC1 (écoute)",
    "carte disparue",
    "interdite par local:ann; alarme: donor-emergency",
    "COR bloqué",
    "tac4: canal pas encore connu : coupée jusqu'à ce que la radio l'indique",
    "tac5: la radio refuse d'indiquer son canal : retirez `channel`, ou mettez la radio à jour",
    "us.cbp/D1 · us.cbp/detroit · URGENCE",
]


@pytest.mark.parametrize(
    ("language", "words"), [(Language.EN, ENGLISH), (Language.FR, FRENCH)], ids=["en", "fr"]
)
def test_everything_is_said_in_the_operators_language(language: Language, words: list[str]) -> None:
    text = shown(STATUS, language)
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("language", Language)
def test_states_are_whole_on_a_narrow_terminal(language: Language) -> None:
    lines = shown(STATUS, language, 80).splitlines()
    states = {"en": ["inhibited", "COR stuck", "keying up"], "fr": ["interdite", "en service"]}
    states["fr"] += ["ca.opp/TAC1", "-20 dBFS", "monte en émission", "carte disparue"]
    assert [s for s in states[language] if not any(s in line for line in lines)] == []
    assert max(map(len, lines)) <= 80


def test_a_clock_that_is_not_synchronised_says_what_follows() -> None:
    status = {**STATUS, "clock": {"synchronised": False}}
    assert "clock NOT synchronised: no patch" in shown(status, Language.EN)
    assert "horloge NON synchronisée" in shown(status, Language.FR)


def test_names_from_outside_are_no_markup_and_no_control() -> None:
    status = {"gateway": "[red]x[/red]\x1b[2J", "partners": [{"gateway": "[bold]us/x"}]}
    text = shown(status, Language.EN)
    assert "[red]x[/red]" in text
    assert "[bold]us/x" in text
    assert "\x1b" not in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def test_a_log_that_cannot_be_written_is_told_in_red_with_the_reason() -> None:
    error = {"en": "the disk is full", "fr": "le disque est plein"}
    status = {**STATUS, "audit": {"error": error, "waiting": 3}}
    assert "AUDIT LOG NOT WRITTEN, so no new consent is given: the disk is full" in shown(
        status, Language.EN
    )
    assert "aucun nouvel accord : le disque est plein" in shown(status, Language.FR)
    assert "AUDIT" not in shown({**STATUS, "audit": {"error": None}}, Language.EN)


@given(
    st.dictionaries(st.sampled_from(sorted(STATUS)), JSON),
    st.dictionaries(st.sampled_from(sorted(STATUS["radios"][0])), JSON),
    st.sampled_from(Language),
)
def test_any_shape_is_shown(
    status: dict[str, Any], radio: dict[str, Any], language: Language
) -> None:
    clock = status.get("clock")
    rows = {"radios": [radio], "links": [radio], "partners": [radio], "patches": [radio]}
    assert shown({**status, **rows, "clock": clock}, language)


@pytest.mark.parametrize(
    ("talker", "alias", "words"),
    [
        ("mdc:1234", "Unit 12", "Unit 12 · us.cbp/D1 · us.cbp/detroit"),
        ("mdc:1234", None, "mdc:1234 · us.cbp/D1"),
        (None, None, "  us.cbp/D1 ·"),
    ],
)
def test_who_talks_is_shown_by_the_name_that_people_know(
    talker: str | None, alias: str | None, words: str
) -> None:
    holder = {**STATUS["floor"][0]["holder"], "talker": talker, "alias": alias}
    floor = [{"talkgroups": ["ca.opp/TAC1"], "holder": holder}]
    assert words in shown({**STATUS, "floor": floor}, Language.EN)


@pytest.mark.parametrize(
    ("language", "words"),
    [(Language.EN, "talk time nearly over"), (Language.FR, "temps de parole presque écoulé")],
)
def test_a_talker_who_nears_the_limit_is_shown(language: Language, words: str) -> None:
    floor = [{**STATUS["floor"][0], "near_limit": True}]
    assert words in shown({**STATUS, "floor": floor}, language)
    assert words not in shown(STATUS, language)


def test_one_reason_of_interface_and_sound_is_said_once() -> None:
    assert shown(STATUS, Language.EN).count("unplugged") == 1
    assert shown(STATUS, Language.FR).count("débranché") == 1


PARTED = {
    **STATUS,
    "links": [
        {"name": "opp", "up": False, "since": 1_767_225_600_000},
        {"name": "cbp", "up": False, "since": 1_767_225_660_000},
    ],
    "partners": [{"gateway": "us.cbp/detroit", "online": False, "since": 1_767_225_660_000}],
}


def test_who_is_lost_is_told_with_the_time_in_both_languages() -> None:
    at = local_time(1_767_225_660_000)
    english, french = shown(PARTED, Language.EN), shown(PARTED, Language.FR)
    assert f"partner lost since {at}: us.cbp/detroit" in english
    assert f"NO BROKER since {at}" in english
    assert f"partenaire perdu depuis {at} : us.cbp/detroit" in french
    assert f"AUCUN COURTIER depuis {at}" in french


def test_while_one_link_lives_nobody_is_told_that_there_is_no_broker() -> None:
    assert "NO BROKER" not in shown(STATUS, Language.EN)


def test_a_link_whose_broker_refuses_voice_says_that_it_is_deaf() -> None:
    counters = {"voice_filters_refused": 2}
    links = [{"name": "opp", "up": True, "counters": counters}, {"name": "cbp", "up": True}]
    english, french = (shown({**STATUS, "links": links}, one) for one in (Language.EN, Language.FR))
    assert "the broker of opp refuses 2 of our voice topics" in " ".join(english.split())
    assert "le courtier de opp refuse 2 de nos sujets de voix" in " ".join(french.split())
    for deaf in ({}, {"voice_filters_refused": 0}, None):
        links[0]["counters"] = deaf
        assert "DEAF" not in shown({**STATUS, "links": links}, Language.EN)


def test_a_process_without_file_handles_says_so_and_what_to_do() -> None:
    error = {"en": "none is left; raise LimitNOFILE", "fr": "il n'en reste aucun"}
    status = {**STATUS, "process": {"tasks": 9, "error": error}}
    assert "none is left; raise LimitNOFILE" in shown(status, Language.EN)
    assert "il n'en reste aucun" in shown(status, Language.FR)
    assert "LimitNOFILE" not in shown({**STATUS, "process": {"error": None}}, Language.EN)


def test_what_was_refused_is_shown_by_reason_and_nothing_while_there_is_none() -> None:
    counters = {"document-bad-signature": 3, "document-bad-body": 1, "late": 7, "document-old": 0}
    shown = {lang: StringIO() for lang in Language}
    for language, out in shown.items():
        console = Console(file=out, width=200)
        print_status({**STATUS, "counters": counters}, language, console)
    english = shown[Language.EN].getvalue()
    assert "refused since the start: document-bad-body 1, document-bad-signature 3" in english
    assert "refusé depuis le démarrage" in shown[Language.FR].getvalue()
    assert "late 7" not in english
    quiet = StringIO()
    print_status({**STATUS, "counters": {"late": 7}}, Language.EN, Console(file=quiet, width=200))
    assert "refused" not in quiet.getvalue().replace("connection refused", "")
