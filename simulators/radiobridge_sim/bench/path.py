"""The whole way of the voice: from one handheld's mouth to the other's ear, and what it costs.

Everything is real but the radios and the air: two brokers, two gateways, each with its keyer, as
processes. The spurts of a direction take the four places in a 20 ms frame in turn, so that the
figures do not depend on luck (`World.begin`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from radiobridge.errors import RadioBridgeError
from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.bench.processes import Usage, usage
from radiobridge_sim.demo.exchange import Exchange, cor_to_ptt_ms
from radiobridge_sim.gateway_status import patch_in_force
from radiobridge_sim.handheld import Said
from radiobridge_sim.measure import measure_phrase
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.sound import RATE
from radiobridge_sim.world import World

PATCH = PatchId("bench-1")
AGREE_S = 15.0
IDLE_S = 3.0
"""How long the processes are watched while nobody talks."""

LONGEST_S = 2.5
"""Longer phrases would make the measurement longer, not better."""


class BenchError(RadioBridgeError):
    """The measurement could not be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """What became of all spurts from one side to the other."""

    source: Side
    target: Side
    exchanges: Sequence[Exchange]

    @property
    def lags_ms(self) -> list[float]:
        """Return the delay from mouth to ear of each window of 400 ms."""
        return [lag for one in self.exchanges for lag in one.measured.lags_ms]

    @property
    def ptt_ms(self) -> list[float]:
        """Return the delays from COR to PTT; a spurt that keyed nothing has none."""
        delays = (one.cor_to_ptt_ms for one in self.exchanges)
        return [delay for delay in delays if delay is not None]

    @property
    def whole(self) -> int:
        """Return how many spurts were heard whole."""
        return sum(one.measured.whole for one in self.exchanges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one process used."""

    name: str
    """`gateway ca.opp/windsor`, `keyer ca.opp/windsor`."""
    idle_ms: float
    """CPU ms for each second in which nobody talks."""
    talking_ms: float
    """CPU ms for each second of voice that goes through, the idle share included."""
    waited_ms: float
    """How long it was ready to run and waited for a processor, for each second: other load."""


class Lateness(NamedTuple):
    """How late the event loop of a gateway called its timers, since it started."""

    fired: int
    over_ms: dict[int, int]
    """Limit in ms to how many calls were later than that."""

    def since(self, before: "Lateness") -> "Lateness":
        """Return what came after `before`."""
        over = {ms: count - before.over_ms.get(ms, 0) for ms, count in self.over_ms.items()}
        return Lateness(self.fired - before.fired, over)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathResult:
    """Everything measured on the way."""

    directions: tuple[Direction, ...]
    loads: tuple[Load, ...]
    lateness: Mapping[str, Lateness]
    """By gateway."""
    air_late_p95_ms: float
    """How late the simulation itself was: the figures cannot be better than this."""


class _Snapshot(NamedTuple):
    at: float
    usage: dict[str, Usage]
    lateness: dict[str, Lateness]


def run_path(world: World, spurts: int, doing: Callable[[Text], None]) -> PathResult:
    """Start `world`, have each side say `spurts` phrases, return what was measured.

    Raises BenchError, WorldError and DriverError. The caller stops the world, whatever happens.
    """
    world.start(doing)
    agree(world)
    doing(Text("nobody talks", "personne ne parle"))
    quiet = _snapshot(world)
    world.pause(IDLE_S)
    before = _snapshot(world)
    said = _talk(world, spurts, doing)
    after = _snapshot(world)
    doing(Text("listening to the recordings", "écoute des enregistrements"))
    directions = tuple(_direction(world, side, said[side.unit]) for side in world.sides)
    voice_s = sum(one.end - one.start for each in said.values() for one in each) / RATE
    return PathResult(
        directions=directions,
        loads=_loads(quiet, before, after, voice_s),
        lateness={n: late.since(before.lateness[n]) for n, late in after.lateness.items()},
        air_late_p95_ms=world.clock.lateness_ms(0.95),
    )


def agree(world: World) -> None:
    """Have both sides take a plan that joins them, and wait until it is in force."""
    plan = world.plan()
    for side in world.sides:
        world.set_plans(side, {PATCH: plan})
    agreed = Text("both sides to agree", "accord des deux côtés")
    world.wait_until(lambda: _in_force(world), AGREE_S, agreed)


def _in_force(world: World) -> bool:
    return all(patch_in_force(world.gateway(side).status(), PATCH) for side in world.sides)


def _talk(world: World, spurts: int, doing: Callable[[Text], None]) -> dict[str, list[Said]]:
    """Have both sides speak in turn: what changes on the machine meanwhile meets both alike."""
    said: dict[str, list[Said]] = {side.unit: [] for side in world.sides}
    phrases = {side.unit: _phrases(side) for side in world.sides}
    for number in range(spurts):
        doing(Text(f"spurt {number + 1} of {spurts}", f"message {number + 1} sur {spurts}"))
        for side in world.sides:
            mine = phrases[side.unit]
            said[side.unit].append(world.say(side, mine[number % len(mine)]))
    return said


def _phrases(side: Side) -> tuple[str, ...]:
    """Return short phrases in the language of a side."""
    known = load_phrases().values()
    fitting = [p for p in known if p.voice.startswith(side.language.value)]
    return tuple(p.name for p in fitting if len(p.samples()) <= LONGEST_S * RATE)


def _direction(world: World, source: Side, said: Sequence[Said]) -> Direction:
    target = world.other(source)
    mouth, ear = world.unit(source).said.samples(), world.unit(target).heard.samples()
    exchanges = tuple(
        Exchange(
            said=one,
            source=source,
            target=target,
            measured=measure_phrase(mouth, ear, one.start, one.end, one.phrase),
            cor_to_ptt_ms=cor_to_ptt_ms(world.lines, one, source.donor, target.donor),
        )
        for one in said
    )
    return Direction(source=source, target=target, exchanges=exchanges)


# -- the processes ---------------------------------------------------------------------------


def _snapshot(world: World) -> _Snapshot:
    used: dict[str, Usage] = {}
    late: dict[str, Lateness] = {}
    for side in world.sides:
        gateway = world.gateway(side)
        status = gateway.status()
        if status is None or gateway.pid is None:
            raise BenchError(
                f"gateway {gateway.name} does not answer",
                f"la passerelle {gateway.name} ne répond pas",
            )
        late[gateway.name] = _lateness(status)
        used[f"gateway {gateway.name}"] = usage(gateway.pid)
        used[f"keyer {gateway.name}"] = usage(status["keyer"]["pid"])
    return _Snapshot(time.monotonic(), used, late)


def _lateness(status: Mapping[str, Any]) -> Lateness:
    timers = status["timers"]
    return Lateness(timers["fired"], {int(ms): n for ms, n in timers["late_over_ms"].items()})


def _loads(
    quiet: _Snapshot, before: _Snapshot, after: _Snapshot, voice_s: float
) -> tuple[Load, ...]:
    return tuple(
        _load(name, quiet, before, after, voice_s) for name in after.usage if name in quiet.usage
    )


def _load(name: str, quiet: _Snapshot, before: _Snapshot, after: _Snapshot, voice_s: float) -> Load:
    idle = before.usage[name].since(quiet.usage[name]).cpu_s / (before.at - quiet.at)
    used = after.usage[name].since(before.usage[name])
    silent_s = after.at - before.at - voice_s
    return Load(
        name=name,
        idle_ms=1000.0 * idle,
        talking_ms=1000.0 * (used.cpu_s - idle * silent_s) / voice_s,
        waited_ms=1000.0 * used.waited_s / (after.at - before.at),
    )
