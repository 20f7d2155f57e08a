"""A crowd: two gateways with many radios each, and somebody who talks on nearly all of them.

Each radio of one gateway has a channel and a talkgroup of its own and is patched with its like of
the other gateway. On each pair the two sides take turns: `TALK_S` of speech, a pause, and back.
Nothing is recorded, so that it can go on for as long as one likes; what came of each spurt is seen
on the line logs and in the play-out of the radios.
"""

import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, Cabling, Side, make_plan
from radiobridge_sim.air import Air, AirUnit, Emission, Reception
from radiobridge_sim.cables import connect
from radiobridge_sim.gateway_status import patch_in_force
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.radio import DonorRadio
from radiobridge_sim.sound import RATE, STEP, Pcm
from radiobridge_sim.ticker import Ticker
from radiobridge_sim.world import World

TALK_S, PAUSE_S = 4.0, 1.0
"""A spurt, and the pause after it: tail, hang and a human breath."""

_TALK = round(TALK_S * RATE) // STEP
_TURN = round((TALK_S + PAUSE_S) * RATE) // STEP
_PERIOD = 2 * _TURN

AGREE_S = 30.0
FIRST_HZ, SPACING_HZ = 155_000_000, 12_500

SERIAL = {0: "ccdi", 1: "lines"}
"""Radios by number that hang on a serial device; all others are keyed by their USRP stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two radios that are patched: one of each gateway."""

    patch: PatchId
    sides: tuple[Side, Side]


