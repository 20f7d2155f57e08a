"""One call from one side to the other, and what came of it."""

from dataclasses import dataclass

from radiobridge_sim.agencies import Side
from radiobridge_sim.demo.exchange import Exchange, cor_to_ptt_ms
from radiobridge_sim.demo.realistic.judge import Verdict, judge
from radiobridge_sim.handheld import Said
from radiobridge_sim.sound import RATE
from radiobridge_sim.world import World

PHRASES = {"opp-12": "ne-tirez-pas-bref-fr", "cbp-7": "dont-shoot-now-en"}
"""What each calls: "Don't shoot!", in its language."""

LONG = {"opp-12": "reply-fr", "cbp-7": "long-en"}
"""What each is saying when something breaks."""

OVER_S = 6.0
"""A call that has not ended on the far side by then is left to the judge."""

NOTICED_S = 0.8
"""When a far radio has not been keyed this long after a call, nothing comes of it."""

REACTION_S = 0.5
"""Nobody answers sooner than this after a call has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One call."""

    said: Said
    source: Side
    target: Side
    verdict: Verdict
    cor_to_ptt_ms: float | None
    queued: bool
    """The far radio's system let it wait."""

    @property
    def exchange(self) -> Exchange:
        """Return it as the other demonstration reports it."""
        return Exchange(
            said=self.said,
            source=self.source,
            target=self.target,
            measured=self.verdict.measured,
            cor_to_ptt_ms=self.cor_to_ptt_ms,
        )


def call(world: World, source: Side) -> Called:
    """Have a side call, wait until the far radio is unkeyed again, and judge what was heard."""
    said = world.begin(source, PHRASES[source.unit])
    wait_over(world, said, world.other(source))
    return judged(world, source, said)


def judged(world: World, source: Side, said: Said) -> Called:
    """Judge something said that is over."""
    target = world.other(source)
    since = max(0, said.start - RATE)
    verdict = judge(
        world.unit(source).said.since(since),
        world.unit(target).heard.since(since),
        said.start - since,
        said.end - since,
        said.phrase,
    )
    return Called(
        said=said,
        source=source,
        target=target,
        verdict=verdict,
        cor_to_ptt_ms=cor_to_ptt_ms(world.lines, said, source.donor, target.donor),
        queued=any(
            event.t >= said.start / RATE for event in world.lines.events(target.donor, "QUEUED")
        ),
    )


def wait_over(world: World, said: Said, target: Side) -> None:
    """Wait until a call has been said, and the far radio is unkeyed."""
    end = said.end / RATE
    world.comes_true(lambda: world.clock.now() > end, end - said.start / RATE + 2.0)
    world.comes_true(lambda: _over(world, said, target), OVER_S)
    world.pause(REACTION_S)


def _over(world: World, said: Said, target: Side) -> bool:
    events = [e for e in world.lines.events(target.donor, "PTT") if e.t >= said.start / RATE]
    if not events:
        return world.clock.now() > said.end / RATE + NOTICED_S
    return not events[-1].value
