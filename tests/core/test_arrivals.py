"""What packets teach about their path."""

import pytest

from radiobridge.core.arrivals import Arrivals

FRAME_S = 0.02


def feed(arrivals: Arrivals, first: int, count: int, *, late_s: float = 0.0) -> int:
    for index in range(first, first + count):
        arrivals.note(index, index * FRAME_S + late_s)
    return first + count


def test_the_best_transit_is_kept_for_more_than_a_second() -> None:
    arrivals = Arrivals()
    place = feed(arrivals, 0, 64)
    feed(arrivals, place, 60, late_s=0.05)
    assert arrivals.base == pytest.approx(0.0)
    assert arrivals.lateness_s == pytest.approx(0.05)


def test_a_slower_route_is_accepted_after_two_and_a_half_seconds() -> None:
    arrivals = Arrivals()
    place = feed(arrivals, 0, 64)
    feed(arrivals, place, 128, late_s=0.05)
    assert arrivals.base == pytest.approx(0.05)


def test_a_faster_route_counts_at_once() -> None:
    arrivals = Arrivals()
    place = feed(arrivals, 0, 10, late_s=0.05)
    feed(arrivals, place, 1)
    assert arrivals.base == pytest.approx(0.0)


def test_a_preroll_is_not_jitter() -> None:
    arrivals = Arrivals()
    for _ in range(20):
        arrivals.restart()
        for index in range(15):
            arrivals.note(index, 100.0)
    assert arrivals.lateness_s == 0.0


def test_one_burst_is_one_sample_and_the_latest_of_it_counts() -> None:
    arrivals = Arrivals()
    place = feed(arrivals, 0, 40)
    for stall in range(5):
        end = (place + 20) * FRAME_S
        for index in (place + 1, place, *range(place + 2, place + 21)):
            arrivals.note(index, end)
        before = arrivals.lateness_s
        place = feed(arrivals, place + 21, 8)
        assert before == 0.0, stall
    assert arrivals.lateness_s == pytest.approx(0.4)


def test_a_new_spurt_has_another_clock() -> None:
    arrivals = Arrivals()
    feed(arrivals, 0, 10)
    arrivals.restart()
    arrivals.note(0, 1000.0)
    assert arrivals.base == pytest.approx(1000.0)
