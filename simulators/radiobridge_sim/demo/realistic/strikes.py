"""Breaking things while a gateway transmits, and mending them again."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.demo.realistic.judge import Verdict
from radiobridge_sim.demo.realistic.plan import HARMLESS, Fault, Strike
from radiobridge_sim.handheld import Said
from radiobridge_sim.network import Route
from radiobridge_sim.world import World, WorldError

PROCESS_MS = 500.0
"""A gateway or a keyer that dies or stands still: the lease, and what the device itself does."""

PRESS_MS = 520.0
"""A press of the CCDI radio ends by itself after 500 ms of its own clock."""

NETWORK_MS = 1500.0
"""No voice comes any more: `hold` (800 ms), what was on its way, and the tail. What waited for a
grant or in a queue is played first."""

LIMITS_MS = {
    Fault.GATEWAY_KILLED: PROCESS_MS,
    Fault.GATEWAY_STOPPED: PROCESS_MS,
    Fault.GATEWAY_ENDED: PROCESS_MS,
    Fault.KEYER_KILLED: PRESS_MS,
    Fault.KEYER_STOPPED: PRESS_MS,
    Fault.DEVICE_UNPLUGGED: PRESS_MS,
    Fault.LINKS_DEAD: NETWORK_MS,
}
"""From the fault to carrier down, of a radio that is not trunked."""

WORDS = {
    Fault.GATEWAY_KILLED: Text("gateway killed (kill -9)", "passerelle tuée (kill -9)"),
    Fault.GATEWAY_STOPPED: Text("gateway stopped (SIGSTOP)", "passerelle figée (SIGSTOP)"),
    Fault.GATEWAY_ENDED: Text("gateway told to end (SIGTERM)", "passerelle arrêtée (SIGTERM)"),
    Fault.KEYER_KILLED: Text("keyer killed (kill -9)", "activateur tué (kill -9)"),
    Fault.KEYER_STOPPED: Text("keyer stopped (SIGSTOP)", "activateur figé (SIGSTOP)"),
    Fault.DEVICE_UNPLUGGED: Text("radio's cable unplugged", "câble de la radio débranché"),
    Fault.LINKS_DEAD: Text("both links a black hole", "deux liaisons en trou noir"),
    Fault.LINK_DEAD: Text("one of two links a black hole", "une liaison sur deux en trou noir"),
    Fault.BROKER_KILLED: Text("one of two brokers killed", "un courtier sur deux tué"),
}

KEYER = b"radiobridge.keyer.process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What came of one fault."""

    strike: Strike
    side: Side
    said: Said
    at_s: float
    """When it struck, in s since the common zero."""
    down_ms: float | None
    """From the fault to carrier down; None when it did not come down."""
    again: bool
    """The radio was keyed again while the talker went on."""
    verdict: Verdict | None
    """What became of what was said, where nothing of it may be missing."""
    recovered_s: float | None
    """From mending it until all was as before; None when it never was."""

    @property
    def held(self) -> bool:
        """Tell whether all was as promised."""
        return self.kept and self.recovered_s is not None

    @property
    def kept(self) -> bool:
        """Tell whether the carrier did what it should, and the voice too."""
        if self.strike.fault in HARMLESS:
            return self.verdict is not None and self.verdict.measured.whole and not self.again
        return self.down_ms is not None and self.down_ms <= self.limit_ms and not self.again

    @property
    def limit_ms(self) -> float:
        """Return within what time the carrier has to be down."""
        limit, trunked = LIMITS_MS[self.strike.fault], self.side.trunked
        if self.strike.fault is not Fault.LINKS_DEAD or trunked is None:
            return limit
        return limit + 1000.0 * (trunked.grant_s[1] + trunked.queue_s[1])


class Breaker:
    """Breaks and mends the world that it is given. To be used in the main thread."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stopped: list[int] = []

    def strike(self, strike: Strike) -> float:
        """Break something now; return the instant before it, in s since the common zero."""
        side = self._world.sides[strike.side]
        match strike.fault:
            case Fault.GATEWAY_KILLED:
                return self._world.end_gateway(side, signal.SIGKILL)
            case Fault.GATEWAY_ENDED:
                return self._world.end_gateway(side, signal.SIGTERM)
            case Fault.GATEWAY_STOPPED:
                return self._signal(self._gateway(side), signal.SIGSTOP)
            case Fault.KEYER_KILLED:
                return self._signal(self._keyer(side), signal.SIGKILL)
            case Fault.KEYER_STOPPED:
                return self._signal(self._keyer(side), signal.SIGSTOP)
            case _:
                at = self._world.clock.now()
                self._cut(strike, side)
                return at

    def mend(self, strike: Strike) -> None:
        """Put right what `strike` broke."""
        side = self._world.sides[strike.side]
        for pid in self._stopped:
            if pid in (self._world.gateway(side).pid, *keyers(self._gateway(side))):
                os.kill(pid, signal.SIGCONT)
        self._stopped.clear()
        match strike.fault:
            case Fault.GATEWAY_KILLED | Fault.GATEWAY_ENDED:
                self._world.gateway(side).stop()
                self._world.start_gateway(side)
            case Fault.DEVICE_UNPLUGGED:
                self._world.cables(side).plug_in()
            case Fault.LINKS_DEAD | Fault.LINK_DEAD:
                for route in self._routes(strike, side):
                    route.heal()
            case Fault.BROKER_KILLED:
                self._world.brokers[strike.link].start()

    def _cut(self, strike: Strike, side: Side) -> None:
        match strike.fault:
            case Fault.DEVICE_UNPLUGGED:
                self._world.cables(side).pull()
            case Fault.LINKS_DEAD | Fault.LINK_DEAD:
                for route in self._routes(strike, side):
                    route.swallow()
            case Fault.BROKER_KILLED:
                self._world.brokers[strike.link].kill()

    def _routes(self, strike: Strike, side: Side) -> list[Route]:
        ways = self._world.routes[self._world.other(side).unit]
        return ways if strike.fault is Fault.LINKS_DEAD else [ways[strike.link]]

    def _signal(self, pid: int, number: signal.Signals) -> float:
        at = self._world.clock.now()
        os.kill(pid, number)
        if number is signal.SIGSTOP:
            self._stopped.append(pid)
        return at

    def _gateway(self, side: Side) -> int:
        pid = self._world.gateway(side).pid
        if pid is None:
            raise WorldError(f"{side.gateway} does not run", f"{side.gateway} ne fonctionne pas")
        return pid

    def _keyer(self, side: Side) -> int:
        for pid in keyers(self._gateway(side)):
            return pid
        raise WorldError(f"{side.gateway} has no keyer", f"{side.gateway} sans activateur")


def keyers(gateway: int) -> list[int]:
    """Return the process ids of a gateway's keyer: none for a moment when it starts anew."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The command's name may hold blanks and brackets; the fields after it do not.
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            ours = int(parent) == gateway and KEYER in (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if ours:
            found.append(int(folder.name))
    return found
