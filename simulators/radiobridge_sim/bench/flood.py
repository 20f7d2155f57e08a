"""Garbage from a broker, ten thousand packets a second, while people talk.

The flood comes under a partner's own account on the topic that a voice in use arrives on, or on one
that carries documents: nothing that a subscriber could simply leave out. Two pairs of radios talk;
the topic of the first is flooded.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from radiobridge.text import Text
from radiobridge.wire.topics import spurt_topic, voice_topic
from radiobridge_sim.bench.crowd import Crowd
from radiobridge_sim.bench.processes import usage
from radiobridge_sim.bench.soak import Mark, Voice, mark, voice_between
from radiobridge_sim.flood import Flood, Sent

RATE = 10_000
"""Packets a second."""

PAIRS = 2


class Target(StrEnum):
    """What kind of topic is flooded."""

    VOICE = "voice"
    DOCUMENTS = "documents"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodResult:
    """What one flood came to."""

    target: Target
    sent: Sent
    delivered: int
    """Packets of the flooded kind that the gateway was handed."""
    voice: Voice
    cpu: Mapping[str, float]
    """CPU s for each s, by process."""
    waited: Mapping[str, float]
    """Share of the time for which it was ready and waited for a processor, by process."""
    cpus: int


def run_calm(crowd: Crowd, seconds: float, doing: Callable[[Text], None]) -> Voice:
    """Let `crowd` talk as long without a flood: what else the machine does is seen here too."""
    doing(Text(f"no garbage, {seconds:.0f} s", f"aucun parasite, {seconds:.0f} s"))
    before = mark(crowd)
    crowd.talk()
    crowd.pause(seconds)
    crowd.hush()
    return voice_between(crowd, before, mark(crowd))


def run_flood(
    crowd: Crowd, target: Target, seconds: float, doing: Callable[[Text], None]
) -> FloodResult:
    """Flood a broker while `crowd` (which runs, and is quiet) talks; return what was measured.

    Raises BenchError, WorldError and DriverError. The caller stops the world, whatever happens.
    """
    flood = _flood(crowd, target)
    before = mark(crowd)
    crowd.talk()
    flood.start(RATE)
    try:
        doing(Text(f"{RATE} packets a second of garbage, {target}, {seconds:.0f} s",
                   f"{RATE} paquets parasites par seconde, {target}, {seconds:.0f} s"))  # fmt: skip
        pids = _pids(crowd, flood)
        used = {name: usage(pid) for name, pid in pids.items()}
        crowd.pause(seconds)
        crowd.hush()
        now = {name: usage(pid).since(used[name]) for name, pid in pids.items()}
    finally:
        sent = flood.stop()
    after = mark(crowd)
    return FloodResult(
        target=target,
        sent=sent,
        delivered=_taken(after, target) - _taken(before, target),
        voice=voice_between(crowd, before, after),
        cpu={name: one.cpu_s / sent.over_s for name, one in now.items()},
        waited={name: one.waited_s / sent.over_s for name, one in now.items()},
        cpus=os.cpu_count() or 1,
    )


def _flood(crowd: Crowd, target: Target) -> Flood:
    """Return a flood of the first broker, under the account of the gateway across."""
    far = crowd.pairs[0].sides[1]
    make = voice_topic if target is Target.VOICE else spurt_topic
    address = urlsplit(crowd.brokers[0].url)
    return Flood(
        (address.hostname or "", address.port or 1883),
        str(far.gateway),
        crowd.home(far) / "broker.password",
        make(far.gateway, far.talkgroup),
    )


def _pids(crowd: Crowd, flood: Flood) -> dict[str, int]:
    """Return the processes that the flood concerns."""
    pids = {"flood": flood.pid, "broker": crowd.brokers[0].pid, "simulation": os.getpid()}
    for side in crowd.sides:
        pid = crowd.gateway(side).pid
        assert pid is not None  # noqa: S101  it answers
        pids[f"gateway {side.gateway}"] = pid
    return pids


def _taken(at: Mark, target: Target) -> int:
    return at.taken[f"{target}_received"]
