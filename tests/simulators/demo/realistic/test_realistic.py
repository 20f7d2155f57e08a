"""The realistic demonstration as a person runs it, short, and its report held to the recordings."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from radiobridge.errors import ConfigError
from radiobridge.text import Language
from radiobridge_sim.demo.command import run_demo
from radiobridge_sim.demo.realistic.judge import judge
from radiobridge_sim.demo.realistic.plan import HARMLESS, Fault, make_plan
from radiobridge_sim.sound import RATE, read_wav
from tests.simulators.demo.test_command import run

ACROSS = {"opp-12": "cbp-7", "cbp-7": "opp-12"}

STILL = {"silent-before-consent", "withdrawn-silent", "no-false-key", "audit-verified"}
"""What holds however busy the machine is; a call may suffer on one that is."""

SEED = 9
"""The gateway behind the repeater is killed."""


@pytest.mark.real
@pytest.mark.calm
@pytest.mark.timeout(300)
def test_a_short_one_holds_and_reports_what_the_recordings_hold() -> None:
    with tempfile.TemporaryDirectory(prefix="rb-", dir="/tmp") as folder:
        play(Path(folder))


def play(folder: Path) -> None:
    out = folder / "out"
    arguments = ("--realistic", "--once", "--minutes", "0.2", "--seed", str(SEED), "--lang", "en")
    with run(folder, *arguments, "--out", str(out)) as story:
        status = story.end()
        assert story.leftovers() == []
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    steps = {step["id"]: step["ok"] for step in report["steps"]}
    plan = make_plan(0.2, SEED)
    faults = [f"fault-{strike.fault.value}" for strike in plan.strikes]
    assert faults == ["fault-gateway-killed"]
    assert set(steps) == STILL | {"calls-whole", *faults}, story.text()
    assert all(steps[step] for step in STILL), story.text()
    assert status == (0 if report["ok"] else 1)
    assert report["ok"] is all(steps.values())
    check_calls(out, report, planned=len(plan.calls) + 2 * len(plan.strikes))
    check_faults(out, report)
    assert (out / "trace.svg").read_text(encoding="utf-8").endswith("</svg>\n")
    assert "patch-over" in (out / "us.cbp-detroit.audit.csv").read_text(encoding="utf-8")


def check_calls(out: Path, report: dict[str, Any], *, planned: int) -> None:
    """Each call fared as the recordings say, and most of them well."""
    said = {unit: read_wav(out / f"{unit}.said.wav") for unit in ACROSS}
    heard = {unit: read_wav(out / f"{unit}.heard.wav") for unit in ACROSS}
    ends = {phrase["start_s"]: phrase["end_s"] for phrase in report["phrases"]}
    assert len(report["calls"]) == planned
    for call in report["calls"]:
        unit, since = call["from"], round(call["at_s"] * RATE)
        until = round(ends[call["at_s"]] * RATE)
        later = [round(s * RATE) for s in ends if round(s * RATE) > until]
        there = heard[ACROSS[unit]][: min(later, default=len(said[unit]))]
        verdict = judge(said[unit], there, since, until)
        assert list(verdict.faults) == call["faults"]
        assert call["whole"] is (call["faults"] == [])
    assert sum(call["whole"] for call in report["calls"]) * 2 > planned


def check_faults(out: Path, report: dict[str, Any]) -> None:
    """The carrier was down when the line log says so."""
    lines = [json.loads(line) for line in (out / "lines.jsonl").read_text().splitlines()]
    for fault in report["faults"]:
        if Fault(fault["fault"]) in HARMLESS:
            continue
        offs = [
            line["t"]
            for line in lines
            if (line["radio"], line["line"], line["value"]) == (fault["radio"], "PTT", 0)
            and line["t"] >= fault["at_s"]
        ]
        assert fault["carrier_down_ms"] == pytest.approx(1000 * (offs[0] - fault["at_s"]), abs=2.0)
        assert fault["held"], fault


def test_what_does_not_go_together_is_wrong_use() -> None:
    with pytest.raises(ConfigError, match="--radios"):
        run_demo(realistic=True, radios="usrp,usrp", lang=Language.EN)
    for wrong in ({"minutes": 2.0}, {"seed": 1}):
        with pytest.raises(ConfigError, match="--realistic"):
            run_demo(**wrong, lang=Language.EN)
