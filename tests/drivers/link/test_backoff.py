"""Waits between attempts."""

from radiobridge.drivers.link.backoff import Backoff


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(first_s=1.0, longest_s=6.0, draw=lambda: 1.0)
    assert [backoff.wait_s() for _ in range(5)] == [1.0, 2.0, 4.0, 6.0, 6.0]


def test_the_draw_takes_off_up_to_half() -> None:
    assert Backoff(first_s=1.0, draw=lambda: 0.0).wait_s() == 0.5


def test_after_a_reset_waits_are_short_again() -> None:
    backoff = Backoff(first_s=1.0, draw=lambda: 1.0)
    backoff.wait_s()
    backoff.wait_s()
    backoff.reset()
    assert backoff.wait_s() == 1.0
