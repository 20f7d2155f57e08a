"""A frame that is read late was not heard late; one after lost frames was."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.drivers.audio.heard import LATE_S, HeardAt
from radiobridge.model.voice import FRAME_S


def heard(arrivals: Sequence[tuple[int, float]]) -> list[float]:
    beat = HeardAt()
    return [beat.at(seq, now) for seq, now in arrivals]


def holes(times: Sequence[float]) -> int:
    """Return how many frames the way up would take for lost."""
    return sum(
        max(0, int((late - early) / FRAME_S - 0.5)) for early, late in itertools.pairwise(times)
    )


def test_a_burst_after_a_stall_leaves_no_hole() -> None:
    """Five packets that waited in the socket while the event loop was busy."""
    on_time = [(n, 10.0 + n * FRAME_S) for n in range(20)]
    stalled = [(n, max(at, 10.0 + 9 * FRAME_S) if n >= 5 else at) for n, at in on_time]
    assert holes([at for _, at in stalled]) == 4
    assert holes(heard(stalled)) == 0
    assert heard(stalled)[-1] == pytest.approx(on_time[-1][1], abs=0.01)


@given(st.lists(st.floats(0.0, 0.19), min_size=2, max_size=100))
def test_whatever_holds_packets_up_leaves_no_hole(late: list[float]) -> None:
    arrivals, now = [], 0.0
    for n, late_s in enumerate([0.0, *late]):
        now = max(now, 10.0 + n * FRAME_S + late_s)
        arrivals.append((n, now))
    times = heard(arrivals)
    assert holes(times) == 0
    assert all(at <= now for at, (_, now) in zip(times, arrivals, strict=True))


@pytest.mark.parametrize("lost", [1, 3, 9])
def test_what_was_lost_leaves_a_hole_of_its_size(lost: int) -> None:
    sent = [n for n in range(20) if not 5 <= n < 5 + lost]
    assert holes(heard([(n, 10.0 + n * FRAME_S) for n in sent])) == lost


def test_a_pause_of_the_peer_begins_anew() -> None:
    """An AllStarLink node sends nothing between transmissions, and counts on."""
    before = [(n, 10.0 + n * FRAME_S) for n in range(5)]
    after = [(n, 13.0 + n * FRAME_S) for n in range(5, 8)]
    assert heard([*before, *after])[5:] == pytest.approx([at for _, at in after])


def test_a_peer_that_starts_again_is_believed() -> None:
    times = heard([(500, 10.0), (501, 10.02), (0, 10.04), (1, 10.06)])
    assert times == pytest.approx([10.0, 10.02, 10.04, 10.06], abs=0.001)


def test_a_clock_that_runs_slow_is_followed() -> None:
    """100 ppm for ten minutes are 60 ms."""
    arrivals = [(n, 10.0 + n * FRAME_S * 1.0001) for n in range(30_000)]
    assert arrivals[-1][1] - heard(arrivals)[-1] < 0.001
    assert LATE_S > 0.06
