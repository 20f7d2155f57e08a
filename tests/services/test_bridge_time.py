"""Bridge time of gateways at work: not synchronised, stepped, restarted, without a battery."""

import asyncio

import pytest

from tests.services.consent_world import BORDER, Site, settle
from tests.services.guarded_world import OURS, THEIRS, agreed, restart
from tests.services.virtual_time import in_virtual_time
from tests.wire.people import HOUR_MS


@in_virtual_time
async def test_an_unsynchronised_clock_parts_from_all_and_a_synchronised_one_joins_again() -> None:
    made = await agreed()
    windsor = made["windsor"]
    windsor.clock.is_synchronised = False
    await settle(2.0)
    windsor.control.refresh()
    assert windsor.reason("river") == "clock-unsynchronised"
    assert not windsor.hears(BORDER)
    assert made["detroit"].reason("river") == "in-force"
    windsor.clock.is_synchronised = True
    await settle(2.0)
    windsor.control.refresh()
    assert windsor.reason("river") == "in-force"


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
@in_virtual_time
async def test_a_step_of_an_hour_moves_no_window_and_parts_until_it_is_undone(step_ms: int) -> None:
    made = await agreed()
    windsor = made["windsor"]
    before_ms, began = windsor.bridge.now_ms(), asyncio.get_running_loop().time()
    windsor.clock.ahead_ms = step_ms
    await settle(10.0)
    windsor.control.refresh()
    passed_ms = round((asyncio.get_running_loop().time() - began) * 1000)
    assert abs(windsor.bridge.now_ms() - before_ms - passed_ms) <= 10
    assert windsor.reason("river") == "clock-unsynchronised"
    windsor.clock.ahead_ms = 0
    await settle(2.0)
    windsor.control.refresh()
    assert windsor.reason("river") == "in-force"


@in_virtual_time
async def test_over_a_restart_bridge_time_never_goes_back() -> None:
    made = await agreed()
    windsor = made["windsor"]
    await settle(30.0)
    before_ms = windsor.bridge.now_ms()
    windsor.clock.ahead_ms = -HOUR_MS
    await restart(windsor)
    assert windsor.bridge.now_ms() > before_ms - 10_000
    assert windsor.reason("river") == "clock-unsynchronised"
    assert windsor.control.status()[0]["end_ms"] - before_ms < 2 * HOUR_MS


def misled(site: Site) -> bool:
    """Ask anew: mypy believes that a property stays as it was."""
    return site.bridge.misled


@in_virtual_time
async def test_a_battery_clock_that_is_ahead_costs_no_withdrawal_and_gives_nothing() -> None:
    made = await agreed()
    windsor = made["windsor"]
    await windsor.withdraw("river")
    await windsor.propose("lake", OURS, THEIRS, for_ms=HOUR_MS)
    await settle()
    await made["detroit"].accept("lake")
    await settle()
    kept = dict(windsor.store.values)
    windsor.clock.is_synchronised, windsor.clock.ahead_ms = False, 30 * 24 * HOUR_MS
    lake = made.brokers[0].retained["rb/1/ca.opp/windsor/patch/lake"]
    await restart(windsor, seconds=10.0)
    windsor.control.refresh()
    assert not windsor.hears(BORDER)
    assert made.brokers[0].retained["rb/1/ca.opp/windsor/patch/lake"] == lake
    for key in ("word/lake", "adopted/lake", "heard/us.cbp/detroit/lake"):
        assert windsor.store.values[key] == kept[key]
    assert '"withdraw"' in windsor.store.values["word/river"]
    windsor.clock.is_synchronised, windsor.clock.ahead_ms = True, 0
    await settle(2.0)
    assert misled(windsor)
    # What the gateway does by itself then.
    await restart(windsor)
    assert not misled(windsor)
    assert windsor.reason("river") == "withdrawn"
    assert windsor.reason("lake") == "in-force"


@in_virtual_time
async def test_a_machine_without_a_battery_clock_joins_once_it_has_the_time() -> None:
    made = await agreed()
    windsor = made["windsor"]
    windsor.clock.is_synchronised = False
    windsor.clock.ahead_ms = -1_700_000_000_000
    await restart(windsor)
    # By its own clock the patch is half a century ahead.
    assert windsor.reason("river") == "not-yet"
    assert not windsor.hears(BORDER)
    windsor.clock.ahead_ms, windsor.clock.is_synchronised = 0, True
    await settle(2.0)
    windsor.control.refresh()
    assert windsor.reason("river") == "in-force"
