"""A test stand for faults: a world of real processes in which something is broken on purpose.

The American side talks, the Canadian gateway keys its radio for that; what breaks is either on the
way between them or on the Canadian side. Times are s since the world's zero.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.gateway_status import linked, patch_in_force
from radiobridge_sim.handheld import Said
from radiobridge_sim.line_log import LineEvent
from radiobridge_sim.measure import PhraseMeasure, measure_phrase
from radiobridge_sim.network import Network
from radiobridge_sim.sound import RATE
from radiobridge_sim.tones import HighPass
from radiobridge_sim.world import World

PATCH = PatchId("faults-1")
LONG, SHORT = "long-en", "radio-check-en"
"""About nine seconds, and two."""

INTO_S = 2.0
"""How far into the phrase something breaks."""

LATEST = 3 * RATE
"""A call that waits in the queue of a trunked system is heard so much later."""

LIMIT_S = 60.0
KNOCK_S = 0.005
"""How often a status is asked for when its time is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a fault did; None: it does not apply, or (where it has a limit) it never came."""

    lost: int | None = None
    """Voice packets that were sent and not accepted at the far end."""
    gap_ms: float | None = None
    """The longest in what the far handheld heard."""
    keyed: int | None = None
    """How often the far radio was keyed for the phrase."""
    unkey_ms: float | None = None
    """From the fault to the line that no longer keys."""
    told_ms: float | None = None
    """From the fault until the status of a gateway says so."""
    recover_s: float | None = None
    """From the repair until all is linked, usable and agreed, and a phrase is heard again."""


class _Counts(NamedTuple):
    sent: int
    accepted: int


class Stand:
    """One world, its patch, and what to break in it."""

    def __init__(self, folder: Path, sides: tuple[Side, Side], seed: int) -> None:
        self.world = World(folder, sides, network=Network(seed))
        self.near, self.far = sides[1], sides[0]
        """Who talks, and whose radio is keyed for it."""

    def start(self, doing: Callable[[Text], None]) -> None:
        """Start everything and join both sides; raise WorldError or DriverError."""
        self.world.start(doing)
        plan = self.world.plan()
        for side in self.world.sides:
            self.world.set_plans(side, {PATCH: plan})
        self.wait(self.whole, Text("both sides to agree", "accord des deux côtés"))

    def wait(self, done: Callable[[], bool], what: Text) -> None:
        """Wait as long as something real may take; raise WorldError."""
        self.world.wait_until(done, LIMIT_S, what)

    # -- what a phrase does ------------------------------------------------------------------

    def talk_into(self, break_it: Callable[[], None]) -> tuple[Said, float]:
        """Begin a long phrase, break something in the midst of it; return when that was."""
        said = self.world.begin(self.near, LONG)
        self.wait(self.keyed, Text("PTT on", "PTT actif"))
        middle = said.start / RATE + INTO_S
        self.wait(
            lambda: self.world.clock.now() >= middle,
            Text("the middle of the phrase", "le milieu de la phrase"),
        )
        at = self.world.clock.now()
        break_it()
        return said, at

    def through(self, break_it: Callable[[], None]) -> Outcome:
        """Break something on the way of a phrase that must come through; tell what came of it."""
        before = self._counts()
        said, _ = self.talk_into(break_it)
        self.over(said)
        after = self._counts()
        measured = self.measured(said)
        clipped = max(measured.clipped_start_ms, measured.clipped_end_ms)
        # The last packet of a spurt holds no frame of its own: one more than frames.
        return Outcome(
            lost=after.sent + 1 - before.sent - (after.accepted - before.accepted),
            gap_ms=max(measured.longest_gap_ms, clipped),
            keyed=sum(event.value for event in self.ptt(said.start / RATE)),
        )

    def unkeyed(self, break_it: Callable[[], None]) -> Outcome:
        """Break something while the far radio is keyed; tell how soon it no longer was."""
        _, at = self.talk_into(break_it)
        self.wait(lambda: not self.keyed(), Text("PTT off", "PTT coupé"))
        off = next(event.t for event in self.ptt(at) if not event.value)
        return Outcome(unkey_ms=1000.0 * (off - at))

    def recovered(self, since: float) -> float | None:
        """Wait until all works again, and tell how long after `since`; None: nothing is heard."""
        self.world.unit(self.near).hush()
        self.wait(self.whole, Text("all to work again", "tout fonctionne de nouveau"))
        took = self.world.clock.now() - since
        self.world.settle()
        said = self.world.say(self.near, SHORT)
        return took if self.measured(said).found >= 0.9 else None

    def over(self, said: Said) -> None:
        """Wait until a phrase is over and the air is quiet."""
        end = said.end / RATE
        self.wait(
            lambda: self.world.clock.now() > end, Text("the phrase to end", "fin de la phrase")
        )
        self.world.settle()

    def measured(self, said: Said) -> PhraseMeasure:
        """Return what the far handheld heard of it."""
        mouth, ear = self.world.unit(self.near).said.samples(), self.world.unit(self.far).heard
        if self.near.repeater.input_ctcss_hz is not None:
            mouth = HighPass().feed(mouth)  # a transmitter with a tone takes that much out
        return measure_phrase(mouth, ear.samples(), said.start, said.end, said.phrase, LATEST)

    # -- what can be seen --------------------------------------------------------------------

    def ptt(self, since: float) -> list[LineEvent]:
        """Return the changes of the far radio's PTT since then."""
        events = self.world.lines.events(self.far.donor, "PTT")
        return [event for event in events if event.t >= since]

    def keyed(self) -> bool:
        """Tell whether the far radio's PTT is on."""
        events = self.ptt(0.0)
        return bool(events) and bool(events[-1].value)

    def whole(self) -> bool:
        """Tell whether both gateways are linked, usable and see the patch in force."""
        return all(self._sound(self.world.gateway(side).status()) for side in self.world.sides)

    def told_ms(
        self,
        sides: Sequence[Side],
        says: Callable[[Mapping[str, Any]], bool],
        at: float,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> float:
        """Return how long after `at` the status of one of them says it (and knock often)."""
        until = time.monotonic() + LIMIT_S
        gateways = [self.world.gateway(side) for side in sides]
        while not any(says(status) for one in gateways if (status := one.status())):
            if time.monotonic() > until:
                return float("inf")
            meanwhile()
            time.sleep(KNOCK_S)
        return 1000.0 * (self.world.clock.now() - at)

    def _sound(self, status: Mapping[str, Any] | None) -> bool:
        if status is None or not linked(status) or not patch_in_force(status, PATCH):
            return False
        return all(one["online"] for one in status["partners"]) and all(
            radio["interface"] == radio["audio"] == "up" for radio in status["radios"]
        )

    def _counts(self) -> _Counts:
        near = self.world.gateway(self.near).status()
        far = self.world.gateway(self.far).status()
        assert near is not None and far is not None  # noqa: S101, PT018 - both ran a moment ago
        return _Counts(near["radios"][0]["counters"]["frames"], _accepted(far))


def _accepted(status: Mapping[str, Any]) -> int:
    accepted: int = status["counters"].get("voice-accepted", 0)
    return accepted
