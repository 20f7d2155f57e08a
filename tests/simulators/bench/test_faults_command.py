"""The table of faults: what is asked for is run, and a limit that is not kept is shown."""

import json
import signal
from dataclasses import fields, replace
from io import StringIO

import pytest
from rich.console import Console

from radiobridge.cli.main import WRONG_USE, run_command
from radiobridge.text import Language
from radiobridge_sim.bench import faults_command
from radiobridge_sim.bench.faults import Fault, faults
from radiobridge_sim.bench.faults_command import COLUMNS, Row, show, to_json
from radiobridge_sim.bench.stand import Outcome

KEPT = Outcome(lost=0, gap_ms=20.0, keyed=1, unkey_ms=3.0, told_ms=4.0, recover_s=5.0)


def fault(field: str, limit: float) -> Fault:
    limits = Outcome()
    object.__setattr__(limits, field, limit)
    return replace(faults()[0], limits=limits)


def shown(row: Row, language: Language = Language.EN) -> str:
    out = StringIO()
    show([row], language, Console(file=out, width=100, highlight=False))
    return out.getvalue()


def test_each_part_of_what_a_gateway_must_stand_is_in_the_table() -> None:
    table = faults()
    assert {one.part for one in table} == set("ABCDEF")
    assert len({one.id for one in table}) == len(table)
    assert all(one.limits != Outcome() for one in table)


def test_every_figure_has_a_column() -> None:
    assert [name for name, _, _ in COLUMNS] == [field.name for field in fields(Outcome)]


@pytest.mark.parametrize("field", [name for name, _, _ in COLUMNS])
def test_a_limit_holds_up_to_its_value_and_not_beyond(field: str) -> None:
    value = getattr(KEPT, field)
    assert Row(fault(field, value), KEPT).held
    missed = Row(fault(field, value - 1), KEPT)
    assert not missed.held
    assert not to_json([missed], Language.EN)["ok"]
    assert "✘" in shown(missed)
    assert ">" in shown(missed)


@pytest.mark.parametrize("field", [name for name, _, _ in COLUMNS])
def test_what_never_came_keeps_no_limit(field: str) -> None:
    row = Row(fault(field, 1e9), Outcome())
    assert not row.held
    assert "–" in shown(row)
    assert json.loads(json.dumps(to_json([row], Language.EN)))["faults"][0][field]["ok"] is False


def test_an_endless_time_is_no_number_in_json() -> None:
    row = Row(fault("told_ms", 200.0), Outcome(told_ms=float("inf")))
    assert not row.held
    assert to_json([row], Language.FR)["faults"][0]["told_ms"]["value"] is None


def test_a_fault_that_does_not_exist_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["bench", "faults", "--only", "rain"]) == WRONG_USE
    assert "broker-killed" in capsys.readouterr().err


def test_each_world_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    heeded: list[bool] = []

    class World:
        def stop(self) -> None:
            pass

    class Stand:
        world = World()

        def __init__(self, *_: object) -> None:
            pass

        def start(self, _doing: object) -> None:
            heeded.append(signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)

    monkeypatch.setattr(faults_command, "Stand", Stand)
    names = ["broker-killed", "call-queued", "call-denied", "device-pulled"]
    wanted = [replace(one, run=lambda _: KEPT) for one in faults() if one.id in names]
    monkeypatch.setattr(faults_command, "faults", lambda: wanted)
    run_command(["bench", "faults"])
    assert heeded == [True] * 4


@pytest.mark.real
def test_a_cable_is_pulled_and_calls_are_denied(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["call-denied", "device-pulled"]
    asked = [word for name in names for word in ("--only", name)]
    status = run_command(["bench", "faults", "--json", *asked])
    told = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in told["faults"]] == names
    denied, pulled = told["faults"]
    assert denied["told_ms"]["value"] is not None
    assert pulled["unkey_ms"]["ok"], pulled
    assert pulled["recover_s"]["value"] is not None
    assert status == (0 if told["ok"] else 1)
