"""A soak and a flood, short: long ones are nightly (CONTRIBUTING.md), and `radiobridge bench`."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from radiobridge.text import Language
from radiobridge_sim.bench.flood import RATE, FloodResult, Target
from radiobridge_sim.bench.load_sections import flood_section, soak_sections
from radiobridge_sim.bench.path import Lateness
from radiobridge_sim.bench.processes import Held, Usage, held
from radiobridge_sim.bench.report import Section, all_ok
from radiobridge_sim.bench.soak import Holding, Sample, SoakResult, Voice
from radiobridge_sim.flood import Sent, garbage

NIGHTLY = os.environ.get("RADIOBRIDGE_NIGHTLY") == "1"
MINUTES, WARM_UP_S = ("30", "70") if NIGHTLY else ("0.5", "12")
FLOOD_S = "20" if NIGHTLY else "4"
LIMIT_S = 2400.0 if NIGHTLY else 110.0

LATE_PERCENT = 2.0
"""Frames that may be late in a soak on two cores that others share too."""

WAITED_MS, LOOP_PERCENT = 100.0, 3.0
"""A gateway that waits for a core that long in each second, or whose event loop is over 5 ms late
that often, is on a machine that is busy with something else: that explains late frames, and a USRP
radio that unkeys after 100 ms without any, though not each number of them."""

BUSY_PERCENT, BUSY_SPURTS = 15.0, 3

Figures = dict[str, dict[str, Any]]


def bench(*arguments: str, folder: Path) -> tuple[int, Figures]:
    done = subprocess.run(
        [sys.executable, "-m", "radiobridge.cli.main", "bench", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=os.environ | {"TMPDIR": str(folder)},
        check=False,
    )
    assert done.stdout, done.stderr
    figures = {one["id"]: one for one in json.loads(done.stdout)["figures"]}
    return done.returncode, figures


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.timeout(LIMIT_S + 10)
def test_sixteen_radios_on_two_gateways_grow_nothing_and_lose_nothing(tmp_path: Path) -> None:
    status, figures = bench("soak", "--minutes", MINUTES, "--warm-up", WARM_UP_S, folder=tmp_path)
    waited_ms = max(one["value"] for id_, one in figures.items() if id_.endswith(".waited"))
    late = max(one["value"] for id_, one in figures.items() if id_.startswith("soak.late."))
    busy = waited_ms > WAITED_MS or late > LOOP_PERCENT
    most, spurts = (BUSY_PERCENT, BUSY_SPURTS) if busy else (LATE_PERCENT, 0)
    assert figures["soak.concealed"]["value"] <= most, f"waited {waited_ms:.0f} ms/s"
    assert figures["soak.not-delivered"]["value"] <= spurts, f"late {late:.1f} %"
    # What else the machine does decides whether these targets are met; all else is ours.
    voice = {"soak.concealed", "soak.not-delivered"}
    assert not [one for one in figures.values() if not one["ok"] and one["id"] not in voice]
    assert status == (0 if all(figures[id_]["ok"] for id_ in voice) else 1)
    for process in ("gateway.ca.opp.windsor", "keyer.us.cbp.detroit"):
        assert figures[f"soak.{process}.cpu"]["value"] > 0.0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.timeout(LIMIT_S + 10)
def test_a_flood_of_garbage_conceals_less_than_one_frame_in_a_hundred(tmp_path: Path) -> None:
    _, figures = bench("flood", "--seconds", FLOOD_S, folder=tmp_path)
    calm = figures["flood.none.concealed"]["value"]
    for target in Target:
        start = f"flood.{target}"
        assert figures[f"{start}.sent"]["value"] > 0.5 * RATE, "the flood itself was too slow"
        assert figures[f"{start}.not-delivered"]["value"] == 0
        # What is late without any garbage, just before, is due to what else the machine does.
        by_flood = figures[f"{start}.concealed"]["value"] - calm
        assert by_flood < 1.0, calm
    assert figures["flood.voice.taken"]["value"] > 0.5 * RATE, "the gateway did not take it"
    assert list(tmp_path.iterdir()) == []


# -- how it is judged ----------------------------------------------------------------------------


def holding(memory: list[int], *, tasks: list[int] | None = None, files: int = 0) -> Holding:
    count = len(memory)
    tasks = tasks or [20] * count
    return Holding(
        name="gateway ca.opp/windsor",
        samples=[
            Sample(float(n), Held(memory[n], 7, 30 + (files if n >= count // 2 else 0)), tasks[n])
            for n in range(count)
        ],
        used=Usage(3.0, 0.5),
        over_s=10.0,
    )


def soak(one: Holding, voice: Voice) -> list[Section]:
    late = {"ca.opp/windsor": Lateness(1000, {5: 3})}
    result = SoakResult(
        holdings=(one,), voice=voice, lateness=late, over_s=10.0, air_late_p95_ms=0.1
    )
    return soak_sections(result)


def missed(sections: list[Section]) -> list[str]:
    return [figure.id for section in sections for figure in section.figures if not figure.ok]


GOOD = Voice(spurts=9, delivered=9, frames={"played": 10_000, "bridged": 1}, underruns=0)
FLAT = [50_000] * 20


def test_what_stays_as_it_is_meets_every_target() -> None:
    sections = soak(holding(FLAT), GOOD)
    assert all_ok(sections)
    figures = {figure.id: figure for section in sections for figure in section.figures}
    assert figures["soak.gateway.ca.opp.windsor.cpu"].value == pytest.approx(300.0)
    assert figures["soak.concealed"].value == pytest.approx(0.01, rel=0.01)
    assert figures["soak.late.ca.opp.windsor"].value == pytest.approx(0.3)


def test_growth_is_found_and_a_single_peak_is_none() -> None:
    steady = [50_000 + 100 * n for n in range(20)]
    assert missed(soak(holding(steady), GOOD)) == ["soak.gateway.ca.opp.windsor.memory-growth"]
    assert missed(soak(holding([*FLAT[:-1], 90_000]), GOOD)) == []
    asked = holding(FLAT, tasks=[20, *[21, 20] * 8, 21, 21, 20])
    assert missed(soak(asked, GOOD)) == []
    leak = holding(FLAT, tasks=[20 + n // 4 for n in range(20)])
    assert missed(soak(leak, GOOD)) == ["soak.gateway.ca.opp.windsor.tasks"]
    assert missed(soak(holding(FLAT, files=1), GOOD)) == ["soak.gateway.ca.opp.windsor.files"]


def test_voice_that_is_lost_or_late_is_found() -> None:
    late = Voice(spurts=9, delivered=9, frames={"played": 9_980, "bridged": 20}, underruns=0)
    assert missed(soak(holding(FLAT), late)) == ["soak.concealed"]
    lost = Voice(spurts=9, delivered=8, frames={"played": 9_000, "bridged": 0}, underruns=0)
    assert missed(soak(holding(FLAT), lost)) == ["soak.not-delivered"]
    silent = Voice(spurts=0, delivered=0, frames={"played": 0, "bridged": 0}, underruns=0)
    assert missed(soak(holding(FLAT), silent)) == ["soak.not-delivered", "soak.concealed"]


@pytest.mark.parametrize(("bridged", "found"), [(99, []), (102, ["flood.voice.concealed"])])
def test_one_frame_in_a_hundred_is_too_much_in_a_flood(bridged: int, found: list[str]) -> None:
    result = FloodResult(
        target=Target.VOICE,
        sent=Sent(packets=100_000, over_s=10.0, cpu_s=1.0),
        delivered=100_000,
        voice=Voice(
            spurts=4,
            delivered=4,
            frames={"played": 10_000 - bridged, "bridged": bridged},
            underruns=0,
        ),
        cpu={"flood": 0.1, "gateway ca.opp/windsor": 0.2},
        waited={"flood": 0.0, "gateway ca.opp/windsor": 0.05},
        cpus=2,
    )
    section = flood_section(result)
    assert missed([section]) == found
    shares = {f.id: f.value for f in section.figures if ".cpu." in f.id}
    assert shares["flood.voice.cpu.gateway.ca.opp.windsor"] == pytest.approx(20.0)
    assert all(f.name.to(language) for f in section.figures for language in Language)


def test_garbage_is_of_three_kinds_and_never_a_real_packet() -> None:
    draw, real = random.Random(1), bytes(range(100))
    made = [garbage(number, real, draw) for number in range(300)]
    assert real not in made
    turned = made[2::3]
    assert all(
        sum((a ^ b).bit_count() for a, b in zip(one, real, strict=True)) == 1 for one in turned
    )
    assert len(set(made)) > 200
    assert len(garbage(2, b"", draw)) > 0, "before anything real was heard"


def test_what_a_process_holds_is_seen_from_outside(tmp_path: Path) -> None:
    before = held(os.getpid())
    with (tmp_path / "one").open("w"), (tmp_path / "two").open("w"):
        kept = bytearray(os.urandom(1 << 20) * 32)
        during = held(os.getpid())
    assert during.files == before.files + 2
    assert during.memory_kb - before.memory_kb >= len(kept) // 1024 * 3 // 4
    with pytest.raises(OSError):
        held(2**22 + 1)
