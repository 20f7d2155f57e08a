"""What bad networks do to the voice: delivered, concealed, longest gap and delay, for each of them.

Everything is real but the radios, the air and the network. Each case is set on the ways of both
gateways to one broker or to both, while one side says the same phrases; then it is healed.

    world = World(folder, sides, network=Network(seed=1))
    sections = impairment_sections(run_impairments(world, doing))
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from radiobridge.services.outgoing import END_COPIES
from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.bench.path import BenchError, agree
from radiobridge_sim.bench.report import Figure, Section
from radiobridge_sim.demo.exchange import Exchange, exchange
from radiobridge_sim.gateway_status import linked
from radiobridge_sim.measure import percentile
from radiobridge_sim.network import Route
from radiobridge_sim.weather import CLEAR, Impairment
from radiobridge_sim.world import World

PHRASES = ("long-en", "call-en")
"""16 s of speech: three stalls of one in 5 s."""

LINKED_S = 60.0
STALLS = Impairment(stall_every_s=5.0, stall_s=0.35)


def _impaired(impairment: Impairment) -> Callable[[Route], None]:
    return lambda way: way.impair(impairment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One bad network."""

    id: str
    name: Text
    fault: Callable[[Route], None]
    brokers: int = 2
    """1: on the way to the first broker only, so that nothing may be heard of it."""
    least_delivered: float | None = None
    """Target, in %."""
    most_gap_ms: float | None = None
    keys_once: bool = True
    """Each spurt keys the far transmitter once."""


WHOLE_GAP_MS = 20.0

