"""Whatever the network and the event loop do: what must hold of the jitter buffer."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.jitter import JitterBuffer, JitterSettings, PullKind
from tests.core.playout import FRAME_S, Arrival, Playout, kinds, voices

LIMIT_S = 0.6
EPSILON_S = 0.001


@dataclass(frozen=True)
class Storm:
    """One spurt over a bad line, with a busy event loop behind it."""

    arrivals: list[Arrival]
    count: int
    begin_at: float
    finish_at: float
    lateness: list[float]
    silent: frozenset[int]

    def run(self, *, silent: bool, limit_s: float = 10.0) -> Playout:
        playout = Playout(
            buffer=JitterBuffer(JitterSettings(limit_s=limit_s)),
            arrivals=self.arrivals,
            begin_at=self.begin_at,
            finish_at=self.finish_at,
            last=self.count - 1,
            silent=self.silent if silent else (),
            lateness=lambda n: self.lateness[n % len(self.lateness)],
        )
        playout.run()
        return playout


@st.composite
def storms(draw: st.DrawFn) -> Storm:
    count = draw(st.integers(1, 50))
    delays = st.integers(0, 300) | st.integers(0, 30)
    copies = st.lists(delays, min_size=0, max_size=2) | st.lists(delays, min_size=1, max_size=1)
    base = draw(st.sampled_from([0.0, 0.1]))
    preroll = draw(st.integers(0, 15))
    arrivals = [
        Arrival(base + max(0, index - preroll) * FRAME_S + delay / 1000, index)
        for index in range(count)
        for delay in draw(copies)
    ]
    newest = max((at for at, _ in arrivals), default=base)
    return Storm(
        arrivals=arrivals,
        count=count,
        begin_at=draw(st.integers(0, 800)) / 1000,
        finish_at=newest + draw(st.sampled_from([-0.05, 0.0, 0.1])),
        lateness=draw(st.lists(st.integers(0, 90).map(lambda ms: ms / 1000), min_size=1))
        if draw(st.booleans())
        else [0.0],
        silent=frozenset(draw(st.sets(st.integers(0, count)))),
    )


def first_copies(storm: Storm) -> dict[int, float]:
    first: dict[int, float] = {}
    for at, index in sorted(storm.arrivals):
        first.setdefault(index, at)
    return first


def given_up_before(run: Playout, index: int, at: float) -> bool:
    """Whether a later frame, or the end, had taken the place of `index` when it came."""
    return any(p.at <= at and (p.frame > index or p.kind is PullKind.END) for p in run.played)


@given(storms())
def test_each_frame_plays_once_in_order_unless_its_place_was_taken(storm: Storm) -> None:
    run = storm.run(silent=False)
    got = voices(run.played)
    assert got == sorted(set(got))
    for index, at in first_copies(storm).items():
        assert index in got or given_up_before(run, index, at)


@given(storms())
def test_each_frame_that_came_before_its_deadline_plays(storm: Storm) -> None:
    """The deadline of a frame is the start of playing plus 20 ms for each frame before it.

    When `finish` comes before the last frames, the end may come before their deadline too.
    """
    run = storm.run(silent=False)
    if not voices(run.played):
        return
    start, first = run.played[0].at, run.played[0].frame
    got, end = set(voices(run.played)), run.played[-1].at
    for index, at in first_copies(storm).items():
        deadline = min(end, start + (index - first) * FRAME_S)
        if index >= first and at < deadline - EPSILON_S:
            assert index in got


@given(storms())
def test_only_silence_is_left_out_on_purpose(storm: Storm) -> None:
    run = storm.run(silent=True)
    got = voices(run.played)
    assert got == sorted(set(got))
    assert not set(run.skipped) & set(got)
    assert set(run.skipped) <= storm.silent
    passed = sorted({*got, *run.skipped})
    for index, at in first_copies(storm).items():
        taken = any(p.at <= at for p in run.played if p.frame > index or p.kind is PullKind.END)
        skipped_past = any(other > index for other in run.skipped)
        assert index in passed or taken or skipped_past


@given(storms(), st.booleans())
def test_never_faster_than_a_frame_each_20_ms_but_for_one_frame(
    storm: Storm,
    silent: bool,
) -> None:
    times = [p.at for p in storm.run(silent=silent).played if p.kind is not PullKind.END]
    beats = [at - n * FRAME_S for n, at in enumerate(times)]
    ahead = 0.0
    highest = float("-inf")
    for beat in beats:
        highest = max(highest, beat)
        ahead = max(ahead, highest - beat)
    assert ahead <= FRAME_S + EPSILON_S


@given(storms())
def test_the_depth_is_bounded_and_drops_are_counted(storm: Storm) -> None:
    run = storm.run(silent=False, limit_s=LIMIT_S)
    assert run.deepest <= LIMIT_S + EPSILON_S
    buffer = run.buffer
    handled = len(voices(run.played)) + buffer.overflow + buffer.late + buffer.duplicate
    came = sum(at <= run.played[-1].at for at, _ in storm.arrivals) if run.played else 0
    assert came <= handled <= len(storm.arrivals)


@given(storms())
def test_each_spurt_ends_and_each_place_is_played_or_counted(storm: Storm) -> None:
    run = storm.run(silent=False)
    assert kinds(run.played).endswith("E")
    got = voices(run.played)
    if got:
        assert run.buffer.lost == storm.count - got[0] - len(got)


@given(storms())
def test_gaps_come_only_after_three_concealments(storm: Storm) -> None:
    for part in kinds(storm.run(silent=False).played).replace("E", "V").split("V"):
        busy = any(storm.lateness)
        assert busy or "G" not in part or part.startswith("CCCG")
