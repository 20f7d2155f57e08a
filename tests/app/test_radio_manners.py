"""Whole gateways with a repeater on one bank and a trunked system on the other; and a loop.

The many exchanges and requests are in tests/services/test_radio_manners.py and test_loops.py, in
virtual time; here a few, over real drivers, processes and brokers.
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, RADIO, Side
from radiobridge_sim.gateway_status import patch_in_force
from radiobridge_sim.handheld import Handheld, Said
from radiobridge_sim.measure import PhraseMeasure, measure_phrase
from radiobridge_sim.repeater import RepeaterSettings
from radiobridge_sim.sound import RATE
from radiobridge_sim.tones import HighPass
from radiobridge_sim.trunked import Trunk, TrunkedSettings
from radiobridge_sim.world import World
from tests.app.figures import Figures

pytestmark = pytest.mark.real

LIMIT_S = 60.0
TONE, OTHER_TONE = 100.0, 141.3
HANG_S = 5.0
FOUND = 0.6
FAULTS_MS = 200.0
PATCH = PatchId("manners-1")

HILL = replace(
    OPP,
    interface="lines",
    input_hz=OPP.hz + 5_000_000,
    repeater=RepeaterSettings(hang_s=HANG_S, courtesy_hz=800.0, ctcss_hz=TONE, input_ctcss_hz=TONE),
    settings={"receive": {"quiet": "700ms", "settling": "250ms", "ctcss": TONE}},
)
TRUNK = replace(
    CBP,
    interface="lines",
    trunked=TrunkedSettings(seed=140, queued_share=0.3, denied_share=0.3),
)
FATES = [Trunk.GRANTED, Trunk.QUEUED, Trunk.DENIED, Trunk.GRANTED]
"""What becomes of the first requests with that seed and those shares."""


class Manners(World):
    """Two sides with one patch between them."""

    def __init__(self, folder: Path, sides: tuple[Side, Side]) -> None:
        super().__init__(folder, sides)
        self.stranger = Handheld("stranger", hz=sides[0].hz, ctcss_hz=OTHER_TONE)
        self._units["stranger"] = self.stranger

    def patch(self) -> None:
        """Start, and put the patch in force."""
        self.start(lambda _doing: None)
        plan = self.plan()
        for side in self.sides:
            self.set_plans(side, {PATCH: plan})
        self.until("the patch in force", lambda: all(map(self.in_force, self.sides)))

    def in_force(self, side: Side) -> bool:
        return patch_in_force(self.gateway(side).status(), PATCH)

    def until(self, what: str, done: object) -> None:
        assert callable(done)
        self.wait_until(done, LIMIT_S, Text(what, what))

    def ptt(self, side: Side) -> list[tuple[float, float]]:
        """Return when a donor radio's PTT was on."""
        return self.lines.intervals(side.donor, "PTT", self.clock.now())

    def talk(self, side: Side, phrase: str) -> Said:
        """Have somebody talk; wait until it is said and nobody is keyed for it any more."""
        across, before = self.other(side), len(self.ptt(self.other(side)))
        said = self.begin(side, phrase)
        self.until("PTT on", lambda: len(self.ptt(across)) > before)
        self.until("all said", lambda: self.clock.now() * RATE > said.end)
        self.until("PTT off", lambda: not self.keyed(across))
        return said

    def keyed(self, side: Side) -> bool:
        events = self.lines.events(side.donor, "PTT")
        return bool(events) and bool(events[-1].value)

    def measure(self, said: Said, mouth: Side) -> PhraseMeasure:
        """Measure what came of a phrase across; what a tone's transmitter takes out is left out."""
        ear = self.unit(self.other(mouth)).heard.samples()
        mouth_heard = HighPass().feed(self.unit(mouth).said.samples())
        return measure_phrase(mouth_heard, ear, said.start, said.end, latest=4 * RATE)

    def logged(self, side: Side, event: str) -> list[dict[str, str]]:
        """Return the entries of a gateway's log with that event."""
        lines = self.gateway(side).log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if f'"event": "{event}"' in line]


def whole(measured: PhraseMeasure) -> None:
    faults = max(measured.missing_ms, measured.clipped_start_ms, measured.clipped_end_ms)
    assert measured.found >= FOUND, replace(measured, matches=())
    assert faults <= FAULTS_MS, replace(measured, matches=())


