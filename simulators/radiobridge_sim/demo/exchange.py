"""Somebody says a phrase; what came of it on the other side."""

from dataclasses import dataclass

from radiobridge_sim.agencies import Side
from radiobridge_sim.handheld import Said
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.measure import PhraseMeasure, is_silent, measure_phrase
from radiobridge_sim.sound import RATE
from radiobridge_sim.world import World

AFTER_S = 1.0
"""How long after a phrase its end may still be under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One phrase from one side to the other."""

    said: Said
    source: Side
    target: Side
    measured: PhraseMeasure
    cor_to_ptt_ms: float | None
    """From COR at the near radio to PTT at the far one; None when it was not keyed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What was heard of a phrase that nobody was to hear."""

    said: Said
    target: Side
    carrier_s: float
    """How long the far handheld received a carrier."""
    keyed: int
    """How often the far radio was keyed."""
    silent: bool

    @property
    def held(self) -> bool:
        """Tell whether nothing at all came across."""
        return self.silent and self.carrier_s == 0.0 and self.keyed == 0


def exchange(world: World, source: Side, phrase: str) -> Exchange:
    """Say a phrase on one side, wait until all is quiet, and measure it on the other."""
    return heard(world, source, world.say(source, phrase))


def heard(world: World, source: Side, said: Said) -> Exchange:
    """Measure on the other side what was said on one; all of it is over."""
    target = world.other(source)
    measured = measure_phrase(
        world.unit(source).said.samples(),
        world.unit(target).heard.samples(),
        said.start,
        said.end,
        said.phrase,
    )
    delay = cor_to_ptt_ms(world.lines, said, source.donor, target.donor)
    return Exchange(said=said, source=source, target=target, measured=measured, cor_to_ptt_ms=delay)


def silence(world: World, source: Side, phrase: str) -> Silence:
    """Say a phrase on one side, and tell what of it came across, which should be nothing."""
    target = world.other(source)
    said = world.say(source, phrase)
    world.pause(AFTER_S)
    end = said.end + round(AFTER_S * RATE)
    heard = world.unit(target)
    return Silence(
        said=said,
        target=target,
        carrier_s=heard.carrier_between(said.start, end),
        keyed=_keyed_between(world.lines, target.donor, said.start / RATE, end / RATE),
        silent=is_silent(heard.heard.samples(), said.start, end),
    )


def cor_to_ptt_ms(lines: LineLog, said: Said, near: str, far: str) -> float | None:
    """Return the delay from COR at `near` to PTT at `far` for one phrase, in ms."""
    since = said.start / RATE
    until = said.end / RATE + AFTER_S
    opened = [e.t for e in lines.events(near, "COR") if e.value and since <= e.t <= until]
    keyed = [e.t for e in lines.events(far, "PTT") if e.value and since <= e.t <= until]
    return 1000.0 * (keyed[0] - opened[0]) if opened and keyed else None


def _keyed_between(lines: LineLog, radio: str, since: float, until: float) -> int:
    return sum(1 for on, off in lines.intervals(radio, "PTT", until) if on < until and off > since)
