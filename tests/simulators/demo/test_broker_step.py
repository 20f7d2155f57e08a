"""How the step with the killed broker judges."""

from dataclasses import replace

import pytest

from radiobridge_sim.demo.broker_step import Carried, broker_killed
from tests.simulators.demo.test_report import exchange

FOUND = exchange(40.0, 41.0)


def test_nothing_lost_and_no_gap_is_right() -> None:
    result = broker_killed(FOUND, 0, in_mid_sentence=True)
    assert result.ok
    assert result.id == "broker-killed"
    assert result.measured.en == "0 packets lost, longest gap 0 ms"


@pytest.mark.parametrize(("hole_ms", "ok"), [(20.0, True), (25.0, False)])
def test_a_gap_above_20_ms_is_wrong(hole_ms: float, ok: bool) -> None:
    found = replace(FOUND, measured=replace(FOUND.measured, longest_gap_ms=hole_ms))
    assert broker_killed(found, 0, in_mid_sentence=True).ok is ok


def test_a_lost_packet_a_late_kill_and_nothing_heard_are_wrong() -> None:
    assert not broker_killed(FOUND, 1, in_mid_sentence=True).ok
    assert not broker_killed(FOUND, 0, in_mid_sentence=False).ok
    assert not broker_killed(exchange(), 0, in_mid_sentence=True).ok


def test_what_was_lost_is_what_the_living_broker_was_given_and_nobody_took() -> None:
    before = Carried(first=(10, 0), sent=(100, 100), accepted=90)
    after = Carried(first=(40, 2), sent=(202, 140), accepted=190)
    assert after.since(before) == Carried(first=(30, 2), sent=(102, 40), accepted=100)
    assert after.since(before).lost == 0
    assert replace(after, accepted=187).since(before).lost == 3
