"""Bridge time: only grows, never jumps once it counts, and says when it is not to be trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.bridge_clock import (
    DRIFT_MS,
    DRIFTED_S,
    SLEW_PPM,
    TOLERANCE_MS,
    BridgeClock,
    ClockStep,
)

WALL = 1_800_000_000_000


def clock(wall_ms: int = WALL, *, synchronised: bool = True, floor_ms: int = 0) -> BridgeClock:
    return BridgeClock(100.0, wall_ms, synchronised=synchronised, floor_ms=floor_ms)


def trusted(bridge: BridgeClock) -> bool:
    """Ask anew: mypy believes that a property stays as it was."""
    return bridge.synchronised


def test_starts_from_the_wall_and_follows_the_monotonic_clock() -> None:
    bridge = clock()
    assert bridge.now_ms(100.0) == WALL
    assert bridge.now_ms(3700.5) == WALL + 3_600_500
    assert trusted(bridge)


def test_never_starts_below_what_was_stored() -> None:
    bridge = clock(floor_ms=WALL + 5000)
    assert bridge.now_ms(100.0) == WALL + 5000
    assert bridge.offset_ms == -5000
    assert not trusted(bridge)


def test_closes_a_small_offset_slowly() -> None:
    bridge = clock()
    assert bridge.observe(101.0, WALL + 1000 + 300, synchronised=True) is None
    assert bridge.offset_ms == 300
    assert bridge.now_ms(101.0) == WALL + 1000
    assert bridge.now_ms(201.0) == WALL + 101_000 + 100_000 * SLEW_PPM // 1_000_000
    assert bridge.now_ms(100_101.0) == WALL + 100_001_000 + 300, "and then it stops slewing"


def test_slows_down_when_it_is_ahead_but_never_stops() -> None:
    bridge = clock()
    bridge.observe(101.0, WALL + 1000 - 300, synchronised=True)
    assert bridge.now_ms(201.0) == WALL + 101_000 - 50
    assert bridge.now_ms(101.01) > bridge.now_ms(101.0)


def test_a_battery_clock_that_was_ahead_is_found_out_and_never_stored() -> None:
    bridge = clock(WALL + 3_600_000, synchronised=False)
    bridge.observe(101.0, WALL + 1000, synchronised=True)
    assert bridge.misled
    assert not trusted(bridge)
    assert bridge.now_ms(101.0) >= WALL + 3_600_000, "it goes back for nobody"
    assert bridge.to_store_ms(101.0) is None
    fresh = clock(WALL + 2000)
    assert not fresh.misled
    assert trusted(fresh)


def test_a_floor_that_is_ahead_is_no_battery_clock() -> None:
    bridge = clock(WALL, synchronised=False, floor_ms=WALL + 60_000)
    bridge.observe(101.0, WALL + 1000, synchronised=True)
    assert not bridge.misled
    assert not trusted(bridge)


def test_a_large_step_does_not_make_it_jump_and_is_told_once() -> None:
    bridge = clock()
    step = bridge.observe(101.0, WALL + 1000 + 3_600_000, synchronised=True)
    assert step == ClockStep(offset_ms=3_600_000)
    assert bridge.now_ms(101.0) == WALL + 1000
    assert not trusted(bridge)
    assert bridge.observe(102.0, WALL + 2000 + 3_600_000, synchronised=True) is None
    assert bridge.observe(103.0, WALL + 3000, synchronised=True) is None
    assert trusted(bridge)
    assert bridge.observe(104.0, WALL - 3_600_000, synchronised=True) is not None
    assert bridge.now_ms(104.0) >= WALL + 4000


def off_for(bridge: BridgeClock, seconds: int, ahead_ms: int, *, synchronised: bool = True) -> None:
    """Take a step after a spell without a time server."""
    bridge.observe(100.5, WALL + 500, synchronised=False)
    for at in range(1, seconds + 1):
        bridge.observe(100.0 + at, WALL + at * 1000 + ahead_ms, synchronised=synchronised)


def test_a_clock_that_had_drifted_and_is_put_right_asks_for_a_new_start() -> None:
    brief, lasting = clock(), clock()
    off_for(brief, round(DRIFTED_S), 5000)
    assert not brief.misled, "it may be put back"
    off_for(lasting, round(DRIFTED_S) + 1, 5000)
    assert lasting.misled
    assert lasting.now_ms(161.0) < WALL + 61_100, "and never jumps by itself"


@pytest.mark.parametrize("ahead_ms", [900, DRIFT_MS + 1000, 3_600_000, -5000, -3_600_000])
def test_what_is_no_drift_asks_for_none(ahead_ms: int) -> None:
    bridge = clock()
    off_for(bridge, 600, ahead_ms)
    assert not bridge.misled


def test_a_time_server_that_errs_is_not_believed() -> None:
    """It served all the while: what it gives is no drift, and may be taken back."""
    bridge = clock()
    for at in range(1, 600):
        bridge.observe(100.0 + at, WALL + at * 1000 + 18_000, synchronised=True)
    assert not bridge.misled


def test_a_clock_that_is_not_synchronised_asks_for_none() -> None:
    bridge = clock()
    off_for(bridge, 600, 5000, synchronised=False)
    assert not bridge.misled


def test_the_first_synchronisation_may_put_it_forward() -> None:
    bridge = clock(WALL - 10**9, synchronised=False)
    assert not trusted(bridge)
    assert bridge.to_store_ms(100.0) is None
    assert bridge.observe(101.0, WALL, synchronised=True) is None
    assert bridge.now_ms(101.0) == WALL
    assert trusted(bridge)
    assert bridge.to_store_ms(101.0) == WALL
    bridge.observe(102.0, WALL + 1000, synchronised=False)
    bridge.observe(103.0, WALL + 10**9, synchronised=True)
    assert bridge.now_ms(103.0) < WALL + 3000, "only the first"


def test_the_first_synchronisation_never_puts_it_back() -> None:
    bridge = clock(WALL + 60_000, synchronised=False)
    assert bridge.observe(101.0, WALL + 1000, synchronised=True) is not None
    assert bridge.now_ms(101.0) == WALL + 61_000
    assert not trusted(bridge), "partners would take our packets for future ones"


def test_is_not_synchronised_when_the_system_says_so() -> None:
    bridge = clock()
    bridge.observe(101.0, WALL + 1000, synchronised=False)
    assert not trusted(bridge)
    assert bridge.to_store_ms(101.0) == WALL + 1000, "but it came from a synchronised clock"


READINGS = st.lists(
    st.tuples(st.floats(0, 100), st.integers(-(10**7), 10**7), st.booleans()), max_size=20
)


@given(st.integers(-(10**6), 10**6), st.booleans(), READINGS)
def test_only_grows_and_stays_within_its_rate(
    floor: int, synchronised: bool, readings: list[tuple[float, int, bool]]
) -> None:
    bridge = clock(synchronised=synchronised, floor_ms=WALL + floor)
    at, last = 100.0, bridge.now_ms(100.0)
    assert last >= max(WALL, WALL + floor)
    provisional = not synchronised
    for elapsed, error_ms, synced in readings:
        at += elapsed
        now = bridge.now_ms(at)
        slew = elapsed * 1000 * SLEW_PPM / 1e6
        assert elapsed * 1000 - slew - 2 <= now - last <= elapsed * 1000 + slew + 2
        wall = WALL + int((at - 100) * 1000) + error_ms
        bridge.observe(at, wall, synchronised=synced)
        jumped = bridge.now_ms(at) - now
        assert jumped >= 0
        if not (provisional and synced):
            assert jumped <= 1
        provisional = provisional and not synced
        assert bridge.synchronised <= (synced and abs(bridge.offset_ms) <= TOLERANCE_MS)
        last = bridge.now_ms(at)
