"""The realistic demonstration: a hundred calls, faults, and at the end a consent withdrawn."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.demo.audit_step import audit_verified
from radiobridge_sim.demo.exchange import Silence, silence
from radiobridge_sim.demo.live import Desk
from radiobridge_sim.demo.played import Played
from radiobridge_sim.demo.progress import Progress
from radiobridge_sim.demo.realistic import steps
from radiobridge_sim.demo.realistic.calls import LONG, PHRASES, Called, call, judged, wait_over
from radiobridge_sim.demo.realistic.judge import Keys, Spoken, judge_keys
from radiobridge_sim.demo.realistic.plan import HARMLESS, Plan, Strike
from radiobridge_sim.demo.realistic.strikes import WORDS, Breaker, Struck
from radiobridge_sim.demo.realistic.trace import Mark
from radiobridge_sim.demo.report import StepResult
from radiobridge_sim.gateway_status import linked, patch_in_force
from radiobridge_sim.handheld import Said
from radiobridge_sim.line_log import LineEvent
from radiobridge_sim.sound import RATE
from radiobridge_sim.world import World

AGAIN_S = 1.2
"""How long a talker goes on after the carrier is down: the radio must not be keyed again."""

CARRIER_S = 4.0
"""Longest wait for a carrier: grant and queue."""

DOWN_S = 4.0
PAUSE_S = 3.0
"""Between two calls, for as long as somebody wants to listen."""

RECOVERED_S = 40.0


class RealisticStory(Played):
    """Plays a plan and keeps what came of it."""

    def __init__(self, world: World, progress: Progress, plan: Plan) -> None:
        super().__init__(world, progress)
        self.plan = plan
        self.calls: list[Called] = []
        self.struck: list[Struck] = []
        self.keys: dict[str, Keys] = {}
        self.marks: list[Mark] = []
        """When consent was given and withdrawn."""
        self.desk = Desk(world)
        self._breaker = Breaker(world)
        self._patches = 0
        self._asked: list[Said] = []
        """Everything that a transmitter may be keyed for."""

    def play(self) -> None:
        """Play all of it; raise WorldError when something cannot be played."""
        self._add(steps.silent_before(self._unheard()))
        self.progress.doing(Text("both agencies agree", "les deux agences s'accordent"))
        self._agree()
        since = self.world.clock.now()
        for planned in self.plan.calls:
            self._wait_for(since + planned.at_s)
            self.call(self.world.sides[planned.side])
        self._add(steps.calls_whole(self.calls))
        for strike in self.plan.strikes:
            self._add(steps.fault(self._strike(strike), self._both_ways()))
        self._add(self._withdrawn())

    def go_on(self) -> None:
        """Agree anew, and have both sides call now and then, until a signal ends it."""
        self._agree()
        text = Text("The bridge is up; Ctrl-C ends it.", "Le pont est en service; Ctrl-C termine.")
        self.progress.note(text, "bold")
        while True:
            for side in self.world.sides:
                self.call(side)
                self.world.pause(PAUSE_S)

    def finish(self) -> None:
        """Judge what only the end shows; the gateways have ended."""
        self.judge_keys()
        self._add(audit_verified(self.world))

    def judge_keys(self) -> None:
        """Judge how the transmitters have been keyed so far."""
        until = self.world.clock.now()
        spoken: dict[str, list[Spoken]] = {side.unit: [] for side in self.world.sides}
        for said in self._asked:
            spoken[said.unit].append(Spoken(said.start / RATE, said.end / RATE))
        for side in self.world.sides:
            keyed = self.world.lines.intervals(side.donor, "PTT", until)
            self.keys[side.donor] = judge_keys(keyed, spoken[self.world.other(side).unit])
        self._add(steps.no_false_key(self.keys))

    def call(self, side: Side) -> Called:
        """Have a side call, and judge it."""
        self.progress.spoken(side.unit, PHRASES[side.unit])
        found = call(self.world, side)
        self._keep(found)
        self.calls.append(found)
        self.progress.heard(found.exchange)
        return found

    # -- agreements --------------------------------------------------------------------------

    def _agree(self) -> None:
        self._patches += 1
        seconds = len(self.plan.calls) * 5 + len(self.plan.strikes) * 60
        hours = 1 + math.ceil(seconds / 3600)
        if not self.desk.agree(self._patch, hours=hours):
            self.progress.note(Text("no agreement", "pas d'accord"), "bold red")
        self._mark(self.world.clock.now(), "word", Text("agreed", "accord"))

    @property
    def _patch(self) -> PatchId:
        return PatchId(f"field-{self._patches}")

    # -- faults ------------------------------------------------------------------------------

    def _strike(self, strike: Strike) -> Struck:
        side = self.world.sides[strike.side]
        talker = self.world.other(side)
        self.progress.doing(WORDS[strike.fault])
        said = self.world.begin(talker, LONG[talker.unit])
        self.progress.spoken(talker.unit, said.phrase)
        carrier = self.world.comes_true(lambda: self._on_air(side), CARRIER_S)
        self.world.pause(strike.after_s)
        at = self._breaker.strike(strike)
        harmless = strike.fault in HARMLESS
        said = self._wait_whole(said, side) if harmless else self._wait_down(said, side, at)
        verdict = None
        if harmless:
            found = judged(self.world, talker, said)
            verdict = found.verdict
            self._keep(found)
        else:
            self._remember(said)
        struck = Struck(
            strike=strike,
            side=side,
            said=said,
            at_s=at,
            down_ms=self._down_ms(side, at) if carrier else None,
            again=self._again(side, at, said.end / RATE),
            verdict=verdict,
            recovered_s=self._mend(strike),
        )
        self.struck.append(struck)
        return struck

    def _wait_whole(self, said: Said, side: Side) -> Said:
        wait_over(self.world, said, side)
        return said

    def _wait_down(self, said: Said, side: Side, at: float) -> Said:
        """Wait until the carrier is down, and a while; then the talker falls silent."""
        self.world.comes_true(lambda: self._down_ms(side, at) is not None, DOWN_S)
        self.world.pause(AGAIN_S)
        self.world.unit(self.world.other(side)).hush()
        now = self.world.clock.position()
        self.world.settle()
        return replace(said, end=min(said.end, max(now, said.start + 1)))

    def _ptt(self, side: Side, since: float) -> list[LineEvent]:
        return [e for e in self.world.lines.events(side.donor, "PTT") if e.t >= since]

    def _on_air(self, side: Side) -> bool:
        return self.world.radio(side).on_air

    def _down_ms(self, side: Side, at: float) -> float | None:
        off = next((e.t for e in self._ptt(side, at) if not e.value), None)
        return None if off is None else 1000.0 * (off - at)

    def _again(self, side: Side, at: float, until: float) -> bool:
        return any(e.value and e.t <= until for e in self._ptt(side, at))

    def _mend(self, strike: Strike) -> float | None:
        """Mend, and return how long it took until all was well, in s; None: it never was."""
        self._breaker.mend(strike)
        since = self.world.clock.now()
        well = self.world.comes_true(self._all_well, RECOVERED_S)
        took = self.world.clock.now() - since
        self.world.settle()
        if not well:
            self._agree()
        return took if well else None

    def _all_well(self) -> bool:
        return all(self._well(side) for side in self.world.sides)

    def _well(self, side: Side) -> bool:
        status = self.world.gateway(side).status()
        return linked(status) and _usable(status) and patch_in_force(status, self._patch)

    def _both_ways(self) -> list[Called]:
        return [self.call(side) for side in self.world.sides]

    # -- the end -----------------------------------------------------------------------------

    def _withdrawn(self) -> StepResult:
        """One side withdraws in mid-sentence, while its radio transmits; then nothing crosses."""
        side = self.world.sides[0]
        talker = self.world.other(side)
        self.progress.doing(Text("one agency withdraws", "une agence se retire"))
        said = self.world.begin(talker, LONG[talker.unit])
        self.progress.spoken(talker.unit, said.phrase)
        keyed = self.world.comes_true(lambda: self._on_air(side), CARRIER_S)
        self.world.pause(1.0)
        at = self.world.clock.now()
        self.desk.withdraw(side, self._patch)
        said = self._wait_down(said, side, at)
        self._remember(said)
        down_ms = self._down_ms(side, at) if keyed else None
        again = self._again(side, at, said.end / RATE)
        self._mark(at, "word", Text("withdrawn", "retrait"))
        if down_ms is not None:
            words = f"▼ {down_ms:.0f} ms"
            self._mark(at + down_ms / 1000.0, "down", Text(words, words))
        parted = self.desk.over(self._patch)
        return steps.withdrawn(down_ms, self._unheard(), again=again, parted=parted)

    def _unheard(self) -> list[Silence]:
        tries = []
        for side in self.world.sides:
            self.progress.spoken(side.unit, PHRASES[side.unit])
            found = silence(self.world, side, PHRASES[side.unit])
            self.progress.unheard(found)
            self.said.append(found.said)
            tries.append(found)
        return tries

    def _mark(self, at_s: float, kind: str, words: Text) -> None:
        self.marks.append(Mark(at_s=at_s, kind=kind, words=words))

    # -- keeping -----------------------------------------------------------------------------

    def _keep(self, found: Called) -> None:
        self.exchanges.append(found.exchange)
        self._remember(found.said)

    def _remember(self, said: Said) -> None:
        self.said.append(said)
        self._asked.append(said)

    def _wait_for(self, at: float) -> None:
        wait = at - self.world.clock.now()
        if wait > 0.0:
            self.world.pause(wait)


def _usable(status: Mapping[str, Any] | None) -> bool:
    radios = (status or {}).get("radios") or []
    return bool(radios) and all(r.get("interface") == r.get("audio") == "up" for r in radios)
