"""Bridge time of a gateway, on a clock that steps and a disk that fails."""

import asyncio

import pytest
from structlog.testing import capture_logs

from radiobridge.errors import StoreError
from radiobridge.services.clock import BRIDGE_TIME_KEY, BridgeTime
from tests.services.fakes import FakeClock, FakeStore
from tests.services.virtual_time import in_virtual_time, now
from tests.wire.people import NOW_MS


def quick() -> FakeStore:
    store = FakeStore()
    store.takes_s = 0.0
    return store


async def observe(bridge: BridgeTime, seconds: int) -> None:
    for _ in range(seconds):
        await asyncio.sleep(1)
        if bridge.observe():
            await bridge.persist()


@in_virtual_time
async def test_it_starts_at_the_wall_clock_and_goes_with_it() -> None:
    bridge = BridgeTime(FakeClock(), quick())
    assert bridge.now_ms() == NOW_MS
    await observe(bridge, 60)
    assert bridge.now_ms() == NOW_MS + 60_000
    assert bridge.at_ms(now() + 1) == pytest.approx(NOW_MS + 61_000, abs=1)
    assert bridge.monotonic_at(NOW_MS + 61_000) == pytest.approx(now() + 1)
    assert bridge.synchronised


@in_virtual_time
async def test_it_never_starts_below_what_was_stored() -> None:
    store = FakeStore()
    first = BridgeTime(FakeClock(), store)
    await observe(first, 60)
    last = first.now_ms()
    await first.persist()
    back = BridgeTime(FakeClock(ahead_ms=-3_600_000), store)
    assert back.now_ms() >= last
    # An hour ahead of what the system says: nobody can rely on that.
    assert not back.synchronised


@pytest.mark.parametrize("stored", ["", "nonsense", "-5"])
def test_a_stored_time_that_is_none_is_ignored(stored: str) -> None:
    @in_virtual_time
    async def starts() -> None:
        assert BridgeTime(FakeClock(), FakeStore({BRIDGE_TIME_KEY: stored})).now_ms() == NOW_MS

    starts()


@in_virtual_time
async def test_it_is_stored_now_and_then_and_not_each_second() -> None:
    store = FakeStore()
    bridge = BridgeTime(FakeClock(), store)
    await observe(bridge, 35)
    assert store.puts == [BRIDGE_TIME_KEY] * 3
    assert int(store.values[BRIDGE_TIME_KEY]) <= bridge.now_ms()


@in_virtual_time
async def test_time_that_was_never_synchronised_is_not_stored() -> None:
    clock, store = FakeClock(ahead_ms=10**12), FakeStore()
    clock.is_synchronised = False
    bridge = BridgeTime(clock, store)
    await observe(bridge, 30)
    await bridge.persist()
    assert store.puts == []
    assert not bridge.synchronised


@in_virtual_time
async def test_a_step_of_the_wall_clock_is_told_once_and_moves_nothing() -> None:
    clock = FakeClock()
    bridge = BridgeTime(clock, quick())
    await observe(bridge, 5)
    clock.ahead_ms = 60_000
    with capture_logs() as logs:
        await observe(bridge, 5)
    assert [line["event"] for line in logs] == ["clock-stepped"]
    assert bridge.now_ms() - NOW_MS == pytest.approx(10_000, abs=10)
    assert bridge.offset_ms == pytest.approx(60_000, abs=10)
    assert not bridge.synchronised


@in_virtual_time
async def test_a_store_that_fails_is_told_and_tried_again() -> None:
    store = FakeStore()
    store.failing = True
    bridge = BridgeTime(FakeClock(), store)
    with pytest.raises(StoreError):
        await observe(bridge, 11)
    store.failing = False
    await observe(bridge, 12)
    assert BRIDGE_TIME_KEY in store.values
