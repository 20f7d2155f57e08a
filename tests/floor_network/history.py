"""What happens in one history: who is there, who speaks when, what the network does meanwhile."""

from dataclasses import dataclass

from hypothesis import strategies as st

from radiobridge.model.patch import Access
from radiobridge.model.voice import TalkClass

CALM_S = 2.4
"""From here on at the latest the network loses nothing, and all of it is there."""
END_S = 7.2
"""Whatever was said is over."""
LAST_S = 10.4
"""So is the talk that comes then, to see that everybody is still at work."""
CLOCKS_MS = 5000
"""Clocks are off by as much, either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One gateway, with one radio on the talkgroup of its agency."""

    offset_ms: int = 0
    priority: int = 0
    cor_delay_s: float = 0.0
    """How long its receiver takes to tell that it receives."""
    tail_s: float = 0.0
    """How long its receiver stays open after the talker."""
    hang_s: float = 0.1
    grant_s: float = 0.0
    """How long its transmitter takes to be on the air."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """One member of the patch: a talkgroup that the first site transmits and all receive."""

    sites: tuple[Site, ...] = (Site(),)
    access: Access = Access.BOTH
    max_class: TalkClass = TalkClass.NORMAL
    max_priority: int = 0
    separate: bool = False
    """Each site has a coverage of its own, and transmits there."""
    joined: bool = False
    """The first site has a second radio on another talkgroup, joined by the agency itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """Somebody presses the key and speaks. Who does so on a busy channel is not heard."""

    at_s: float
    length_s: float
    agency: int = 0
    joined: bool = False
    """On the agency's other talkgroup."""
    site: int = 0
    """Near this site, where coverages are separate; else heard by all of them."""
    away_s: float = 9.0
    """After so long the first site hears him no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """These gateways are cut from the others."""

    at_s: float
    length_s: float
    apart: frozenset[int]
    """Numbers of gateways, counted over all agencies."""
    known: bool = False
    """Their connections are known to be down; else what is sent just vanishes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm of the field is raised; it reaches each gateway sooner or later."""

    at_s: float
    agency: int
    delays_s: tuple[float, ...] = (0.0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What brokers do with each copy of a packet until they are calm; then they only delay it."""

    calm_s: float = CALM_S
    brokers: int = 1
    delay_s: float = 0.01
    jitter_s: float = 0.0
    loss: float = 0.0
    double: float = 0.0
    late: float = 0.0
    """Share of copies that come up to 1.5 s late."""
    in_order: bool = True
    """As TCP has it: what is late holds back what comes after it."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All of it. Times are seconds since the start."""

    agencies: tuple[Agency, ...]
    talks: tuple[Talk, ...]
    network: Network = Network()
    partitions: tuple[Partition, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    limit_s: float = 55.0
    """The talk limit."""
    last: int = 0
    """The agency that has the last word."""


def _times(least: float, most: float) -> st.SearchStrategy[float]:
    """Times in whole 5 ms: they shrink well and are read easily."""
    return st.integers(round(least * 200), round(most * 200)).map(lambda n: n / 200)


_OFFSETS = st.one_of(
    st.just(0), st.integers(-400, 400), st.integers(-CLOCKS_MS, CLOCKS_MS)
)  # fmt: skip

_SITES = st.builds(
    Site,
    offset_ms=_OFFSETS,
    priority=st.integers(0, 2),
    cor_delay_s=_times(0.0, 0.15),
    tail_s=_times(0.0, 0.15),
    hang_s=_times(0.06, 0.2),
    grant_s=st.sampled_from([0.0, 0.0, 0.1, 0.6]),
)

_AGENCIES = st.builds(
    Agency,
    sites=st.one_of(st.tuples(_SITES), st.tuples(_SITES), st.tuples(_SITES, _SITES)),
    access=st.sampled_from([Access.BOTH, Access.BOTH, Access.BOTH, Access.LISTEN, Access.TALK]),
    max_class=st.sampled_from(TalkClass),
    max_priority=st.integers(0, 2),
    separate=st.sampled_from([False, False, True]),
    joined=st.sampled_from([False, False, True]),
)

_NETWORKS = st.builds(
    Network,
    calm_s=st.sampled_from([0.0, 0.0, 1.0, CALM_S]),
    brokers=st.integers(1, 2),
    delay_s=_times(0.0, 0.08),
    jitter_s=st.sampled_from([0.0, 0.02, 0.2]),
    loss=st.sampled_from([0.0, 0.0, 0.05, 0.3]),
    double=st.sampled_from([0.0, 0.1]),
    late=st.sampled_from([0.0, 0.0, 0.02, 0.2]),
    in_order=st.booleans(),
    seed=st.integers(0, 2**16),
)


@st.composite
def _talks(draw: st.DrawFn, agencies: int) -> Talk:
    return Talk(
        at_s=draw(_times(0.0, 2.2)),
        length_s=draw(st.one_of(_times(0.05, 1.2), _times(0.05, 1.2), _times(1.2, 2.2))),
        agency=draw(st.integers(0, agencies - 1)),
        joined=draw(st.booleans()),
        site=draw(st.integers(0, 1)),
        away_s=draw(st.one_of(st.just(9.0), st.just(9.0), _times(0.1, 0.8))),
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw a history of two or three agencies with two to five gateways."""
    agencies = tuple(draw(st.lists(_AGENCIES, min_size=2, max_size=3)))
    count = sum(len(agency.sites) for agency in agencies)
    talks = draw(st.lists(_talks(len(agencies)), min_size=1, max_size=6))
    partitions = st.builds(
        Partition,
        at_s=_times(0.0, 1.2),
        length_s=_times(0.1, 1.2),
        apart=st.frozensets(st.integers(0, count - 1), min_size=1, max_size=count - 1),
        known=st.booleans(),
    )
    alarms = st.builds(
        Alarm,
        at_s=_times(0.0, 2.0),
        agency=st.integers(0, len(agencies) - 1),
        delays_s=st.tuples(*[_times(0.0, 0.4) for _ in range(count)]),
    )
    return History(
        agencies=agencies,
        talks=tuple(talks),
        network=draw(_NETWORKS),
        partitions=tuple(draw(st.lists(partitions, max_size=2))),
        alarms=tuple(draw(st.lists(alarms, max_size=1))),
        limit_s=draw(st.sampled_from([55.0, 55.0, 0.7])),
        last=draw(st.integers(0, len(agencies) - 1)),
    )
