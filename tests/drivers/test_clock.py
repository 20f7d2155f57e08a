"""The machine's clocks."""

import time

from radiobridge.drivers.clock import Synchronised, SystemClock


def test_the_clocks_are_the_systems_own() -> None:
    clock = SystemClock()
    before = time.monotonic(), time.time_ns() // 1_000_000
    now = clock.monotonic(), clock.wall_ms()
    after = time.monotonic(), time.time_ns() // 1_000_000
    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]


def test_the_kernels_word_can_be_had() -> None:
    assert SystemClock().synchronised() in (True, False)


def test_the_operator_may_vouch() -> None:
    assert SystemClock(Synchronised.TRUSTED).synchronised()
