"""`radiobridge emergency`: what is asked of the gateway, and what is shown of its answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Ran, run, run_apart
from tests.cli.test_radio import Served
from tests.console.fake_emergency import ALARM, CLEARED, DONOR, MEASURE


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "api.sock") as served:
        yield served


def ask(capsys: pytest.CaptureFixture[str], served: Served, *arguments: str) -> Ran:
    return run(capsys, "emergency", *arguments, "--socket", str(served.path))


def test_the_open_alarms_and_the_talkers(
    capsys: pytest.CaptureFixture[str], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    ran = ask(capsys, served, "list")
    assert ran.status == 0
    shown = " ".join(ran.out.split())
    for words in (
        "5f3a9c01",
        "RAISED · NOBODY ANSWERS",
        "Unité 12 · mdc:1234 · ca.opp/windsor",
        "field; has rank",
        "donor radio; false : bumped the desk; waits to be acknowledged",
        "[bold]not markup[/bold]",
        "ca.opp/TAC1 mdc:1234: excluded, on our transmitters only (us.cbp/detroit local:ann)",
    ):
        assert words in shown
    assert CLEARED["id"] not in shown
    everything = " ".join(ask(capsys, served, "list", "--all").out.split())
    assert "acknowledged by us.cbp/detroit local:ann; valid : assistance given" in everything


def test_the_list_as_json(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    found = json.loads(ask(capsys, served, "list", "--json").out)
    assert found == {"alarms": [ALARM, DONOR], "talkers": [MEASURE]}
    found = json.loads(ask(capsys, served, "list", "--all", "--json").out)
    assert found["alarms"] == [ALARM, DONOR, CLEARED]


RAISE: tuple[Any, ...] = (
    ("raise", "TAC1", "--talker", "mdc:1234", "--alias", "Unit 12"),
    ("raise", {"talkgroup": "TAC1", "talker": "mdc:1234", "alias": "Unit 12"}),
)
COMMANDS = [
    RAISE,
    (("raise", "ca.opp/TAC1"), ("raise", {"talkgroup": "ca.opp/TAC1"})),
    (("ack", "5f3a9c01"), ("acknowledge", {})),
    (
        ("ack", "5f3a9c01", "--raiser", "ca.opp/windsor"),
        ("acknowledge", {"raiser": "ca.opp/windsor"}),
    ),
    (
        ("clear", "5f3a9c01", "--false", "--reason", "a mistake"),
        ("clear", {"verdict": "false", "reason": "a mistake"}),
    ),
    (
        ("clear", "5f3a9c01", "--valid", "--reason", "done"),
        ("clear", {"verdict": "valid", "reason": "done"}),
    ),
    (
        ("demote", "TAC1", "mdc:1234"),
        ("demote", {"talkgroup": "TAC1", "talker": "mdc:1234"}),
    ),
    (
        ("exclude", "TAC1", "radio:windsor/tac1"),
        ("exclude", {"talkgroup": "TAC1", "talker": "radio:windsor/tac1"}),
    ),
    (
        ("restore", "TAC1", "mdc:1234"),
        ("restore", {"talkgroup": "TAC1", "talker": "mdc:1234"}),
    ),
]


@pytest.mark.parametrize(("arguments", "asked"), COMMANDS)
def test_what_is_asked(
    capsys: pytest.CaptureFixture[str],
    served: Served,
    arguments: tuple[str, ...],
    asked: tuple[str, object],
) -> None:
    ran = ask(capsys, served, *arguments)
    assert ran.status == 0, ran.err
    (verb, _, request, _) = served.gateway.emergency.asked[-1]
    assert (verb, request) == asked
    answer = json.loads(ask(capsys, served, *arguments, "--json").out)
    assert answer["durable"] is True


@pytest.mark.parametrize("arguments", [("raise", "TAC1"), ("demote", "TAC1", "mdc:1234")])
def test_what_is_not_stored_yet_is_said(
    capsys: pytest.CaptureFixture[str], served: Served, arguments: tuple[str, ...]
) -> None:
    assert "not stored yet" not in ask(capsys, served, *arguments).out
    served.gateway.emergency.durable = False
    assert "not stored yet" in ask(capsys, served, *arguments).out


WRONG = [
    (("ack", "ffff"), 1, "no alarm ffff"),
    (("clear", "5f3a9c01", "--reason", "x"), 2, "--valid or --false"),
    (("clear", "5f3a9c01", "--valid"), 2, "--reason"),
    (("exclude", "TAC1"), 2, "TALKER"),
]


@pytest.mark.parametrize(("arguments", "status", "says"), WRONG)
def test_what_goes_wrong(
    capsys: pytest.CaptureFixture[str],
    served: Served,
    arguments: tuple[str, ...],
    status: int,
    says: str,
) -> None:
    ran = ask(capsys, served, *arguments)
    assert ran.status == status
    assert says in ran.err
    assert served.gateway.emergency.asked == []


def test_in_french(served: Served) -> None:
    ran = run_apart("emergency", "list", "--socket", str(served.path), lang="fr_CA.UTF-8")
    shown = " ".join(ran.out.split())
    assert "DONNÉE · SANS" in shown
    assert "exclu, sur nos émetteurs seulement" in shown


@pytest.mark.parametrize(
    "command", ["list", "raise", "ack", "clear", "demote", "exclude", "restore"]
)
def test_every_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    ran = run(capsys, "emergency", command, "--help")
    assert f"radiobridge emergency {command}" in " ".join(ran.out.split())
    assert "--json" in ran.out
