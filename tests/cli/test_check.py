"""`radiobridge check` and `radiobridge schema`."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import run, run_apart
from tests.config.home import Home, make_home

SCHEMA = Path(__file__).parents[2] / "config" / "schema.json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def test_a_right_file(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    ran = run(capsys, "check", str(home.gateway))
    assert ran.status == 0
    assert ran.out.endswith(f"{home.gateway}: right\n")
    assert "/dev/rb-a does not exist" in ran.out
    assert ran.err == ""


def test_every_error_is_printed_and_the_status_is_2(
    capsys: pytest.CaptureFixture[str], home: Home
) -> None:
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 120")
    home.edit("plans.yaml", "until: 2027", "until: 2025")
    ran = run(capsys, "check", str(home.gateway))
    lines = ran.err.splitlines()
    assert ran.status == 2
    assert len(lines) == 3
    assert lines[0].startswith(f"{home.folder / 'plans.yaml'}:7: plans.bridge.until: ")
    assert lines[1].startswith(f"{home.gateway}:20: radios.tac1.transmit.lead_in: 120 needs")
    assert lines[2] == f"{home.gateway}: 2 errors"


def test_one_bad_file_of_two(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    ran = run(capsys, "check", str(home.gateway), str(home.folder / "none.yaml"))
    assert ran.status == 2
    assert f"{home.gateway}: right" in ran.out
    assert "none.yaml:1: cannot be read: does not exist" in ran.err


def test_as_json(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 120")
    ran = run(capsys, "check", "--json", str(home.gateway))
    answer = json.loads(ran.out)
    assert ran.status == 2
    assert answer["ok"] is False
    (problem,) = answer["files"][0]["problems"]
    assert (problem["file"], problem["line"]) == (str(home.gateway), 20)
    assert problem["path"] == "radios.tac1.transmit.lead_in"
    assert "unit" in problem["en"]
    assert "unité" in problem["fr"]


def test_in_french(home: Home) -> None:
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 120")
    ran = run_apart("check", str(home.gateway), lang="fr_CA.UTF-8")
    assert ran.status == 2
    assert "120 demande un nombre et une unité" in ran.err
    assert ran.err.endswith(": 1 erreur\n")


def test_without_files(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    (home.folder / "windsor.keys").unlink()
    assert run(capsys, "check", str(home.gateway)).status == 2
    assert run(capsys, "check", "--without-files", str(home.gateway)).status == 0


def test_schema_is_the_shipped_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "schema").out == SCHEMA.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["gateway", "talkgroups", "partners", "plans", "profile"])
def test_schema_of_each_file(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    schema = json.loads(run(capsys, "schema", kind).out)
    assert schema["title"] == f"radiobridge {kind}"
    assert schema["additionalProperties"] is False
