"""What bytes suffer, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge_sim.weather import SLOT_S, Impairment, Lane

times = st.lists(st.floats(min_value=0.0, max_value=30.0), min_size=1, max_size=60).map(sorted)
impairments = st.builds(
    Impairment,
    delay_s=st.floats(min_value=0.0, max_value=1.0),
    jitter_s=st.floats(min_value=0.0, max_value=0.5),
    loss=st.floats(min_value=0.0, max_value=0.5),
    stall_every_s=st.sampled_from([0.0, 1.0, 5.0]),
    stall_s=st.floats(min_value=0.0, max_value=0.9),
)


def leave(impairment: Impairment, at: list[float], key: str = "7/0/up") -> list[float]:
    lane = Lane(impairment, key)
    return [lane.leaves_at(100, now) for now in at]


def test_a_clear_network_carries_at_once() -> None:
    assert leave(Impairment(), [0.0, 0.5, 3.25]) == [0.0, 0.5, 3.25]


def test_a_delay_is_the_same_for_all() -> None:
    assert leave(Impairment(delay_s=0.25), [0.0, 0.5, 1.0]) == [0.25, 0.75, 1.25]


def test_nothing_passes_in_a_stall_and_all_at_once_after_it() -> None:
    stalls = Impairment(stall_every_s=4.0, stall_s=0.5)
    assert leave(stalls, [0.25, 3.75, 4.0, 4.25, 4.5, 8.25]) == [0.25, 3.75, 4.5, 4.5, 4.5, 8.5]


def test_a_stall_counts_when_bytes_would_leave_not_when_they_come() -> None:
    stalls = Impairment(delay_s=0.5, stall_every_s=4.0, stall_s=0.5)
    assert leave(stalls, [3.25, 3.75, 4.25]) == [3.75, 4.5, 4.75]


def test_a_limit_of_bandwidth_makes_a_queue_that_empties_again() -> None:
    narrow = Impairment(bytes_per_s=1000.0)
    assert leave(narrow, [0.0, 0.0, 0.0, 1.0]) == pytest.approx([0.1, 0.2, 0.3, 1.1])


def test_the_queue_before_a_narrow_place_is_known() -> None:
    lane = Lane(Impairment(bytes_per_s=1000.0, delay_s=0.5), "1/0/up")
    assert lane.queue_s(0.0) == 0.0
    lane.leaves_at(300, 0.0)
    assert lane.queue_s(0.1) == pytest.approx(0.2)
    assert lane.queue_s(9.0) == 0.0


def test_what_is_lost_comes_when_it_was_repeated_with_all_that_came_meanwhile() -> None:
    at = [n * SLOT_S for n in range(50)]
    left = leave(Impairment(loss=0.1), at)
    held = [n for n in range(50) if left[n] > at[n]]
    assert held
    assert all(left[n] - at[n] <= 0.2 + 1e-9 for n in held)
    assert any(left[n] == left[n + 1] for n in held[:-1])


def test_jitter_spreads_over_all_of_its_range() -> None:
    at = [float(n) for n in range(200)]
    late = [left - came for left, came in zip(leave(Impairment(jitter_s=0.1), at), at, strict=True)]
    assert 0.0 <= min(late) < 0.01
    assert 0.09 < max(late) <= 0.1


@given(impairments, times)
def test_the_order_is_kept_and_lateness_never_adds_up(it: Impairment, at: list[float]) -> None:
    left = leave(it, at)
    assert left == sorted(left)
    bound = it.delay_s + it.jitter_s + it.repeat_s + it.stall_s + 1e-6
    assert all(
        came + it.delay_s - 1e-9 <= gone <= came + bound
        for came, gone in zip(at, left, strict=True)
    )


@given(impairments, times)
def test_the_same_seed_has_the_same_weather(it: Impairment, at: list[float]) -> None:
    assert leave(it, at) == leave(it, at)


def test_another_seed_has_other_weather() -> None:
    at = [float(n) for n in range(20)]
    rough = Impairment(jitter_s=0.1)
    assert leave(rough, at, "1/0/up") != leave(rough, at, "2/0/up")