@pytest.fixture(scope="module")
def hill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manners]:
    world = Manners(tmp_path_factory.mktemp("hill"), (HILL, TRUNK))
    try:
        world.patch()
        yield world
    finally:
        world.stop()


def test_a_repeater_here_and_a_trunked_system_there(hill: Manners, figures: Figures) -> None:
    """Whole where granted; told where denied; neither tail nor beep nor stranger keys anybody."""
    hill.stranger.say("off tone", hill._phrases["radio-check-en"], step=hill.clock.soon())
    hill.until("COR on and off", lambda: len(hill.lines.events(HILL.donor, "COR")) == 2)
    assert hill.ptt(TRUNK) == [], "what is off tone does not pass"
    talks = []
    for fate in FATES[:3]:
        said = hill.talk(HILL, "radio-check-en")
        talks.append((HILL, said, fate))
        if fate is not Trunk.DENIED:
            reply = hill.talk(TRUNK, "still-there-en")
            talks.append((TRUNK, reply, Trunk.GRANTED))
    trunking = hill.radio(TRUNK).trunking
    assert trunking is not None
    assert [one.answer for one in trunking.fates] == FATES[:3]
    hill.pause(HANG_S + 1.0)

    for mouth, said, fate in talks:
        if fate is not Trunk.DENIED:
            whole(hill.measure(said, mouth))
    assert len(hill.ptt(TRUNK)) == 3, "each phrase keys once, and nothing else does"
    assert len(hill.ptt(HILL)) == 2, "each reply keys once, and no beep does"

    hill.until("told", lambda: hill.logged(HILL, "not-delivered-at"))
    (told,) = hill.logged(HILL, "not-delivered-at")
    assert (told["partner"], told["reason"]) == (str(TRUNK.gateway), "denied")
    (denied,) = hill.lines.events(TRUNK.donor, "DENIED")
    at = dt.datetime.fromisoformat(told["timestamp"])
    told_ms = 1000.0 * ((at - hill.zero_utc).total_seconds() - denied.t)
    figures.add("denied to told across, ms", {"lines": told_ms})
    assert told_ms < 1000.0, "0.2 s, and room for a busy machine"
    status = hill.gateway(HILL).status() or {}
    assert [one["reason"] for one in status["not_delivered"]] == ["denied"]


@pytest.fixture
def one_channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manners]:
    sides = replace(OPP, interface="lines"), replace(CBP, interface="lines", hz=OPP.hz)
    world = Manners(tmp_path_factory.mktemp("channel"), sides)
    try:
        world.patch()
        yield world
    finally:
        world.stop()


@pytest.mark.calm  # whether and how a loop closes is a matter of milliseconds
def test_two_donor_radios_on_one_channel(one_channel: Manners, figures: Figures) -> None:
    world = one_channel
    said = world.begin(world.sides[0], "radio-check-fr")

    def alarms() -> list[tuple[Side, str]]:
        kinds = ("loop-opened", "loop-suspected")
        return [(side, kind) for side in world.sides for kind in kinds if world.logged(side, kind)]

    world.until("a loop found", lambda: bool(alarms()))
    world.until("silence", lambda: not any(map(world.keyed, world.sides)))
    cut, kind = alarms()[0]
    opened = dt.datetime.fromisoformat(world.logged(cut, kind)[0]["timestamp"])
    began = said.start / RATE
    closed = min(on for side in world.sides for on, _ in world.ptt(side) if on >= began)
    after_s = (opened - world.zero_utc).total_seconds() - closed
    figures.add("loop closed to opened, ms", {"lines": 1000.0 * after_s})
    assert after_s <= 5.0
    if kind == "loop-suspected":
        # Two receivers of one talker opened within the same few ms, and one side keyed: carriers
        # that held each other up are let go, and stay silent.
        return
    assert closed >= said.end / RATE, "nobody is keyed over"
    radio = next(r for r in (world.gateway(cut).status() or {})["radios"] if r["name"] == RADIO)
    assert radio["alarms"] == ["loop"]
    assert "heard again after" in radio["holds"]["loop"]
