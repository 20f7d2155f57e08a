"""Faults on purpose, each against real processes: what breaks, and what may come of it at most.

The letters are those of the parts that a gateway must stand: A one of two brokers, B all brokers,
C the network, D whatever keys, E the radios' own ways, F devices.
"""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from radiobridge.text import Text
from radiobridge_sim.bench import stuck
from radiobridge_sim.bench.places import HANG_S, SIMPLEX, Place
from radiobridge_sim.bench.stand import LONG, Outcome, Stand
from radiobridge_sim.line_log import LineEvent
from radiobridge_sim.network import Route
from radiobridge_sim.sound import RATE
from radiobridge_sim.trunked import TrunkedSettings
from radiobridge_sim.weather import Impairment


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row of the table."""

    id: str
    part: str
    name: Text
    run: Callable[[Stand], Outcome]
    limits: Outcome
    """At most; None: no limit."""
    place: Place = SIMPLEX
    """The world in which it happens."""


LINK_BACK_S = 20.0
"""A link is tried again with a growing pause."""

RESTART_S = 20.0
UNKEY_MS = 520.0
"""A radio under CCDI is pressed for half a second at a time, and ends the last press by itself."""

PRESSED_MS = 1000.0 + UNKEY_MS
"""The line is given up when it has brought nothing but noise for a while; then as above."""

LOOPED = "dont-shoot-en"
"""Shorter than the 2 s for which voice waits for a clear channel: else none is closed."""

REPEATED_MS = 200.0
"""A repeater and tone filters take the softest ends from words."""

LOOP_MS = 5000.0
HOLD_MS = 1500.0
"""Nothing more comes: the gap is held for 0.8 s by a transmitter that still may get its voice."""

WHOLE = Outcome(lost=0, gap_ms=20.0, keyed=1, recover_s=LINK_BACK_S)
FULL_STALL = Impairment(stall_every_s=5.0, stall_s=0.35)


def faults() -> tuple[Fault, ...]:
    """Return the table, in the order in which it is run."""
    return (*_one_broker(), *_all_brokers(), *_network(), *_keying(), *_manners(), *_devices())


# -- A: one broker of two --------------------------------------------------------------------


def _one_broker() -> tuple[Fault, ...]:
    def row(id_: str, name: Text, break_it: _Act, repair: _Act) -> Fault:
        def run(stand: Stand) -> Outcome:
            return _mended(stand, stand.through(partial(break_it, stand)), repair)

        return Fault(id=id_, part="A", name=name, run=run, limits=WHOLE)

    return (
        row(
            "broker-killed",
            Text("a broker is killed", "un courtier est tué"),
            lambda stand: stand.world.brokers[0].kill(),
            lambda stand: stand.world.brokers[0].start(),
        ),
        row(
            "broker-stopped",
            Text("a broker stands still", "un courtier se fige"),
            lambda stand: stand.world.brokers[1].pause(),
            lambda stand: stand.world.brokers[1].resume(),
        ),
        row(
            "broker-black-hole",
            Text("the way to a broker swallows all", "le chemin d'un courtier avale tout"),
            lambda stand: _each(_ways(stand, 0), Route.swallow),
            lambda stand: _each(_ways(stand, 0), Route.heal),
        ),
        row(
            "broker-slow",
            Text("a broker is 300 ms away", "un courtier à 300 ms"),
            lambda stand: _each(_ways(stand, 1), _suffer(Impairment(delay_s=0.3))),
            lambda stand: _each(_ways(stand, 1), Route.heal),
        ),
    )


# -- B: all brokers --------------------------------------------------------------------------


def _all_brokers() -> tuple[Fault, ...]:
    def dead(stand: Stand) -> Outcome:
        brokers = stand.world.brokers
        out = stand.unkeyed(lambda: _each(brokers, lambda broker: broker.kill()))
        return _mended(stand, out, lambda _: _each(brokers, lambda broker: broker.start()))

    def cut(stand: Stand) -> Outcome:
        out = stand.unkeyed(lambda: _each(_all_ways(stand), Route.swallow))
        return _mended(stand, out, lambda _: _each(_all_ways(stand), Route.heal))

    limits = Outcome(unkey_ms=HOLD_MS, recover_s=LINK_BACK_S)
    return (
        Fault(
            id="brokers-killed",
            part="B",
            name=Text("all brokers are killed", "tous les courtiers sont tués"),
            run=dead,
            limits=limits,
        ),
        Fault(
            id="network-dead",
            part="B",
            name=Text("the network swallows all", "le réseau avale tout"),
            run=cut,
            limits=limits,
        ),
    )


# -- C: the network --------------------------------------------------------------------------


def _network() -> tuple[Fault, ...]:
    def row(id_: str, name: Text, impairment: Impairment, limits: Outcome) -> Fault:
        def run(stand: Stand) -> Outcome:
            out = stand.through(lambda: _each(_all_ways(stand), _suffer(impairment)))
            return _mended(stand, out, lambda _: _each(_all_ways(stand), Route.heal))

        return Fault(id=id_, part="C", name=name, run=run, limits=limits)

    steady = replace(WHOLE, gap_ms=None)
    return (
        row(
            "network-stalls",
            Text("350 ms of stall each 5 s", "arrêts de 350 ms toutes les 5 s"),
            FULL_STALL,
            steady,
        ),
        row(
            "network-jitter",
            Text("60 ms of jitter", "gigue de 60 ms"),
            Impairment(jitter_s=0.06),
            steady,
        ),
        row(
            "network-far",
            Text("300 ms away", "à 300 ms"),
            Impairment(delay_s=0.3),
            steady,
        ),
    )


# -- D: what keys ----------------------------------------------------------------------------


def _keying() -> tuple[Fault, ...]:
    def gateway(number: signal.Signals) -> Callable[[Stand], Outcome]:
        def run(stand: Stand) -> Outcome:
            world, far = stand.world, stand.far
            out = stand.unkeyed(lambda: _end(stand, number))
            world.gateway(far).wait(10.0)
            return _mended(stand, out, lambda _: world.start_gateway(far))

        return run

    def gateway_stopped(stand: Stand) -> Outcome:
        one = stand.world.gateway(stand.far)
        out = stand.unkeyed(lambda: one.send(signal.SIGSTOP))
        return _mended(stand, out, lambda _: one.send(signal.SIGCONT))

    def gateway_stuck(stand: Stand) -> Outcome:
        world, far = stand.world, stand.far
        _end(stand, signal.SIGKILL)
        world.gateway(far).wait(10.0)
        world.start_gateway(far, {"PYTHONPATH": str(stuck.prepare(world.folder))})
        stand.recovered(world.clock.now())
        out = stand.unkeyed(lambda: world.gateway(far).send(stuck.SIGNAL))
        _end(stand, signal.SIGKILL)
        world.gateway(far).wait(10.0)
        return _mended(stand, out, lambda _: world.start_gateway(far))

    def keyer(number: signal.Signals) -> Callable[[Stand], Outcome]:
        def run(stand: Stand) -> Outcome:
            pid = _keyer(stand)
            out = stand.unkeyed(lambda: os.kill(pid, number))
            return _mended(stand, out, lambda _: None)

        return run

    def row(id_: str, name: Text, run: Callable[[Stand], Outcome]) -> Fault:
        limits = Outcome(unkey_ms=UNKEY_MS, recover_s=RESTART_S)
        return Fault(id=id_, part="D", name=name, run=run, limits=limits)

    return (
        row(
            "gateway-killed",
            Text("the gateway is killed", "la passerelle est tuée"),
            gateway(signal.SIGKILL),
        ),
        row(
            "gateway-ended",
            Text("the gateway is told to end", "la passerelle doit s'arrêter"),
            gateway(signal.SIGTERM),
        ),
        row(
            "gateway-stopped",
            Text("the gateway stands still", "la passerelle se fige"),
            gateway_stopped,
        ),
        row(
            "event-loop-stuck",
            Text("the gateway is stuck in a call", "la passerelle reste bloquée"),
            gateway_stuck,
        ),
        row(
            "keyer-killed",
            Text("the keyer is killed", "le processus d'émission est tué"),
            keyer(signal.SIGKILL),
        ),
        row(
            "keyer-stopped",
            Text("the keyer stands still", "le processus d'émission se fige"),
            keyer(signal.SIGSTOP),
        ),
    )


# -- E: radios' manners ----------------------------------------------------------------------


def _manners() -> tuple[Fault, ...]:
    def denied(stand: Stand) -> Outcome:
        at = stand.world.begin(stand.near, LONG).start / RATE
        stand.wait(lambda: bool(_denied(stand, at)), _ANSWER)
        said_no = _denied(stand, at)[0]
        return Outcome(told_ms=stand.told_ms([stand.near], _not_delivered, said_no))

    def queued(stand: Stand) -> Outcome:
        return stand.through(lambda: None)

    def hung(stand: Stand) -> Outcome:
        since = stand.world.clock.now()
        out = stand.through(lambda: None)
        stand.world.pause(HANG_S + 1.0)
        # The receiver hears the carrier for longer than anybody speaks: nothing to count lost by.
        return replace(out, lost=None, keyed=sum(event.value for event in stand.ptt(since)))

    def looped(stand: Stand) -> Outcome:
        world = stand.world
        since = world.begin(stand.near, LOOPED).start / RATE
        stand.wait(lambda: bool(_keyings(stand, since)), Text("a loop", "une boucle"))
        closed = _keyings(stand, since)[0].t
        told = stand.told_ms(world.sides, _loop, closed)
        world.settle()
        over = _keyings(stand, since)[-1].t
        return Outcome(unkey_ms=1000.0 * (over - closed), told_ms=told)

    return (
        Fault(
            id="call-queued",
            part="E",
            name=Text("a trunked system queues each call", "un réseau met chaque appel en attente"),
            run=queued,
            limits=Outcome(lost=0, gap_ms=20.0, keyed=1),
            place=Place(
                trunked=TrunkedSettings(grant_s=(0.3, 0.6), queued_share=1.0, denied_share=0.0)
            ),
        ),
        Fault(
            id="call-denied",
            part="E",
            name=Text("a trunked system denies each call", "un réseau refuse chaque appel"),
            run=denied,
            limits=Outcome(told_ms=200.0),
            place=Place(
                trunked=TrunkedSettings(grant_s=(0.5, 1.5), queued_share=0.0, denied_share=1.0)
            ),
        ),
        Fault(
            id="repeater-hang",
            part="E",
            name=Text("a repeater hangs 5 s and beeps", "un relais tient 5 s et fait bip"),
            run=hung,
            limits=Outcome(gap_ms=REPEATED_MS, keyed=1),
            place=Place(repeater=True),
        ),
        Fault(
            id="one-channel",
            part="E",
            name=Text("the air closes a loop", "les ondes ferment une boucle"),
            run=looped,
            limits=Outcome(unkey_ms=LOOP_MS, told_ms=LOOP_MS),
            place=Place(one_channel=True),
        ),
    )


# -- F: devices ------------------------------------------------------------------------------


def _devices() -> tuple[Fault, ...]:
    def pulled(stand: Stand) -> Outcome:
        cables = stand.world.cables(stand.far)
        _, at = stand.talk_into(cables.pull)
        told = stand.told_ms([stand.far], _interface_lost, at)
        stand.wait(lambda: not stand.keyed(), Text("PTT off", "PTT coupé"))
        off = next(event.t for event in stand.ptt(at) if not event.value)
        out = Outcome(unkey_ms=1000.0 * (off - at), told_ms=told)
        return _mended(stand, out, lambda _: cables.plug_in())

    def babbles(stand: Stand) -> Outcome:
        babble = stand.world.cables(stand.far).babble
        _, at = stand.talk_into(babble)
        told = stand.told_ms([stand.far], _interface_lost, at, babble)
        stand.wait(lambda: not stand.keyed(), Text("PTT off", "PTT coupé"))
        off = next(event.t for event in stand.ptt(at) if not event.value)
        out = Outcome(unkey_ms=1000.0 * (off - at), told_ms=told)
        return _mended(stand, out, lambda _: None)

    limits = Outcome(unkey_ms=UNKEY_MS, told_ms=1000.0, recover_s=RESTART_S)
    return (
        Fault(
            id="device-pulled",
            part="F",
            name=Text("the cable that keys is pulled", "le câble d'émission est débranché"),
            run=pulled,
            limits=limits,
        ),
        Fault(
            id="line-babbles",
            part="F",
            name=Text("the line that keys babbles", "la ligne d'émission dit n'importe quoi"),
            run=babbles,
            limits=replace(limits, unkey_ms=PRESSED_MS),
        ),
    )


# -- hands -----------------------------------------------------------------------------------

_Act = Callable[[Stand], None]
_ANSWER = Text("an answer of the trunked system", "une réponse du réseau")


def _mended(stand: Stand, out: Outcome, repair: _Act) -> Outcome:
    since = stand.world.clock.now()
    repair(stand)
    return replace(out, recover_s=stand.recovered(since))


def _each(things: Any, act: Callable[[Any], None]) -> None:  # noqa: ANN401 - brokers, or ways
    for thing in things:
        act(thing)


def _ways(stand: Stand, number: int) -> list[Route]:
    return [ways[number] for ways in stand.world.routes.values()]


def _all_ways(stand: Stand) -> list[Route]:
    return [way for ways in stand.world.routes.values() for way in ways]


def _suffer(impairment: Impairment) -> Callable[[Route], None]:
    return lambda way: way.impair(impairment)


def _end(stand: Stand, number: signal.Signals) -> None:
    stand.world.end_gateway(stand.far, number)


def _keyer(stand: Stand) -> int:
    status = stand.world.gateway(stand.far).status()
    assert status is not None  # noqa: S101 - it ran a moment ago
    pid: int = status["keyer"]["pid"]
    return pid


def _denied(stand: Stand, since: float) -> list[float]:
    events = stand.world.lines.events(stand.far.donor, "DENIED")
    return [event.t for event in events if event.value and event.t >= since]


def _keyings(stand: Stand, since: float) -> list[LineEvent]:
    """Return the changes of both donor radios' PTT since then."""
    lines, sides = stand.world.lines, stand.world.sides
    both = [event for side in sides for event in lines.events(side.donor, "PTT")]
    return sorted((event for event in both if event.t >= since), key=lambda event: event.t)


def _loop(status: Mapping[str, Any]) -> bool:
    return any(alarm.startswith("loop") for radio in status["radios"] for alarm in radio["alarms"])


def _not_delivered(status: Mapping[str, Any]) -> bool:
    return bool(status["not_delivered"])


def _interface_lost(status: Mapping[str, Any]) -> bool:
    return any(radio["interface"] == "lost" for radio in status["radios"])
