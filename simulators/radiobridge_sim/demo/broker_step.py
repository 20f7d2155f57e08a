"""The broker that carries the conversation is killed in mid-sentence: nobody hears of it."""

from dataclasses import dataclass

from radiobridge.services.outgoing import END_COPIES
from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.broker import Broker
from radiobridge_sim.demo.exchange import Exchange
from radiobridge_sim.demo.report import StepResult
from radiobridge_sim.world import World

NO_GAP_MS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What two gateways have counted of the voice between them; by broker, in the world's order."""

    first: tuple[int, ...]
    """Packets that the broker brought to the listener before the other one did."""
    sent: tuple[int, ...]
    """Packets that the talker sent by it."""
    accepted: int
    """Packets that the listener took, each once."""

    def since(self, before: "Carried") -> "Carried":
        """Return what came after `before`."""
        return Carried(
            first=tuple(now - was for now, was in zip(self.first, before.first, strict=True)),
            sent=tuple(now - was for now, was in zip(self.sent, before.sent, strict=True)),
            accepted=self.accepted - before.accepted,
        )

    @property
    def lost(self) -> int:
        """Return how many packets of one spurt the listener never got: its end goes out thrice."""
        return max(0, max(self.sent) - (END_COPIES - 1) - self.accepted)


def carried(world: World, listener: Side) -> Carried:
    """Ask both gateways."""
    status = world.gateway(listener).status() or {}
    return Carried(
        first=_by_broker(world, listener, "voice_first"),
        sent=_by_broker(world, world.other(listener), "voice_sent"),
        accepted=status.get("counters", {}).get("voice-accepted", 0),
    )


def _by_broker(world: World, side: Side, counter: str) -> tuple[int, ...]:
    links = (world.gateway(side).status() or {}).get("links", ())
    counted = {link["name"]: link["counters"][counter] for link in links}
    return tuple(counted.get(str(at.agency), 0) for at in world.sides)


def kill_carrier(world: World, listener: Side, before: Carried) -> Broker:
    """Kill the broker that has brought most of what was said since `before`; return it."""
    brought = carried(world, listener).since(before).first
    broker = world.brokers[brought.index(max(brought))]
    broker.kill()
    return broker


def broker_killed(found: Exchange, packets: int, *, in_mid_sentence: bool) -> StepResult:
    """Tell what came of it; `packets` were lost."""
    measured = found.measured
    gap_ms = max(measured.longest_gap_ms, measured.clipped_start_ms, measured.clipped_end_ms)
    en = f"{packets} packets lost, longest gap {gap_ms:.0f} ms"
    fr = f"{packets} paquets perdus, plus long trou {gap_ms:.0f} ms"
    return StepResult(
        id="broker-killed",
        title=Text(
            "The broker that carries the voice is killed: nobody hears it",
            "Le courtier qui porte la voix est tué : personne ne l'entend",
        ),
        expected=Text(
            f"0 packets lost, no gap above {NO_GAP_MS:.0f} ms",
            f"0 paquet perdu, aucun trou de plus de {NO_GAP_MS:.0f} ms",
        ),
        measured=Text(en, fr) if in_mid_sentence else Text(f"too late; {en}", f"trop tard; {fr}"),
        ok=in_mid_sentence and not packets and measured.found >= 0.9 and gap_ms <= NO_GAP_MS,
    )
