"""Emergencies on two real gateways: raised, first on the air, acknowledged, cleared, survived.

The world is one of its own: `ca.opp/windsor` has a second radio, on TAC2, whose talkgroup only
talks in the patch. It is never keyed, so its talker can be heard while others talk, as one behind
another gateway could be. An alarm escalates after 2 s here (`emergency.escalate`).
"""

import datetime as dt
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from radiobridge.media.mdc1200 import MdcPacket, mdc_burst
from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, Cabling, Side, make_plan
from radiobridge_sim.air import Air
from radiobridge_sim.gateway_status import linked, patch_in_force
from radiobridge_sim.handheld import Handheld
from radiobridge_sim.measure import measure_phrase
from radiobridge_sim.sound import RATE, Pcm
from radiobridge_sim.ticker import Ticker
from radiobridge_sim.world import World
from tests.app.commands import as_json, radiobridge
from tests.app.plugs import Plug, plug

pytestmark = pytest.mark.real

SECOND = replace(OPP, talkgroup="TAC2", unit="second-1", hz=154_452_500, interface="lines")
LIMIT_S = 30.0
PATCH = PatchId("bank-1")
TAC1, TAC2, BORDER = "ca.opp/TAC1", "ca.opp/TAC2", "us.cbp/BORDER"
WHO = "radio:windsor/tac2"

PRESSED = "dont-shoot-en after the emergency button"

Json = dict[str, Any]


def pressed(speech: Pcm) -> Pcm:
    """Return what a radio sends whose emergency button is pressed: MDC1200, then the talker."""
    burst = mdc_burst(MdcPacket(op=0x40, arg=0x80, unit=0x1234), RATE)
    return np.concatenate([burst, speech]).astype(np.int16)


