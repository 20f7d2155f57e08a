"""A crowd on two gateways for minutes or hours: nothing may grow, and nothing may be late.

After a warm-up (caches, pools, and the 60 s for which a gateway remembers ended spurts) what each
process holds is looked at every second. Growth is the median of the last fifth of the measurement
against the median of its first fifth, so that neither a single moment nor its noise decides.
"""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.bench.crowd import Crowd
from radiobridge_sim.bench.path import BenchError, Lateness
from radiobridge_sim.bench.processes import Held, Usage, held, usage

FIFTH = 5
"""Which part of the samples is compared: the first fifth with the last."""

LEAST_SAMPLES = 2 * FIFTH

FRAME_COUNTERS = ("played", "bridged")
"""What a radio counts of each 20 ms in a spurt: it was there, or something was put in its place."""


class Sample(NamedTuple):
    """What one process held at one moment."""

    at: float
    held: Held
    tasks: int | None
    """Of its event loop; None for a process that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one process held during the measurement."""

    name: str
    """`gateway ca.opp/windsor`, `keyer ca.opp/windsor`."""
    samples: Sequence[Sample]
    used: Usage
    over_s: float

    @property
    def memory_kb(self) -> tuple[float, float]:
        """Return the memory at the beginning and at the end, kB."""
        return self._ends([float(one.held.memory_kb) for one in self.samples])

    @property
    def memory_growth(self) -> float:
        """Return by what share the memory grew."""
        first, last = self.memory_kb
        return last / first - 1.0

    @property
    def more_threads(self) -> float:
        """Return how many more threads there were at the end."""
        return self._more([float(one.held.threads) for one in self.samples])

    @property
    def more_files(self) -> float:
        """Return how many more file handles there were at the end."""
        return self._more([float(one.held.files) for one in self.samples])

    @property
    def more_tasks(self) -> float | None:
        """Return how many more tasks there were at the end; None without an event loop."""
        counts = [float(one.tasks) for one in self.samples if one.tasks is not None]
        return self._more(counts) if counts else None

    @property
    def cpu_ms(self) -> float:
        """Return CPU ms for each second."""
        return 1000.0 * self.used.cpu_s / self.over_s

    @property
    def waited_ms(self) -> float:
        """Return for how many ms of each second it was ready and waited for a processor."""
        return 1000.0 * self.used.waited_s / self.over_s

    def _more(self, counts: Sequence[float]) -> float:
        """Compare the least of both ends: whoever asks for the status holds one more meanwhile."""
        part = max(1, len(counts) // FIFTH)
        return min(counts[-part:]) - min(counts[:part])

    @staticmethod
    def _ends(values: Sequence[float]) -> tuple[float, float]:
        part = max(1, len(values) // FIFTH)
        return statistics.median(values[:part]), statistics.median(values[-part:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What became of the voice."""

    spurts: int
    """Turns that were said to their end."""
    delivered: int
    """Transmissions of the radios across."""
    frames: Mapping[str, int]
    """By `FRAME_COUNTERS`, over all radios."""
    underruns: int
    """Gaps that a listener would hear, counted by the sound devices of the far radios."""

    @property
    def concealed(self) -> float:
        """Return the share of frames that were not there when they were due, 0 to 1."""
        due = sum(self.frames.values())
        return self.frames["bridged"] / due if due else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakResult:
    """Everything measured."""

    holdings: tuple[Holding, ...]
    voice: Voice
    lateness: Mapping[str, Lateness]
    """By gateway."""
    over_s: float
    air_late_p95_ms: float


@dataclass(frozen=True, slots=True)
class Mark:
    """All counters at one moment."""

    at: float
    used: Mapping[str, Usage]
    lateness: Mapping[str, Lateness]
    frames: Mapping[str, int]
    underruns: int
    clock: float
    """Seconds since the common zero."""
    spurts: int
    taken: Mapping[str, int]
    """What the links handed over, by counter (`voice_received`), over all links."""


def run_soak(
    crowd: Crowd, seconds: float, warm_up_s: float, doing: Callable[[Text], None]
) -> SoakResult:
    """Start `crowd`, let it talk, return what was measured after the warm-up.

    Raises BenchError, WorldError and DriverError. The caller stops the world, whatever happens.
    """
    crowd.start(doing)
    doing(Text("both sides agree", "les deux côtés s'accordent"))
    crowd.agree()
    crowd.talk()
    doing(Text(f"warm-up, {warm_up_s:.0f} s", f"mise en train, {warm_up_s:.0f} s"))
    crowd.pause(warm_up_s)
    doing(Text(f"everybody talks, {seconds:.0f} s", f"tous parlent, {seconds:.0f} s"))
    before = mark(crowd)
    samples = _watch(crowd, seconds)
    crowd.hush()
    after = mark(crowd)
    over_s = after.at - before.at
    return SoakResult(
        holdings=tuple(
            Holding(name=name, samples=seen, over_s=over_s,
                    used=after.used[name].since(before.used[name]))
            for name, seen in samples.items()
        ),
        voice=voice_between(crowd, before, after),
        lateness={n: late.since(before.lateness[n]) for n, late in after.lateness.items()},
        over_s=over_s,
        air_late_p95_ms=crowd.clock.lateness_ms(0.95),
    )  # fmt: skip


def _watch(crowd: Crowd, seconds: float) -> dict[str, list[Sample]]:
    """Look at each process every second."""
    begin = time.monotonic()
    samples: dict[str, list[Sample]] = {}
    number = 0
    while (rest := begin + seconds - time.monotonic()) > 0.0 or number < LEAST_SAMPLES:
        for name, pid, tasks in _processes(crowd):
            samples.setdefault(name, []).append(Sample(time.monotonic() - begin, held(pid), tasks))
        number += 1
        crowd.pause(max(0.0, min(1.0, rest, begin + number - time.monotonic())))
    return samples


def _processes(crowd: Crowd) -> list[tuple[str, int, int | None]]:
    found: list[tuple[str, int, int | None]] = []
    for side in crowd.sides:
        name, status = str(side.gateway), _status(crowd, side)
        pid = crowd.gateway(side).pid
        assert pid is not None  # noqa: S101  it answers
        found.append((f"gateway {name}", pid, status["process"]["tasks"]))
        found.append((f"keyer {name}", status["keyer"]["pid"], None))
    return found


def mark(crowd: Crowd) -> Mark:
    """Return all counters as they are now; raise BenchError when a gateway does not answer."""
    frames = dict.fromkeys(FRAME_COUNTERS, 0)
    late: dict[str, Lateness] = {}
    taken: Counter[str] = Counter()
    for side in crowd.sides:
        status = _status(crowd, side)
        timers = status["timers"]
        over = {int(ms): n for ms, n in timers["late_over_ms"].items()}
        late[str(side.gateway)] = Lateness(timers["fired"], over)
        for link in status["links"]:
            taken.update(link["counters"])
        for radio in status["radios"]:
            for name in FRAME_COUNTERS:
                frames[name] += radio["counters"][name]
    return Mark(
        at=time.monotonic(),
        used={name: usage(pid) for name, pid, _ in _processes(crowd)},
        lateness=late,
        frames=frames,
        underruns=sum(crowd.donor(side).playout.underruns for side in crowd.all_sides),
        clock=crowd.clock.now(),
        spurts=sum(talker.spurts for talker in crowd.talkers.values()),
        taken=taken,
    )


def voice_between(crowd: Crowd, before: Mark, after: Mark) -> Voice:
    """Return what became of the voice between two marks; nobody talks any more at the second."""
    keyed = [
        event
        for side in crowd.all_sides
        for event in crowd.lines.events(side.donor, "PTT")
        if event.value and before.clock <= event.t <= after.clock
    ]
    return Voice(
        spurts=after.spurts - before.spurts,
        delivered=len(keyed),
        frames={name: after.frames[name] - before.frames[name] for name in FRAME_COUNTERS},
        underruns=after.underruns - before.underruns,
    )


def _status(crowd: Crowd, side: Side) -> dict[str, Any]:
    status = crowd.gateway(side).status()
    if status is None:
        raise BenchError(
            f"gateway {side.gateway} does not answer", f"la passerelle {side.gateway} se tait"
        )
    return status
