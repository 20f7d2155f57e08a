"""Two gateways as processes, and two brokers that each gateway reaches over a network of its own.

The world is shared by the tests, which come one after the other: `mend` brings it back to where
each of them begins.
"""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, Side
from radiobridge_sim.gateway_status import linked, patch_in_force
from radiobridge_sim.handheld import Said
from radiobridge_sim.measure import PhraseMeasure, measure_phrase
from radiobridge_sim.network import Network, Route
from radiobridge_sim.sound import RATE
from radiobridge_sim.world import World

LIMIT_S = 60.0
FIRST, SECOND = 0, 1
PATCH = PatchId("strait-1")


class Strait(World):
    """The world; see the top of the file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, (OPP, CBP), network=Network(seed=4))

    def agree(self) -> None:
        """Join both sides, for all tests."""
        plan = self.plan()
        for side in self.sides:
            self.set_plans(side, {PATCH: plan})
        self.until("the patch in force", lambda: all(map(self.in_force, self.sides)))

    def mend(self) -> None:
        """Have everything run, be linked, and be quiet."""
        for unit in self._units.values():
            unit.hush()
        for broker in self.brokers:
            broker.start()
            broker.resume()
        for number in range(len(self.brokers)):
            for way in self.ways_to(number):
                way.heal()
        self.all_linked()
        self.until("the patch in force", lambda: all(map(self.in_force, self.sides)))
        self.settle()

    def until(self, what: str, done: Any) -> None:
        """Wait until `done`."""
        self.wait_until(done, LIMIT_S, Text(what, what))

    def in_force(self, side: Side) -> bool:
        """Tell whether a gateway says that the patch is in force."""
        return patch_in_force(self.gateway(side).status(), PATCH)

    def all_linked(self) -> None:
        """Wait until both gateways are on both brokers, and see each other there."""
        self.until("all linked", lambda: all(map(self._linked, self.sides)))

    def _linked(self, side: Side) -> bool:
        status = self.gateway(side).status() or {}
        partners = status.get("partners") or []
        return linked(status) and any(len(one["links"]) == len(self.brokers) for one in partners)

    def link(self, side: Side, broker: int) -> dict[str, Any]:
        """Return what a gateway says of one of its links."""
        status = self.gateway(side).status() or {}
        name = str(self.sides[broker].agency)
        found = (one for one in status.get("links") or [] if one["name"] == name)
        return next(found, {"up": None, "counters": {}})

    def partner(self, side: Side) -> dict[str, Any]:
        """Return what a gateway says of the other one."""
        partners = (self.gateway(side).status() or {}).get("partners") or []
        return dict(partners[0]) if partners else {}

    def ways_to(self, broker: int) -> list[Route]:
        """Return the routes of both gateways to a broker."""
        return [self.routes[side.unit][broker] for side in self.sides]

    def counters(self, side: Side) -> dict[str, int]:
        """Return what the radio of a gateway and its voice plane have counted."""
        status = self.gateway(side).status() or {}
        return {**status["counters"], **status["radios"][0]["counters"]}

    def sent(self, side: Side, broker: int) -> int:
        """Return how many voice packets a gateway has sent by a broker."""
        return int(self.link(side, broker)["counters"]["voice_sent"])

    def voice_again(self, broker: int) -> None:
        """Wait until both gateways have a voice connection to a broker."""

        def connected(side: Side) -> bool:
            return bool(self.link(side, broker)["counters"].get("voice_connected"))

        self.until("voice connected", lambda: all(map(connected, self.sides)))

    def at(self, said: Said, seconds: float) -> None:
        """Wait until a phrase has gone on for so long; it must not be over."""
        self.until("in mid-sentence", lambda: self.clock.now() >= said.start / RATE + seconds)
        self.still(said)

    def still(self, said: Said) -> None:
        """Check that somebody still says the phrase."""
        assert self.clock.now() < said.end / RATE - 0.5, "the phrase was over too soon"

    def over(self, said: Said) -> None:
        """Wait until a phrase is over and all is quiet."""
        self.until("the phrase over", lambda: self.clock.now() > said.end / RATE + 0.2)
        self.settle()

    def heard(self, said: Said, mouth: Side = CBP) -> PhraseMeasure:
        """Return what the other side heard of a phrase."""
        ear = self.other(mouth)
        samples = self.unit(mouth).said.samples(), self.unit(ear).heard.samples()
        return measure_phrase(*samples, said.start, said.end)

    def ptt(self, side: Side, said: Said) -> list[int]:
        """Return what PTT of a side did from the beginning of a phrase on."""
        events = self.lines.events(side.donor, "PTT")
        return [int(event.value) for event in events if event.t >= said.start / RATE]

    def logged(self, side: Side, event: str, since: float) -> list[float]:
        """Return when a gateway has logged an event since then, in s since the common zero."""
        lines = self.gateway(side).log.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if f'"event": "{event}"' in line]
        zero = self.zero_utc.timestamp()
        times = [dt.datetime.fromisoformat(one["timestamp"]).timestamp() - zero for one in found]
        return [at for at in times if at >= since]

    def told(self, side: Side, event: str, seen: int = 0) -> int:
        """Return how often a gateway has logged an event, `seen` times left out."""
        return self.gateway(side).log.read_text().count(f'"event": "{event}"') - seen