class Bank(World):
    """Two gateways and their brokers, and a third radio."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, (OPP, CBP))
        self.plugs: dict[Side, Plug] = {}
        self._units[SECOND.unit] = Handheld(SECOND.unit, hz=SECOND.hz)
        self._phrases[PRESSED] = pressed(self._phrases["dont-shoot-en"])
        self._phases[SECOND.unit] = 0

    def _start_air(self) -> None:
        for side in (OPP, SECOND, CBP):
            self.plugs[side] = plug(side, self.folder, self.lines, self.zero)
            self._cables[side.unit] = self.plugs[side].cables
            self._stack.callback(self.plugs[side].cables.close)
        self._stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(0.0005)
        radios = [cables.radio for cables in self._cables.values()]
        self.ticker = Ticker(Air([*radios, *self._units.values()]), radios, self.zero)
        self.ticker.start()
        self._stack.callback(self.ticker.stop)

    def _write(self, side: Side, cabling: Cabling, brokers: Sequence[Mapping[str, Any]]) -> None:
        super()._write(side, cabling, brokers)
        config = yaml.safe_load(self.gateway(side).config.read_text())
        config["emergency"] = {"escalate": "2s"}
        if side is OPP:
            second = self.plugs[SECOND].cables.cabling
            radio = {"talkgroup": "TAC2", "interface": dict(second.interface)}
            if second.audio is not None:
                radio["audio"] = dict(second.audio)
            config["radios"]["tac2"] = radio
            path = self.home(side) / "talkgroups.yaml"
            talkgroups = yaml.safe_load(path.read_text())
            talkgroups["talkgroups"]["TAC2"] = {
                "label": {"en": "Tactical 2", "fr": "Tactique 2"},
                "air": "clear",
                "receive": ["windsor/tac2"],
                "transmit": {"main": "windsor/tac2"},
            }
            path.write_text(yaml.safe_dump(talkgroups))
        self.gateway(side).config.write_text(yaml.safe_dump(config))

    def agree(self) -> None:
        """Have both sides take one plan, and wait until it is in force."""
        plan = make_plan(self.sides, OPP.agency, dt.datetime.now(dt.UTC))
        for member in plan["members"].values():
            member["max_class"] = "emergency"
        plan["members"][TAC2] = {**plan["members"][TAC1], "access": "talk"}
        for side in self.sides:
            self.set_plans(side, {PATCH: plan})
        self.wait_in_force()

    def wait_in_force(self) -> None:
        self.until(lambda: all(self._works(side) for side in self.sides), "the patch in force")

    def _works(self, side: Side) -> bool:
        status = self.gateway(side).status() or {}
        radios = status.get("radios") or []
        usable = all(radio["interface"] == radio["audio"] == "up" for radio in radios)
        return linked(status) and bool(radios) and usable and patch_in_force(status, PATCH)

    def until(self, done: Callable[[], bool], what: str) -> None:
        self.wait_until(done, LIMIT_S, Text(what, what))

    # -- what dispatchers do and see ---------------------------------------------------------

    def ask(self, side: Side, *arguments: str) -> Any:
        """Run `radiobridge emergency` with `--json` at a gateway."""
        return as_json("emergency", *arguments, socket=self.gateway(side).socket)

    def alarms(self, side: Side) -> list[Json]:
        found: list[Json] = (self.gateway(side).status() or {}).get("alarms") or []
        return found

    def stages(self, alarm: str) -> list[tuple[str, bool, bool]]:
        """Return stage, rank and escalation of an alarm at both gateways, where it is known."""
        shown = [a for side in self.sides for a in self.alarms(side) if a["id"] == alarm]
        return [(a["stage"], a["rank"], a["escalated"]) for a in shown]

    def wait_stage(self, alarm: str, stage: str, *, rank: bool, escalated: bool = False) -> None:
        wanted = [(stage, rank, escalated)] * 2
        self.until(lambda: self.stages(alarm) == wanted, f"{alarm} {stage}")

    def holders(self) -> list[tuple[str, str] | None]:
        """Return who has the floor, as each gateway sees it."""
        found = []
        for side in self.sides:
            floors = (self.gateway(side).status() or {})["floor"]
            holder = next(f["holder"] for f in floors if BORDER in f["talkgroups"])
            found.append(holder and (holder["talkgroup"], holder["class"]))
        return found

    def wait_holder(self, talkgroup: str, rank: str) -> None:
        self.until(lambda: self.holders() == [(talkgroup, rank)] * 2, f"{talkgroup} has the floor")

    def keyed(self, side: Side, since: float) -> bool:
        """Tell whether a radio was keyed after `since`."""
        events = self.lines.events(side.donor, "PTT")
        return any(event.value for event in events if event.t >= since)

    def hush(self, *sides: Side) -> None:
        for side in sides:
            self.unit(side).hush()
        self.settle()


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    world = Bank(tmp_path)
    try:
        world.start(lambda _doing: None)
        world.agree()
        yield world
    finally:
        world.stop()


def test_an_emergency_from_its_first_word_to_its_end(bank: Bank) -> None:
    before_the_alarm(bank)
    alarm = first_on_the_air(bank)
    nobody_answers(bank, alarm)
    acknowledged_and_cleared(bank, alarm)
    the_button_of_a_radio_in_the_field(bank)
    a_talker_is_excluded(bank)
    a_gateway_dies(bank)
    the_donor_radios_own_switch(bank)


def before_the_alarm(bank: Bank) -> None:
    """Who talks later waits."""
    assert [bank.alarms(side) for side in bank.sides] == [[], []]
    # Other words than those that follow: the same again within 3 s would be a loop.
    bank.begin(CBP, "position-en")
    bank.wait_holder(BORDER, "normal")
    at = bank.clock.now()
    bank.begin(SECOND, "dont-shoot-en")
    bank.pause(1.0)
    assert bank.holders() == [(BORDER, "normal")] * 2
    assert not bank.keyed(CBP, at)
    bank.hush(CBP, SECOND)


def first_on_the_air(bank: Bank) -> str:
    """The alarm is on both gateways, and its talker cuts off who talks."""
    bank.begin(CBP, "long-en")
    bank.wait_holder(BORDER, "normal")
    raised = bank.ask(OPP, "raise", "TAC2", "--talker", "mdc:1234", "--alias", "Unit 12")
    assert (raised["talkgroup"], raised["stage"], raised["durable"]) == (TAC2, "raised", True)
    bank.until(lambda: len(bank.stages(raised["id"])) == 2, "the alarm on both gateways")
    at = bank.clock.now()
    said = bank.begin(SECOND, "dont-shoot-en")
    bank.wait_holder(TAC2, "emergency")
    assert any(a["alias"] == "Unit 12" for a in bank.alarms(CBP))
    bank.until(lambda: bank.clock.now() > said.end / RATE + 0.5, "all said")
    bank.hush(CBP)
    # Keyed over a talker of its own channel, and whole on the other one.
    assert bank.keyed(CBP, at)
    heard = bank.unit(OPP).heard.samples()
    measured = measure_phrase(bank.unit(SECOND).said.samples(), heard, said.start, said.end)
    assert measured.found >= 0.75, replace(measured, matches=())
    return str(raised["id"])


def nobody_answers(bank: Bank, alarm: str) -> None:
    bank.wait_stage(alarm, "raised", rank=True, escalated=True)
    for side in bank.sides:
        log = bank.gateway(side).log.read_text(encoding="utf-8")
        assert '"event": "alarm-escalated"' in log
    shown = radiobridge("emergency", "list", socket=bank.gateway(CBP).socket, language="fr")
    assert "SANS RÉPONSE" in " ".join(shown.stdout.split())


def acknowledged_and_cleared(bank: Bank, alarm: str) -> None:
    refused = radiobridge(
        "emergency", "clear", alarm, "--valid", "--reason", "x", socket=bank.gateway(CBP).socket
    )
    assert refused.returncode == 1
    assert "only ca.opp can clear this alarm" in refused.stderr
    answer = bank.ask(CBP, "ack", alarm)
    assert (answer["stage"], answer["acknowledged_by"][0]["gateway"]) == (
        "acknowledged",
        "us.cbp/detroit",
    )
    bank.wait_stage(alarm, "acknowledged", rank=True)
    bank.ask(OPP, "clear", alarm, "--false", "--reason", "pressed by mistake")
    bank.wait_stage(alarm, "cleared", rank=False)
    (shown,) = [a for a in bank.alarms(CBP) if a["id"] == alarm]
    assert (shown["verdict"], shown["reason"]) == ("false", "pressed by mistake")
    assert bank.ask(CBP, "list")["alarms"] == []
    assert [a["id"] for a in bank.ask(CBP, "list", "--all")["alarms"]] == [alarm]


def the_button_of_a_radio_in_the_field(bank: Bank) -> None:
    """It comes in while another talks, with the same press of the key."""
    bank.begin(CBP, "long-en")
    bank.wait_holder(BORDER, "normal")
    bank.begin(SECOND, PRESSED)
    bank.wait_holder(TAC2, "emergency")
    (raised,) = [a for a in bank.alarms(CBP) if a["open"]]
    assert (raised["kind"], raised["talker"], raised["radio"]) == ("field", "mdc:1234", "tac2")
    bank.hush(CBP, SECOND)
    bank.ask(CBP, "ack", raised["id"])
    bank.ask(OPP, "clear", raised["id"], "--valid", "--reason", "assistance given")
    bank.wait_stage(raised["id"], "cleared", rank=False)


def a_talker_is_excluded(bank: Bank) -> None:
    """By the host of the patch, in mid-word; and restored."""
    bank.begin(SECOND, "long-en")
    bank.wait_holder(TAC2, "normal")
    decided = bank.ask(OPP, "exclude", "TAC2", WHO)
    assert (decided["reach"], decided["durable"]) == ("everybody", True)
    bank.until(lambda: bank.holders() == [None, None], "nobody has the floor")
    bank.until(lambda: len(bank.ask(CBP, "list")["talkers"]) == 1, "the measure at the partner")
    bank.hush(SECOND)
    at = bank.clock.now()
    bank.say(SECOND, "dont-shoot-en")
    assert not bank.keyed(CBP, at)
    assert not bank.keyed(OPP, at)
    restored = bank.ask(OPP, "restore", "TAC2", WHO)
    assert restored["verb"] == "restore"
    at = bank.clock.now()
    bank.say(SECOND, "radio-check-en")  # the same words again would be a loop
    assert bank.keyed(CBP, at)
    # Another agency decides for its own transmitters only.
    decided = bank.ask(CBP, "demote", TAC2, WHO)
    assert decided["reach"] == "own-transmitters"
    bank.until(lambda: len(bank.ask(OPP, "list")["talkers"]) == 1, "their measure here")
    assert bank.ask(OPP, "list")["talkers"][0]["reach"] == "others"
    bank.ask(CBP, "restore", TAC2, WHO)


def a_gateway_dies(bank: Bank) -> None:
    """An open alarm survives it, and so does its end."""
    alarm = str(bank.ask(OPP, "raise", TAC1)["id"])
    bank.wait_stage(alarm, "raised", rank=True, escalated=True)
    bank.end_gateway(OPP, signal.SIGKILL)
    bank.gateway(OPP).wait(LIMIT_S)
    bank.ask(CBP, "ack", alarm)
    bank.start_gateway(OPP)
    bank.wait_stage(alarm, "acknowledged", rank=True)
    bank.ask(OPP, "clear", alarm, "--valid", "--reason", "assistance given")
    bank.wait_stage(alarm, "cleared", rank=False)


def the_donor_radios_own_switch(bank: Bank) -> None:
    """CCDI 03: an alarm on both gateways, and no field emergency."""
    bank.wait_in_force()
    bank.plugs[OPP].press()
    donor: list[Json] = []

    def there() -> bool:
        donor[:] = [a for a in bank.alarms(CBP) if a["kind"] == "donor"]
        return bool(donor)

    bank.until(there, "the donor radio's alarm at the partner")
    assert (donor[0]["talkgroup"], donor[0]["rank"], donor[0]["radio"]) == (TAC1, False, "tac1")
    bank.begin(OPP, "radio-check-en")
    bank.wait_holder(TAC1, "normal")
    bank.hush(OPP)
