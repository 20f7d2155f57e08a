"""`radiobridge patch …` against a real API on a real socket, in both languages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import run, run_apart
from tests.cli.test_radio import Served
from tests.console.fake_desk import PATCH


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "api.sock") as served:
        yield served


def asked(served: Served) -> list[tuple[str, str, object]]:
    return [one[:3] for one in served.gateway.desk.asked]


PROPOSE = ("patch", "propose", "river", "--purpose", "Pursuit", "--for", "2h",
           "--member", "ca.opp/TAC1", "--member", "us.cbp/BORDER:listen")  # fmt: skip


def test_a_proposal(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = run(capsys, *PROPOSE, "--socket", str(served.path))
    assert ran.status == 0, ran.err
    assert "IN CLEAR ON AIR" in ran.out
    assert asked(served) == [
        (
            "propose",
            "river",
            {
                "patch": "river",
                "purpose": "Pursuit",
                "members": [
                    {"talkgroup": "ca.opp/TAC1"},
                    {"talkgroup": "us.cbp/BORDER", "access": "listen"},
                ],
                "for_ms": 7_200_000,
            },
        )
    ]


def test_a_preview_is_only_that(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = run(capsys, "patch", "accept", "river", "--preview", "--socket", str(served.path))
    assert "PREVIEW" in ran.out
    assert "IN CLEAR ON AIR" in ran.out
    assert asked(served) == [("accept", "river", {"preview": True})]


@pytest.mark.parametrize(
    ("arguments", "verb", "request_"),
    [
        (("accept", "river", "--in-clear", "--terms", "5f13"), "accept",
         {"terms": "5f13", "in_clear": True}),
        (("accept", "river", "--limit", "ca.opp/TAC1:listen"), "accept",
         {"limits": [{"talkgroup": "ca.opp/TAC1", "access": "listen"}]}),
        (("extend", "river", "--for", "1h"), "extend", {"for_ms": 3_600_000}),
        (("activate", "flood", "--for", "1h"), "activate", {"for_ms": 3_600_000}),
        (("activate", "flood"), "activate", {}),
        (("narrow", "river", "--record", "none"), "narrow", {"recording": "none"}),
        (("withdraw", "river"), "withdraw", None),
    ],
)  # fmt: skip
def test_words(
    capsys: pytest.CaptureFixture[str],
    served: Served,
    arguments: tuple[str, ...],
    verb: str,
    request_: Any,
) -> None:
    ran = run(capsys, "patch", *arguments, "--socket", str(served.path))
    assert ran.status == 0, ran.err
    assert asked(served) == [(verb, arguments[1], request_)]
    printed = run(capsys, "patch", *arguments, "--socket", str(served.path), "--json")
    assert json.loads(printed.out)["id"] == "river"


def test_what_is_not_stored_yet_is_said(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    assert "not stored yet" in run(
        capsys, "patch", "withdraw", "river", "--socket", str(served.path)
    ).out  # fmt: skip


@pytest.mark.parametrize("command", ["list", "plans"])
def test_lists(capsys: pytest.CaptureFixture[str], served: Served, command: str) -> None:
    ran = run(capsys, "patch", command, "--socket", str(served.path))
    assert "river" in ran.out
    assert "IN CLEAR ON AIR" in ran.out
    printed = run(capsys, "patch", command, "--json", "--socket", str(served.path))
    assert json.loads(printed.out)[0]["purpose"] == PATCH["purpose"]


def test_all_about_one_patch_in_french(served: Served) -> None:
    ran = run_apart("patch", "show", "river", "--socket", str(served.path), lang="fr_CA.UTF-8")
    assert ran.status == 0, ran.err
    for words in (
        "en vigueur; restreint par us.cbp",
        "EN CLAIR SUR LES ONDES",
        "ca.rcmp/ottawa: a retiré son accord",
        "us.cbp/detroit: accepte, en restreignant",
        "signalisation transmise",
        "aussi proposé",
        "Poursuite sur le pont",
    ):
        assert words in ran.out


def test_an_unknown_patch(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = run(capsys, "patch", "show", "../lake", "--socket", str(served.path))
    assert ran.status == 1
    assert "../lake" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("narrow", "river"),
        ("extend", "river"),
        ("extend", "river", "--for", "soon"),
        ("propose", "river", "--purpose", "x", "--for", "1h"),
        ("propose", "river", "--purpose", "x", "--for", "1h", "--member", "TAC1"),
    ],
)
def test_wrong_use(
    capsys: pytest.CaptureFixture[str], served: Served, arguments: tuple[str, ...]
) -> None:
    assert run(capsys, "patch", *arguments, "--socket", str(served.path)).status == 2
    assert asked(served) == []


def test_the_test_of_a_patch(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = run(capsys, "patch", "test", "river", "--socket", str(served.path))
    assert ran.status == 0
    assert "✔ own clock" in ran.out
    assert "ready (12 ms); nothing was keyed" in ran.out
    failed = run(capsys, "patch", "test", "lake", "--json", "--socket", str(served.path))
    assert failed.status == 1
    assert json.loads(failed.out)["ok"] is False
    in_french = run_apart("patch", "test", "lake", "--socket", str(served.path), lang="fr_CA.UTF-8")
    assert "✘ personne" in in_french.out
    assert "PAS prêt" in in_french.out


def test_confirming_the_state(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = run(capsys, "patch", "confirm-state", "--socket", str(served.path))
    assert ran.status == 0
    assert "trusted" in ran.out
    assert served.gateway.confirmed_by.startswith("local:")


@pytest.mark.parametrize(
    "command",
    [
        "confirm-state",
        "list",
        "show",
        "plans",
        "propose",
        "accept",
        "extend",
        "activate",
        "narrow",
        "withdraw",
    ],
)
def test_help_has_an_example(command: str) -> None:
    ran = run_apart("patch", command, "--help")
    assert ran.status == 0
    assert f"radiobridge patch {command}" in ran.out
    assert "--json" in ran.out
