import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from radiobridge_sim.playout import Playout
from radiobridge_sim.sound import FRAME, STEP, Pcm


def packet(value: int) -> Pcm:
    return np.full(FRAME, value, np.int16)


def play(playout: Playout, until: int, *, first: int = 0) -> Pcm:
    parts = []
    for at in range(first, until, STEP):
        out = np.zeros(STEP, np.int16)
        playout.take(at, out)
        parts.append(out)
    return np.concatenate(parts)


def test_the_first_packet_starts_after_the_play_out_buffer() -> None:
    playout = Playout(delay_s=0.005)
    playout.put(packet(9), arrival=13)
    heard = play(playout, 400)
    assert np.flatnonzero(heard).tolist() == list(range(53, 53 + FRAME))


@given(st.lists(st.integers(-39, 39), min_size=2, max_size=20))
def test_unsteady_packets_in_time_are_played_without_a_seam(jitter: list[int]) -> None:
    playout = Playout(delay_s=0.010)
    arrivals = [1000 + n * FRAME + j for n, j in enumerate([0, *jitter])]
    heard = []
    at = 0
    for n, arrival in enumerate(arrivals):
        heard.append(play(playout, arrival // STEP * STEP, first=at))
        at = max(at, arrival // STEP * STEP)
        playout.put(packet(n + 1), arrival)
    heard.append(play(playout, at + 40 * FRAME, first=at))
    whole = np.concatenate([h for h in heard if len(h)])
    expected = np.repeat(np.arange(1, len(arrivals) + 1), FRAME)
    start = int(np.flatnonzero(whole)[0])
    assert start == 1080
    assert (whole[start : start + len(expected)] == expected).all()
    assert playout.underruns == 0


def test_a_packet_too_late_leaves_a_gap_that_is_counted() -> None:
    playout = Playout(delay_s=0.005)
    playout.put(packet(1), arrival=0)
    playout.put(packet(2), arrival=40 + FRAME + 30)
    heard = play(playout, 1000)
    assert playout.underruns == 1
    assert np.count_nonzero(heard == 0) == 1000 - 2 * FRAME
    assert int(np.flatnonzero(heard == 2)[0]) == 40 + FRAME + 30 + 40


def test_late_silence_is_no_underrun() -> None:
    playout = Playout(delay_s=0.005)
    playout.put(packet(1), arrival=0)
    playout.put(packet(0), arrival=400)
    assert playout.underruns == 0


def test_a_new_stream_is_no_underrun() -> None:
    playout = Playout(delay_s=0.005)
    playout.put(packet(1), arrival=0)
    playout.finish()
    playout.put(packet(2), arrival=300)
    assert playout.underruns == 0
    playout.put(packet(3), arrival=10_000)
    assert playout.underruns == 0


def test_what_is_queued_is_bounded() -> None:
    playout = Playout(delay_s=0.005)
    for _ in range(100):
        playout.put(packet(1), arrival=0)
    assert playout.overruns > 70
    assert playout.end <= 4000 + FRAME