CASES = (
    Case(
        id="clear",
        name=Text("a clear network", "un réseau sain"),
        fault=_impaired(CLEAR),
        least_delivered=100.0,
        most_gap_ms=WHOLE_GAP_MS,
    ),
    Case(
        id="one-slow",
        name=Text("one broker 300 ms slower", "un courtier plus lent de 300 ms"),
        fault=_impaired(Impairment(delay_s=0.3)),
        brokers=1,
        least_delivered=100.0,
        most_gap_ms=WHOLE_GAP_MS,
    ),
    Case(
        id="one-stalls",
        name=Text("one broker stalls 350 ms every 5 s", "un courtier figé 350 ms toutes les 5 s"),
        fault=_impaired(STALLS),
        brokers=1,
        least_delivered=100.0,
        most_gap_ms=WHOLE_GAP_MS,
    ),
    Case(
        id="one-black-hole",
        name=Text("one broker behind a black hole", "un courtier derrière un trou noir"),
        fault=Route.swallow,
        brokers=1,
        least_delivered=100.0,
        most_gap_ms=WHOLE_GAP_MS,
    ),
    Case(
        id="one-cut",
        name=Text("one broker cut off", "un courtier coupé"),
        fault=Route.cut,
        brokers=1,
        least_delivered=100.0,
        most_gap_ms=WHOLE_GAP_MS,
    ),
    Case(
        id="delay",
        name=Text("150 ms of delay on each way", "150 ms de délai à chaque trajet"),
        fault=_impaired(Impairment(delay_s=0.15)),
        least_delivered=100.0,
        most_gap_ms=WHOLE_GAP_MS,
    ),
    Case(
        id="jitter",
        name=Text("50 ms of delay, 60 ms of jitter", "50 ms de délai, 60 ms de gigue"),
        fault=_impaired(Impairment(delay_s=0.05, jitter_s=0.06)),
        least_delivered=99.0,
    ),
    Case(
        id="loss",
        name=Text("50 ms of delay, 1 % loss (TCP repeats)", "50 ms de délai, 1 % de pertes (TCP)"),
        fault=_impaired(Impairment(delay_s=0.05, loss=0.01)),
        least_delivered=99.0,
    ),
    Case(
        id="stalls",
        name=Text("stalls of 350 ms every 5 s", "figé 350 ms toutes les 5 s"),
        fault=_impaired(STALLS),
        least_delivered=99.0,
        most_gap_ms=400.0,
    ),
    Case(
        id="narrow",
        name=Text("16 kB/s to each broker", "16 ko/s vers chaque courtier"),
        fault=_impaired(Impairment(delay_s=0.02, bytes_per_s=16_000.0)),
        least_delivered=99.0,
    ),
    Case(
        id="too-narrow",
        name=Text("4 kB/s to each broker", "4 ko/s vers chaque courtier"),
        fault=_impaired(Impairment(delay_s=0.02, bytes_per_s=4_000.0)),
        keys_once=False,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fared:
    """How the voice fared in one case."""

    case: Case
    exchanges: tuple[Exchange, ...]
    frames: int
    """Frames of 20 ms that the talker's gateway sent."""
    played: int
    """Of them, those that the far radio was given, or that were left out because silent."""
    concealed: int
    """Times that a frame was made up, or silence played, because one was missing. Not those after
    the last frame of each spurt, until its end comes: a clear network has them too."""
    keyed: int

    @property
    def delivered(self) -> float | None:
        """Return the share of frames that arrived in time, in %."""
        return 100.0 * min(self.played, self.frames) / self.frames if self.frames else None

    @property
    def concealed_share(self) -> float | None:
        """Return the share of what was played that was made up, in %."""
        total = self.played + self.concealed
        return 100.0 * self.concealed / total if total else None

    @property
    def gap_ms(self) -> float:
        """Return the longest gap in speech, clipped ends included."""
        measures = [one.measured for one in self.exchanges]
        return max(max(m.longest_gap_ms, m.clipped_start_ms, m.clipped_end_ms) for m in measures)

    @property
    def lags_ms(self) -> list[float]:
        """Return the delay from mouth to ear of each window of 400 ms that was found again."""
        return [lag for one in self.exchanges for lag in one.measured.lags_ms]


def run_impairments(
    world: World,
    doing: Callable[[Text], None],
    *,
    cases: Sequence[Case] = CASES,
    phrases: Sequence[str] = PHRASES,
) -> tuple[Fared, ...]:
    """Start `world`, which has a network, and try the cases in turn.

    Raises BenchError, WorldError and DriverError. The caller stops the world, whatever happens.
    """
    world.start(doing)
    agree(world)
    tail = round(try_case(world, CASES[0], doing, phrases).concealed / len(phrases))
    return tuple(try_case(world, case, doing, phrases, tail=tail) for case in cases)


def try_case(
    world: World,
    case: Case,
    doing: Callable[[Text], None],
    phrases: Sequence[str] = PHRASES,
    *,
    tail: int = 0,
) -> Fared:
    """Try one case in a world that runs and has agreed; leave it healed and linked.

    `tail`: how often something is made up after the last frame of each spurt in any case.
    """
    doing(case.name)
    ears, mouth = world.sides
    ways = [way for side in world.sides for way in world.routes[side.unit][: case.brokers]]
    for way in ways:
        case.fault(way)
    before = _counted(world, mouth, ears)
    exchanges = tuple(exchange(world, mouth, phrase) for phrase in phrases)
    after = _counted(world, mouth, ears)
    for way in ways:
        way.heal()
    gateways = [world.gateway(side) for side in world.sides]
    world.wait_until(
        lambda: all(linked(gateway.status()) for gateway in gateways),
        LINKED_S,
        Text("all linked again", "tout relié"),
    )
    found = {name: after[name] - before[name] for name in after}
    return Fared(
        case=case,
        exchanges=exchanges,
        # The end of each spurt goes out thrice.
        frames=found["offered"] - (END_COPIES - 1) * len(exchanges),
        played=found["played"] + found["skipped"],
        concealed=max(0, found["concealed"] + found["gap"] - tail * len(exchanges)),
        keyed=found["keyed"],
    )


def _counted(world: World, mouth: Side, ears: Side) -> dict[str, int]:
    heard = _status(world, ears)["radios"][0]["counters"]
    offered = _status(world, mouth)["links"][0]["counters"]
    keyed = sum(event.value for event in world.lines.events(ears.donor, "PTT"))
    return {
        "offered": offered["voice_sent"] + offered["voice_dropped"],
        "keyed": int(keyed),
        **{name: heard[name] for name in ("played", "skipped", "concealed", "gap")},
    }


def _status(world: World, side: Side) -> dict[str, Any]:
    gateway = world.gateway(side)
    status = gateway.status()
    if status is None:
        raise BenchError(
            f"gateway {gateway.name} does not answer", f"la passerelle {gateway.name} ne répond pas"
        )
    return status


# -- figures ---------------------------------------------------------------------------------


def impairment_sections(results: Sequence[Fared]) -> list[Section]:
    """Return one section for each case, for `bench.report`."""
    return [_section(one) for one in results]


def _section(one: Fared) -> Section:
    case, lags = one.case, one.lags_ms
    start = f"network.{case.id}"
    delivered = one.delivered
    missing = None if delivered is None else 100.0 - delivered
    limit = None if case.least_delivered is None else 100.0 - case.least_delivered
    ear = Text("mouth to ear", "bouche à oreille")
    extra = float(abs(one.keyed - len(one.exchanges)))
    return Section(
        title=case.name,
        figures=(
            _figure(f"{start}.delivered", Text("delivered", "livré"), delivered, "%"),
            _figure(f"{start}.missing", Text("missing", "manquant"), missing, "%", limit),
            _figure(f"{start}.concealed", Text("concealed", "masqué"), one.concealed_share, "%"),
            _figure(
                f"{start}.gap",
                Text("longest gap", "plus long trou"),
                one.gap_ms,
                "ms",
                case.most_gap_ms,
            ),
            *(
                _figure(
                    f"{start}.mouth-to-ear.p{share}",
                    Text(f"{ear.en}, {share} %", f"{ear.fr}, {share} %"),
                    percentile(lags, share),
                    "ms",
                )
                for share in (50, 95, 100)
            ),
            _figure(
                f"{start}.keyed-again",
                Text("keyed more than once for a spurt", "activé plus d'une fois par message"),
                extra,
                "",
                0.0 if case.keys_once else None,
            ),
        ),
    )


def _figure(
    id_: str, name: Text, value: float | None, unit: str, limit: float | None = None
) -> Figure:
    return Figure(id=id_, name=name, value=value, unit=unit, limit=limit)
