"""Who calls when, and what breaks when: drawn from a seed before anything starts."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

TALK_SHARE = 0.8
"""Share of the time that is for calls; the rest is for faults."""

CALL_S = 4.8
"""One call in that time: a hundred in ten minutes."""

FAULT_S = 13.0
"""One fault, until all is well again."""

JITTER_S = 3.4
"""How much later than its turn a call may come: some answer within the repeater's hang, some find
its carrier down."""

ANSWERS = 0.65
"""Share of the calls that come from the side that was called last."""


class Fault(Enum):
    """What a visitor may do to a gateway that transmits."""

    GATEWAY_KILLED = "gateway-killed"
    GATEWAY_STOPPED = "gateway-stopped"
    GATEWAY_ENDED = "gateway-ended"
    KEYER_KILLED = "keyer-killed"
    KEYER_STOPPED = "keyer-stopped"
    DEVICE_UNPLUGGED = "device-unplugged"
    LINKS_DEAD = "links-dead"
    """Every way from the talker's gateway to a broker is a black hole."""
    LINK_DEAD = "link-dead"
    """One of the two ways is."""
    BROKER_KILLED = "broker-killed"
    """One of the two brokers is."""


HARMLESS = frozenset({Fault.LINK_DEAD, Fault.BROKER_KILLED})
"""Nothing may be missing of what is said: the other broker carries it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One "Don't shoot!"."""

    at_s: float
    """Since the calls began, at the earliest."""
    side: int
    """Who calls: 0 Canada, 1 the United States."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault."""

    fault: Fault
    side: int
    """Whose gateway transmits when it strikes."""
    after_s: float
    """How long its carrier has been up by then."""
    link: int
    """Which of the two brokers, or ways to them, it strikes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole of it."""

    seed: int
    calls: tuple[Call, ...]
    strikes: tuple[Strike, ...]


def make_plan(minutes: float, seed: int) -> Plan:
    """Return what happens in `minutes`; the same seed always has the same plan."""
    draw = random.Random(seed)
    calls = max(2, round(60.0 * minutes * TALK_SHARE / CALL_S))
    strikes = max(1, round(60.0 * minutes * (1.0 - TALK_SHARE) / FAULT_S))
    return Plan(seed=seed, calls=_calls(draw, calls), strikes=_strikes(draw, strikes))


def _calls(draw: random.Random, count: int) -> tuple[Call, ...]:
    calls: list[Call] = []
    side = draw.randrange(2)
    for number in range(count):
        if calls and draw.random() < ANSWERS:
            side = 1 - side
        calls.append(Call(at_s=number * CALL_S + draw.uniform(0.0, JITTER_S), side=side))
    return tuple(calls)


def _strikes(draw: random.Random, count: int) -> tuple[Strike, ...]:
    faults = _faults(draw)
    return tuple(
        Strike(
            fault=next(faults),
            side=draw.randrange(2),
            after_s=draw.uniform(0.2, 1.2),
            link=draw.randrange(2),
        )
        for _ in range(count)
    )


def _faults(draw: random.Random) -> Iterator[Fault]:
    """Go through all faults in some order, then again in another."""
    while True:
        yield from draw.sample(list(Fault), len(Fault))