class Talker(AirUnit):
    """A portable that says a loop of speech in its turns, for ever, until it is hushed."""

    def __init__(self, name: str, *, hz: int, speech: Pcm) -> None:
        super().__init__(name, tx_hz=hz)
        self.spurts = 0
        """Turns that have begun."""
        self.finished = 0
        """Turns that were said to their end."""
        self._steps = speech[: len(speech) // STEP * STEP].reshape(-1, STEP)
        self._first: int | None = None
        self._hushed = False
        self._talking = False

    def begin(self, step: int) -> None:
        """Let the first turn begin in `step`."""
        self._first, self._hushed = step, False

    def hush(self) -> None:
        """Begin no further turn."""
        self._hushed = True

    @property
    def talking(self) -> bool:
        """Tell whether a turn is on."""
        return self._talking

    def emit(self, step: int) -> Emission | None:
        """Say the next 5 ms, in a turn."""
        first = self._first
        at = _TALK if first is None or step < first else (step - first) % _PERIOD
        if at >= _TALK:
            self.finished += self._talking
            self._talking = False
            return None
        if not self._talking:
            if self._hushed or at:
                return None
            self._talking = True
            self.spurts += 1
        return Emission(self._steps[step % len(self._steps)])

    def hear(self, step: int, reception: Reception) -> None:
        """Listen, and forget."""


class Crowd(World):
    """The world; see the top of the file."""

    def __init__(self, folder: Path, pairs: int, *, seed: int = 0) -> None:
        self.pairs = tuple(_pair(number) for number in range(pairs))
        super().__init__(folder, self.pairs[0].sides)
        self._units.clear()
        self.talkers: dict[str, Talker] = {}
        """By the name of the donor radio on their channel."""
        self._random = np.random.default_rng(seed)

    @property
    def all_sides(self) -> list[Side]:
        """Return the side of each radio."""
        return [side for pair in self.pairs for side in pair.sides]

    def donor(self, side: Side) -> DonorRadio:
        """Return the donor radio of a side."""
        return self._cables[side.unit].radio

    def talk(self) -> None:
        """Let everybody talk from now on; pairs begin one after the other within one period."""
        first = self.clock.soon(0.5)
        for number, pair in enumerate(self.pairs):
            begin = first + _PERIOD * number // len(self.pairs) + int(self._random.integers(4))
            for side, turn in zip(pair.sides, (0, _TURN), strict=True):
                self.talkers[side.donor].begin(begin + turn)

    def hush(self) -> None:
        """Let everybody finish the turn, and wait until all radios are quiet."""
        for talker in self.talkers.values():
            talker.hush()
        over = Text("everybody to be quiet", "que tous se taisent")
        self.wait_until(self._quiet, 2 * TALK_S + 5.0, over)
        self.settle()

    def _quiet(self) -> bool:
        return not any(talker.talking for talker in self.talkers.values())

    def agree(self, *pairs: Pair) -> None:
        """Have both sides take a plan for these pairs (or all), and wait until all are in force."""
        now = dt.datetime.now(dt.UTC)
        agreed_on = pairs or self.pairs
        plans = {str(pair.patch): make_plan(pair.sides, OPP.agency, now) for pair in agreed_on}
        for side in self.sides:
            self.set_plans(side, plans)
        agreed = Text("both sides to agree", "accord des deux côtés")
        self.wait_until(lambda: self._in_force(agreed_on), AGREE_S, agreed)

    def _in_force(self, pairs: Sequence[Pair]) -> bool:
        told = [self.gateway(side).status() for side in self.sides]
        return all(patch_in_force(one, pair.patch) for one in told for pair in pairs)

    # -- start -------------------------------------------------------------------------------

    def _start_air(self) -> None:
        speech = _speech()
        for side in self.all_sides:
            cables = connect(side, self.lines, self.zero, self.folder)
            self._cables[side.unit] = cables
            self._stack.callback(cables.close)
            turned = np.roll(speech, int(self._random.integers(len(speech))))
            self.talkers[side.donor] = Talker(side.unit, hz=side.hz, speech=turned)
        radios = [cables.radio for cables in self._cables.values()]
        self._stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(0.0005)
        self.ticker = Ticker(Air([*radios, *self.talkers.values()]), radios, self.zero)
        self.ticker.start()
        self._stack.callback(self.ticker.stop)

    def _write(self, side: Side, cabling: Cabling, brokers: Sequence[Mapping[str, Any]]) -> None:
        """Write the files of a gateway with all of its radios."""
        super()._write(side, cabling, brokers)
        folder, path = self.home(side), self.gateway(side).config
        gateway: dict[str, Any] = yaml.safe_load(path.read_text())
        talkgroups: dict[str, Any] = {}
        gateway["radios"] = {}
        for one in (one for one in self.all_sides if one.gateway == side.gateway):
            cabling = self._cables[one.unit].cabling
            name, reference = radio_name(one), f"{side.gateway.name}/{radio_name(one)}"
            radio: dict[str, Any] = {"talkgroup": one.talkgroup}
            radio["interface"] = dict(cabling.interface)
            if cabling.audio is not None:
                radio["audio"] = dict(cabling.audio)
            gateway["radios"][name] = radio
            talkgroups[one.talkgroup] = {
                "label": one.label._asdict(),
                "air": "clear",
                "receive": [reference],
                "transmit": {"main": reference},
                "announce": False,
            }
        path.write_text(yaml.safe_dump(gateway, sort_keys=False, allow_unicode=True))
        text = yaml.safe_dump({"agency": str(side.agency), "talkgroups": talkgroups})
        (folder / "talkgroups.yaml").write_text(text, encoding="utf-8")


def radio_name(side: Side) -> str:
    """Return what the gateway calls the radio of a side."""
    return side.talkgroup.lower()


def _pair(number: int) -> Pair:
    hz = FIRST_HZ + 2 * number * SPACING_HZ
    interface = SERIAL.get(number, "usrp")
    near = replace(OPP, unit=f"opp{number}-p", talkgroup=f"TAC{number}", hz=hz)
    far = replace(CBP, unit=f"cbp{number}-p", talkgroup=f"BORDER{number}", hz=hz + SPACING_HZ)
    return Pair(
        patch=PatchId(f"crowd-{number}"),
        sides=(replace(near, interface=interface), replace(far, interface="usrp")),
    )


def _speech() -> Pcm:
    phrases = [phrase.samples() for phrase in load_phrases().values()]
    return np.concatenate(phrases)
